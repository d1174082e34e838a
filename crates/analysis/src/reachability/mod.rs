//! Who can still be reached, and who is lost.
//!
//! Conservative, as memcheck and the leak sanitizer are: whatever looks like the address of a block is taken for a pointer to
//! it. So a block that is called lost is lost, as far as memory could be seen and no program hides its pointers, and one
//! that is called reachable may be lost in truth.

mod chain;
mod heuristics;
mod lost;
mod mark;
mod marks;
mod pool;
mod references;
mod roots;
mod stacks;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::ControlFlow;

use residue_model::{Address, BlockId, Blocks, Bytes, Pieces, Range, Region, Thread};
use serde::Serialize;

use crate::constants::constants;

pub use chain::{Chain, chain_to_root};
pub use heuristics::Heuristics;
pub use lost::{Loss, Lost, LostBlock};
pub use references::{Holder, Reference, references};
pub use roots::{Root, RootKind, roots};

use mark::{Marker, Tally};

/// What of a block is known to be held, in the terms of memcheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakKind {
    /// Nobody points at it.
    Definite,
    /// Only lost blocks point at it.
    Indirect,
    /// Some pointer leads into it, but none to its start.
    Possible,
    /// A chain of pointers to starts leads to it.
    Reachable,
}

impl LeakKind {
    /// All of them, the worst first.
    pub const ALL: [LeakKind; 4] =
        [LeakKind::Definite, LeakKind::Indirect, LeakKind::Possible, LeakKind::Reachable];

    /// The name in documents and arguments.
    pub fn key(self) -> &'static str {
        match self {
            LeakKind::Definite => "definite",
            LeakKind::Indirect => "indirect",
            LeakKind::Possible => "possible",
            LeakKind::Reachable => "reachable",
        }
    }
}

/// A number of blocks, and their usable bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// How many.
    pub blocks: u64,
    /// How much the program may use of them.
    pub bytes: Bytes,
}

impl Amount {
    /// Counts one more.
    pub fn add(&mut self, bytes: Bytes) {
        self.blocks += 1;
        self.bytes += bytes;
    }
}

impl From<Tally> for Amount {
    fn from(tally: Tally) -> Amount {
        Amount { blocks: tally.blocks, bytes: Bytes(tally.bytes) }
    }
}

/// Where pointers are looked for.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Memory, in place.
    pub pieces: &'a Pieces<'a>,
    /// Regions that know what they are for, in order of address.
    pub regions: &'a [Region],
    /// The threads, with their registers.
    pub threads: &'a [Thread],
    /// All blocks of all allocators.
    pub blocks: &'a Blocks,
    /// What belongs to allocators besides: their variables, headers and arenas.
    pub claimed: &'a [Range],
}

impl Scene<'_> {
    /// Everything outside of blocks that holds pointers.
    pub fn roots(&self) -> Vec<Root> {
        let is_zero = |page: Range| {
            let bytes = self.pieces.from(page.start);
            let size = usize::try_from(page.size().0).unwrap_or(usize::MAX);
            bytes.get(..size).is_none_or(|bytes| bytes.iter().all(|&byte| byte == 0))
        };
        let mut roots = roots(self.regions, self.threads, self.blocks, self.claimed, &is_zero);
        loader_tables(self, &mut roots);
        loader_maps(self, &mut roots);
        roots
    }
}

/// How pointers are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Pointers into a block that count as pointers to its start.
    pub heuristics: Heuristics,
    /// Pointers may carry marks in their three lowest bits.
    pub tagged: bool,
    /// How many threads look at once.
    pub workers: usize,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { heuristics: Heuristics::ALL, tagged: false, workers: 1 }
    }
}

/// What came of following all pointers.
#[derive(Debug, Default)]
pub struct Reachability {
    /// The roots, and what was found first through each, in their order: what several hold counts for the first.
    pub holders: Vec<(Root, Amount)>,
    /// Blocks that a chain of pointers to starts leads to.
    pub reachable: Amount,
    /// Blocks that only pointers into blocks lead to, or to what such a block holds.
    pub possible: Amount,
    /// The blocks of these, in order of address.
    pub possible_blocks: Vec<BlockId>,
    /// Blocks that nothing leads to.
    pub lost: Lost,
    /// Somebody stopped the search: what was not reached by then is no leak.
    pub interrupted: bool,
}

impl Reachability {
    /// Follows all pointers from the roots.
    ///
    /// `scanned` is told from time to time how many more bytes have been looked at.
    pub fn of(
        scene: &Scene<'_>,
        rules: Rules,
        scanned: &(dyn Fn(u64) -> ControlFlow<()> + Sync),
    ) -> Reachability {
        let roots = scene.roots();
        let tables = constants(scene.regions);
        let mut marker = Marker::new(scene.pieces, scene.blocks, &tables, scanned);
        marker.heuristics = rules.heuristics;
        marker.tagged = rules.tagged;
        let mut result = Reachability::default();
        for root in roots {
            let tally = marker.reach(&root.ranges, &root.words, &root.certain, rules.workers);
            result.reachable.blocks += tally.blocks;
            result.reachable.bytes += Bytes(tally.bytes);
            result.holders.push((root, tally.into()));
        }
        result.interrupted = scanned(0).is_break();
        if result.interrupted {
            return result;
        }
        let before = marker.found.copy();
        result.possible = marker.reach_inside(rules.workers).into();
        if result.possible.blocks > 0 {
            result.possible_blocks = marker.found.beyond(&before).collect();
        }
        drop(before);
        let lost: Vec<BlockId> =
            scene.blocks.live().map(|block| block.id).filter(|&id| !marker.found.get(id)).collect();
        result.lost = lost::sort_out(scene.pieces, scene.blocks, &lost, rules.tagged);
        result
    }

    /// How much is of a kind.
    pub fn total(&self, kind: LeakKind, blocks: &Blocks) -> Amount {
        let mut amount = Amount::default();
        match kind {
            LeakKind::Reachable => return self.reachable,
            LeakKind::Possible => return self.possible,
            LeakKind::Definite | LeakKind::Indirect => {
                let wanted = kind == LeakKind::Definite;
                for lost in self.lost.blocks.iter().filter(|lost| lost.is_definite == wanted) {
                    amount.add(blocks.block(lost.id).size());
                }
            }
        }
        amount
    }
}

/// A thread's table of its modules' storage is held by a pointer to its second entry.
///
/// Source: glibc, `nptl/allocatestack.c` and `dtv_t`: the control block's second word is the address of `dtv[1]`.
fn loader_tables(scene: &Scene<'_>, roots: &mut [Root]) {
    for thread in scene.threads {
        let Some(block) = thread.thread_pointer else { continue };
        let Some(table) = scene.pieces.word(Address(block.0.wrapping_add(8))) else { continue };
        // Neighbouring stacks may be one root, told by the first of their threads.
        let holder = roots.iter_mut().find(|root| root.ranges.iter().any(|range| range.contains(block)));
        if let (Some(holder), Some(start)) = (holder, table.checked_sub(16)) {
            holder.certain.extend(
                scene.blocks.at(Address(start)).filter(|found| found.range.start.0 == start).map(|_| start),
            );
        }
    }
}

/// The loader's list of what is loaded stands in a block from an edge of a cache line on, and its second word says where that
/// block starts, to free it.
///
/// Source: glibc 2.35 and later, `elf/dl-find_object.c`, `struct dlfo_mappings_segment`.
fn loader_maps(scene: &Scene<'_>, roots: &mut [Root]) {
    let is_loader = |root: &&mut Root| {
        let file = root.name.as_deref().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
        root.kind == RootKind::Module && file.starts_with("ld")
    };
    for root in roots.iter_mut().filter(is_loader) {
        let words = root.ranges.iter().flat_map(|&range| scene.pieces.within(range));
        let words = words.flat_map(|(_, bytes)| bytes.chunks_exact(8));
        let held = words.filter_map(|word| {
            let segment = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            let block = scene.blocks.at(Address(segment)).filter(|block| block.live)?;
            let start = scene.pieces.word(Address(segment.checked_add(8)?))?;
            (start == block.range.start.0 && segment - start < CACHE_LINE).then_some(start)
        });
        root.certain.extend(held);
    }
}

/// The largest that any processor has.
const CACHE_LINE: u64 = 256;
