//! Which live blocks keep pages that are nearly free.
//!
//! The system takes back whole pages only: a page with one small live block costs as much as a full one.

use std::collections::{HashMap, HashSet};

use residue_model::{Address, Block, Blocks, Bytes, Pieces, Range};

use crate::types::{BlockType, Types};

/// What pins pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Pages of which less than a quarter is live.
    pub pages: u64,
    /// What is free in them.
    pub free: Bytes,
    /// What is live in them.
    pub live: Bytes,
    /// The blocks that stand in them, by type and size, most pages first.
    pub rows: Vec<Pin>,
}

/// Blocks of one type and size that pin pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What they are.
    pub what: BlockType,
    /// What the program may use of each.
    pub size: Bytes,
    /// How many stand in such pages.
    pub blocks: u64,
    /// Pages that they pin, alone or with others.
    pub pages: u64,
    /// The first of them.
    pub first: Address,
}

const PAGE: u64 = 4096;

/// Of a page that is pinned, less than this is live.
const SPARSE: u64 = PAGE / 4;

/// More blocks than this are not told by type one by one.
const MOST: usize = 200_000;

impl Pins {
    /// Looks through the pages of blocks. Only pages that hold memory count: `pieces` tells.
    pub fn of(blocks: &Blocks, pieces: &Pieces<'_>, types: &mut Types<'_>) -> Pins {
        let mut pinned =
            Pinned { pins: Pins::default(), page: 0, live: 0, blocks: Vec::new(), found: HashMap::new() };
        for block in blocks.live() {
            let (first, last) = (block.range.start.0 / PAGE, block.range.end.0.saturating_sub(1) / PAGE);
            // The pages in the middle of a large block are full.
            for page in [first, last].into_iter().take(if first == last { 1 } else { 2 }) {
                if page != pinned.page {
                    pinned.close(pieces);
                    pinned.page = page;
                }
                pinned.add(block);
            }
        }
        pinned.close(pieces);
        pinned.told(types)
    }
}

struct Pinned {
    pins: Pins,
    page: u64,
    live: u64,
    blocks: Vec<Block>,
    /// Which pages a block pins, by where it begins and its size, until types are told: it may be two.
    found: HashMap<(Address, Bytes), Vec<u64>>,
}

impl Pinned {
    fn add(&mut self, block: Block) {
        let page = Range { start: Address(self.page * PAGE), end: Address((self.page + 1) * PAGE) };
        self.live += block.range.overlap(page).map_or(0, |part| part.size().0);
        if self.live < SPARSE {
            self.blocks.push(block);
        }
    }

    fn close(&mut self, pieces: &Pieces<'_>) {
        let is_held = self.page != 0 && pieces.find(Address(self.page * PAGE)).is_some();
        if self.live < SPARSE && is_held {
            self.pins.pages += 1;
            self.pins.live += Bytes(self.live);
            self.pins.free += Bytes(PAGE - self.live);
            for block in self.blocks.drain(..) {
                if self.found.len() < MOST {
                    self.found.entry((block.range.start, block.size())).or_default().push(self.page);
                }
            }
        }
        self.blocks.clear();
        self.live = 0;
    }

    fn told(self, types: &mut Types<'_>) -> Pins {
        // Blocks of one kind often stand in one page: it is one page all the same.
        let mut rows: HashMap<(BlockType, Bytes), (Pin, HashSet<u64>)> = HashMap::new();
        for ((start, size), pages) in self.found {
            let what = types.of(Range { start, end: Address(start.0 + size.0) });
            let (row, pinned) = rows.entry((what, size)).or_insert_with_key(|(what, size)| {
                let pin = Pin { what: what.clone(), size: *size, blocks: 0, pages: 0, first: start };
                (pin, HashSet::new())
            });
            row.blocks += 1;
            row.first = row.first.min(start);
            pinned.extend(pages);
        }
        let mut pins = self.pins;
        let row = |(row, pages): (Pin, HashSet<u64>)| Pin { pages: pages.len() as u64, ..row };
        pins.rows = rows.into_values().map(row).collect();
        pins.rows.sort_by_key(|row| (std::cmp::Reverse(row.pages), row.first));
        pins
    }
}
