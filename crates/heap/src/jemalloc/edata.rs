//! `edata_t`: what jemalloc knows of a row of pages. Source: jemalloc 5.3.0 `edata.h`.

use residue_model::{Address, Range};

use super::layout::PAGE;

/// The groups of a slab's bitmap.
pub(super) const GROUPS: usize = 8;

/// A row of pages with one purpose.
#[derive(Clone, Debug)]
pub(super) struct Edata {
    pub(super) pages: Range,
    /// Where its block begins, when it has but one: not always at its first page's first byte, so that blocks of many
    /// pages do not all share the same cache lines.
    pub(super) address: u64,
    pub(super) arena: u64,
    pub(super) is_slab: bool,
    pub(super) state: State,
    /// The size class of its blocks.
    pub(super) class: u64,
    /// How many of its blocks are free, when it is a slab.
    pub(super) free: u64,
    /// A bit for each block of a slab, set where it is free.
    pub(super) bitmap: [u64; GROUPS],
}

/// What is done with pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Blocks are cut from them.
    Active,
    /// Free, and still with memory behind them. What is being moved from one state to the other counts as this, and so
    /// does what the cache before the huge page allocator keeps: it is marked as active, and of no size.
    Dirty,
    /// Free, and the system may take their memory.
    Muzzy,
    /// Free, and only address space.
    Retained,
}

impl Edata {
    /// Reads one, where there are so many size classes; nothing when it cannot be one.
    pub(super) fn read(bytes: &[u8], classes: u64) -> Option<Edata> {
        let [bits, address, size, _, _, _, _, _, bitmap @ ..] = super::words::<16>(bytes)?;
        let field = |shift: u32, width: u32| bits >> shift & ((1 << width) - 1);
        let state = match field(17, 3) {
            0 if field(20, 8) < classes => State::Active,
            0 | 1 | 4 | 5 => State::Dirty,
            2 => State::Muzzy,
            3 => State::Retained,
            _ => return None,
        };
        let start = address / PAGE * PAGE;
        let end = start.checked_add(size / PAGE * PAGE)?;
        let pages = Range::new(Address(start), Address(end)).filter(|pages| pages.size().0 > 0)?;
        Some(Edata {
            pages,
            address,
            arena: field(0, 12),
            is_slab: field(12, 1) == 1,
            state,
            class: field(20, 8),
            free: field(28, 10),
            bitmap,
        })
    }
}
