//! An extent that blocks are cut from, and which of them are live.

use residue_model::{Address, Range, Run};

use super::edata::{Edata, GROUPS};
use super::harm::Harm;
use super::layout::LARGE;

/// Pages that hold blocks of one size: many in a slab, one in any other.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub(super) pages: Range,
    /// Where its first block begins.
    first: u64,
    /// The usable bytes of a block.
    pub(super) size: u64,
    pub(super) class: u64,
    pub(super) count: u64,
    pub(super) arena: u64,
    pub(super) is_slab: bool,
    /// How many of its blocks nobody holds, not even a thread cache.
    pub(super) free: u64,
    live: [u64; GROUPS],
}

impl Extent {
    /// The blocks of an extent that is in use; nothing when none can be cut from it.
    pub(super) fn of(edata: &Edata, sizes: &[u64], harm: &mut Harm) -> Option<Extent> {
        let size = usize::try_from(edata.class).ok().and_then(|class| sizes.get(class).copied())?;
        let count = if edata.is_slab { edata.pages.size().0 / size } else { 1 };
        let first = if edata.is_slab { edata.pages.start.0 } else { edata.address };
        let most = GROUPS as u64 * 64;
        let end = first.checked_add(size.checked_mul(count)?)?;
        if count == 0 || count > most || end > edata.pages.end.0 {
            harm.add(edata.pages.start.0, "an extent is too small for its blocks", edata.pages.size().0);
            return None;
        }
        let free = if edata.is_slab { freed(edata, count, size, harm) } else { [0; GROUPS] };
        let mut live = mask(count);
        live.iter_mut().zip(free).for_each(|(live, free)| *live &= !free);
        let taken: u64 = live.iter().map(|word| u64::from(word.count_ones())).sum();
        Some(Extent {
            pages: edata.pages,
            first,
            size,
            class: edata.class,
            count,
            arena: edata.arena,
            is_slab: edata.is_slab,
            free: count - taken,
            live,
        })
    }

    /// Says that a block of a size class is not live any more.
    ///
    /// # Errors
    /// Why it cannot be so.
    pub(super) fn take(&mut self, block: u64, class: u64) -> Result<(), &'static str> {
        let index = self.index(block).filter(|_| class == self.class);
        let index = index.ok_or("a thread cache keeps what is no block of its size")?;
        self.clear(index).ok_or("a block that a thread cache keeps is free already")
    }

    /// Says that the block that begins here is not the program's; whether it was live.
    pub(super) fn own(&mut self, block: u64) -> bool {
        self.index(block).and_then(|index| self.clear(index)).is_some()
    }

    fn clear(&mut self, index: usize) -> Option<()> {
        let (word, bit) = (self.live.get_mut(index / 64)?, 1 << (index % 64));
        let was_live = *word & bit != 0;
        *word &= !bit;
        was_live.then_some(())
    }

    fn index(&self, block: u64) -> Option<usize> {
        let offset = block.checked_sub(self.first)?;
        let index = offset / self.size;
        (offset.is_multiple_of(self.size) && index < self.count).then_some(())?;
        usize::try_from(index).ok()
    }

    /// How many blocks are live.
    pub(super) fn live(&self) -> u64 {
        self.live.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// What a block costs: in a slab its size, otherwise all pages.
    pub(super) fn cost(&self) -> u64 {
        if self.is_slab { self.size } else { self.pages.size().0 }
    }

    /// What jemalloc counts for a block: a small one that its profiler watches has pages for itself, and counts as the
    /// smallest large one.
    pub(super) fn counted(&self) -> u64 {
        if self.is_slab { self.size } else { self.size.max(LARGE) }
    }

    /// What is left of its pages behind the last block of a slab.
    pub(super) fn rest(&self) -> u64 {
        self.pages.size().0.saturating_sub(self.cost().saturating_mul(self.count))
    }

    /// The bytes of the block that begins here.
    pub(super) fn block_at(&self, start: u64) -> Range {
        Range { start: Address(start), end: Address(start.saturating_add(self.size)) }
    }

    /// As a run of blocks.
    pub(super) fn run(&self) -> Run {
        let stride = if self.is_slab { self.size } else { self.pages.size().0 };
        let head = if self.is_slab { 0 } else { self.first - self.pages.start.0 };
        let mut run = Run::slots(self.pages, stride, head, self.size);
        for (group, word) in (0_u64..).zip(self.live) {
            let mut rest = word;
            while rest != 0 {
                let index = group * 64 + u64::from(rest.trailing_zeros());
                run.set_live(Address(self.pages.start.0 + index * stride), true);
                rest &= rest - 1;
            }
        }
        run
    }
}

/// Bits for so many blocks.
fn mask(count: u64) -> [u64; GROUPS] {
    std::array::from_fn(|group| match count.saturating_sub(group as u64 * 64) {
        left @ 0..64 => (1 << left) - 1,
        _ => u64::MAX,
    })
}

/// Which blocks of a slab are free. What stands in groups behind the last block is left from another use of the
/// structure; in the last group itself it is cleared.
fn freed(edata: &Edata, count: u64, size: u64, harm: &mut Harm) -> [u64; GROUPS] {
    let used = mask(count);
    let mut free = edata.bitmap;
    let mut beyond = 0;
    for (word, used) in free.iter_mut().zip(used).filter(|(_, used)| *used != 0) {
        beyond |= *word & !used;
    }
    free.iter_mut().zip(used).for_each(|(word, used)| *word &= used);
    let counted: u64 = free.iter().map(|word| u64::from(word.count_ones())).sum();
    let apart = counted.abs_diff(edata.free);
    if apart != 0 || beyond != 0 {
        harm.add(
            edata.pages.start.0,
            "a slab's bitmap and its count of free blocks disagree",
            apart.max(1) * size,
        );
    }
    free
}
