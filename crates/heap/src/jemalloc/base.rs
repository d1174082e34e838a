//! Where jemalloc keeps its own structures: blocks of whole huge pages, which nothing of the program shares.
//!
//! A block begins with its size, the next block of the same arena and the extent of what is left of it. That the extent
//! ends exactly where the block does tells one from any other memory. Source: jemalloc 5.3.0 `base.h`, `base.c`.

use residue_model::{Address, Pieces, Range};

use super::layout::{BASE, BASE_BLOCKS, HUGE_PAGE, Quantum};
use crate::Image;

/// A block of a base.
#[derive(Clone, Copy, Debug)]
pub(super) struct BaseBlock {
    pub(super) range: Range,
    /// Up to here it is used.
    pub(super) used: Address,
    next: u64,
}

/// What the memory of a target says about jemalloc's own memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Bases {
    /// In order of address.
    blocks: Vec<BaseBlock>,
    /// The `base_t` of each arena, the first one first.
    pub(super) all: Vec<Base>,
    pub(super) quantum: Option<Quantum>,
    /// Two arenas have one number: jemalloc is there more than once.
    pub(super) is_doubled: bool,
    /// A block as another version would write it.
    pub(super) foreign: Option<Address>,
}

/// A `base_t`.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) address: u64,
    /// The number of its arena.
    pub(super) arena: u64,
    /// Its blocks, that of the `base_t` last.
    pub(super) blocks: Vec<BaseBlock>,
    /// How much it says that it mapped.
    pub(super) mapped: u64,
}

/// What the header of a block says.
enum Header {
    Known(BaseBlock, Quantum),
    Foreign,
}

impl Bases {
    pub(super) fn find(image: &Image<'_>) -> Bases {
        let mut found = Bases::default();
        // Advice on some of its pages parts a block into several regions.
        for stretch in super::ranges::merge(image.anonymous().map(|region| region.range)) {
            let mut done = 0;
            for (start, bytes) in image.pieces.within(stretch) {
                let first = done.max(start.0).checked_next_multiple_of(HUGE_PAGE);
                let last = start.0.saturating_add(bytes.len() as u64);
                done = found.look_through(image.pieces, first.unwrap_or(last)..last, stretch.end.0);
            }
        }
        found.all = found.bases(image);
        let count = found.all.len();
        found.all.dedup_by_key(|base| base.arena);
        found.is_doubled = found.all.len() < count;
        found
    }

    /// Looks at every place of a piece where a block could begin, and says up to where what it found reaches.
    fn look_through(&mut self, pieces: &Pieces<'_>, places: std::ops::Range<u64>, end: u64) -> u64 {
        let mut at = places.start;
        while at < places.end {
            at = at.saturating_add(self.look(pieces, at, end));
        }
        at
    }

    /// Looks at one place where a block could begin, and says how far on the next such place is.
    fn look(&mut self, pieces: &Pieces<'_>, at: u64, end: u64) -> u64 {
        match header(pieces, at, end) {
            Some(Header::Known(block, quantum)) if self.quantum.is_none_or(|known| known == quantum) => {
                self.quantum = Some(quantum);
                self.blocks.push(block);
                return block.range.size().0;
            }
            Some(_) => self.foreign = self.foreign.or(Some(Address(at))),
            None => {}
        }
        HUGE_PAGE
    }

    /// The bases: each stands in the block that has no next.
    fn bases(&self, image: &Image<'_>) -> Vec<Base> {
        let last = self.blocks.iter().filter(|block| block.next == 0);
        let mut bases: Vec<Base> = last.filter_map(|block| self.base(image, block)).collect();
        bases.sort_by_key(|base| (base.arena, base.address));
        bases
    }

    fn base(&self, image: &Image<'_>, last: &BaseBlock) -> Option<Base> {
        let address = last.range.start.0 + BASE;
        let arena = u64::from(image.int(address)?);
        let mut blocks = Vec::new();
        let mut at = image.word(address + BASE_BLOCKS)?;
        while at != 0 && blocks.len() < self.blocks.len() {
            let block = self.block(at).filter(|block| block.range.start.0 == at)?;
            blocks.push(*block);
            at = block.next;
        }
        let mapped = image.word(address + self.quantum?.base_mapped())?;
        let is_whole = at == 0 && blocks.last()?.range == last.range && arena < 0xfff;
        is_whole.then_some(Base { address, arena, blocks, mapped })
    }

    /// The block that an address lies in.
    pub(super) fn block(&self, address: u64) -> Option<&BaseBlock> {
        let index = self.blocks.partition_point(|block| block.range.end.0 <= address);
        self.blocks.get(index).filter(|block| block.range.contains(Address(address)))
    }

    /// Whether so many bytes lie in what is used of a block.
    pub(super) fn holds(&self, address: u64, bytes: u64) -> bool {
        let end = address.checked_add(bytes);
        self.block(address).is_some_and(|block| end.is_some_and(|end| end <= block.used.0))
    }

    pub(super) fn blocks(&self) -> &[BaseBlock] {
        &self.blocks
    }
}

/// Reads the header of a block.
///
/// The extent in it belongs to no arena (all bits of the number set), is committed, zeroed and of no size class: these
/// bits are the same in every block, and tell the version apart: 5.2 had other fields between.
fn header(pieces: &Pieces<'_>, at: u64, end: u64) -> Option<Header> {
    const COMMITTED: u64 = 1 << 13;
    const ZEROED: u64 = 1 << 15;
    let bytes = pieces.bytes(Address(at), 40)?;
    let [size, next, bits, free, left] = super::words(bytes)?;
    let range = Range::new(Address(at), Address(at.checked_add(size)?))?;
    let fits = size >= HUGE_PAGE
        && size.is_multiple_of(HUGE_PAGE)
        && range.end.0 <= end
        && next.is_multiple_of(HUGE_PAGE)
        && bits & 0xfff == 0xfff
        && (at + BASE..=range.end.0).contains(&free)
        && free.checked_add(left) == Some(range.end.0);
    if !fits {
        return None;
    }
    let known = Quantum::of_classes(bits >> 20).filter(|_| bits & 0xff000 == COMMITTED | ZEROED);
    Some(match known {
        Some(quantum) => Header::Known(BaseBlock { range, used: Address(free), next }, quantum),
        None => Header::Foreign,
    })
}
