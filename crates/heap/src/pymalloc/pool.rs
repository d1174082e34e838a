//! A pool: blocks of one size, and who of them is free.
//!
//! Source: Python 2.7 to 3.13 `Objects/obmalloc.c` and `Include/internal/pycore_obmalloc.h`, `struct pool_header`, as
//! 64-bit programs have it.

use residue_model::{Address, Range, Run};

use crate::Image;

/// The header before the first block.
pub(super) const HEADER: u64 = 48;

/// How the pools and arenas of one version are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Which versions.
    pub(super) versions: &'static str,
    /// Bytes of a pool, at multiples of which it begins.
    pub(super) pool: u64,
    /// Bytes of an arena.
    pub(super) arena: u64,
    /// Sizes of blocks are multiples of this.
    unit: u64,
}

/// The layouts that there are. Blocks have 512 bytes at most in all of them.
///
/// Late releases of 2.7 to 3.7 align blocks to 16 as 3.8 does; earlier ones to 8.
pub(super) const LAYOUTS: [Layout; 3] = [
    Layout { versions: "3.10 ... 3.13", pool: 16 << 10, arena: 1 << 20, unit: 16 },
    Layout { versions: "to 3.9", pool: 4 << 10, arena: 256 << 10, unit: 16 },
    Layout { versions: "to 3.9, blocks of multiples of 8", pool: 4 << 10, arena: 256 << 10, unit: 8 },
];
const LARGEST: u64 = 512;

/// A pool whose header agrees with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    /// Where it stands.
    pub(super) at: u64,
    /// Which arena it says it is part of.
    pub(super) arena: u32,
    /// How many blocks are handed out.
    pub(super) live: u64,
    /// Bytes of a block.
    pub(super) size: u64,
    /// How many blocks were handed out at least once.
    pub(super) carved: u64,
    /// How many fit.
    pub(super) capacity: u64,
    /// The first of the free ones.
    free: u64,
}

impl Pool {
    /// Reads the header of a pool, if one stands here.
    pub(super) fn read(at: u64, layout: Layout, image: &Image<'_>) -> Option<Pool> {
        if !at.is_multiple_of(layout.pool) {
            return None;
        }
        let half = |offset: u64| Some(u64::from(image.int(at + offset)?));
        let (class, offset, last) = (half(36)?, half(40)?, half(44)?);
        let size = (class + 1) * layout.unit;
        if size > LARGEST || last != layout.pool - size || !(HEADER + size..=layout.pool).contains(&offset) {
            return None;
        }
        let (live, free, arena) = (half(0)?, image.word(at + 8)?, image.int(at + 32)?);
        let carved = (offset - HEADER) / size;
        let capacity = (layout.pool - HEADER) / size;
        let pool = Pool { at, arena, live, size, carved, capacity, free };
        let sound = (offset - HEADER).is_multiple_of(size) && live <= carved;
        (sound && (free == 0 || pool.place(free).is_some())).then_some(pool)
    }

    /// Which of the carved blocks begins at an address.
    fn place(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(self.at + HEADER)?;
        let place = offset / self.size;
        (offset.is_multiple_of(self.size) && place < self.carved).then_some(place)
    }

    /// The blocks, with those of the free list taken out; and how many of them are live.
    pub(super) fn blocks(&self, image: &Image<'_>) -> (Run, u64) {
        let start = self.at + HEADER;
        let range = Range { start: Address(start), end: Address(start + self.carved * self.size) };
        let mut run = Run::slots(range, self.size, 0, self.size);
        (0..self.carved).for_each(|place| run.set_live(Address(start + place * self.size), true));
        let (mut free, mut count) = (self.free, 0);
        while self.place(free).is_some() && count < self.carved {
            run.set_live(Address(free), false);
            count += 1;
            free = image.word(free).unwrap_or_default();
        }
        (run, self.carved - count)
    }
}
