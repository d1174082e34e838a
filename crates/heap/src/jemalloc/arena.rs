//! `arena_t`: where its thread caches begin, and what it counts.
//!
//! It holds the number of its base and a pointer to it, side by side behind all that may differ between builds; that
//! both are right tells that the offsets are those of this layout. Source: jemalloc 5.3.0 `arena_structs.h`,
//! `arena_stats.h`, `bin.h`; the offsets are the same with a quantum of 8 and of 16, with and without profiling.

use residue_model::Range;

use super::base::Base;
use super::bins::Bin;
use super::layout::{PAGE, Quantum};
use crate::Image;

const INTERNAL: u64 = 0x38;
const LARGE_STAT_FIRST: u64 = 0x3d0;
const LARGE_STATS: u64 = 196;
const LARGE_STAT: u64 = 48;
const CACHES: u64 = 0x2898;
const ACTIVE_PAGES: u64 = 0x29a0;
const NUMBER: u64 = 0x13450;
const BASE: u64 = 0x13458;
const BINS: u64 = 0x13468;
const BIN: u64 = 224;
const BIN_REGIONS: u64 = 0x88;

/// Arenas stand on cache lines of their own.
const CACHE_LINE: u64 = 64;

/// An arena, and what it says of itself.
#[derive(Clone, Debug)]
pub(super) struct ArenaStructure {
    pub(super) address: u64,
    /// The first of its thread caches, with the first of the descriptors that stand in them.
    pub(super) caches: (u64, u64),
    /// Pages that are not free.
    pub(super) active_bytes: u64,
    /// Blocks outside of slabs' free places, by their usable sizes; what thread caches keep counts.
    /// Not known without the number of its bins.
    pub(super) allocated: Option<u64>,
    /// Of these, what jemalloc took for itself.
    pub(super) internal: u64,
}

impl ArenaStructure {
    /// The arena of a base: it stands in one of its blocks.
    pub(super) fn find(
        image: &Image<'_>,
        base: &Base,
        quantum: Quantum,
        bins: Option<&[Bin]>,
    ) -> Option<ArenaStructure> {
        base.blocks.iter().rev().find_map(|block| {
            let range = Range { start: block.range.start, end: block.used };
            image.pieces.within(range).find_map(|(start, bytes)| {
                let (words, _) = bytes.as_chunks::<8>();
                let hits = words.iter().enumerate().filter(|(_, word)| **word == base.address.to_le_bytes());
                let places = hits.filter_map(|(index, _)| (start.0 + index as u64 * 8).checked_sub(BASE));
                let arenas = places.filter(|at| is_arena(image, base, block.range, *at));
                arenas.map(|at| ArenaStructure::read(image, at, quantum, bins)).next()
            })
        })
    }

    fn read(image: &Image<'_>, address: u64, quantum: Quantum, bins: Option<&[Bin]>) -> ArenaStructure {
        // What was never counted was never written, and its page may not be held.
        let word = |offset: u64| image.word(address.wrapping_add(offset)).unwrap_or_default();
        ArenaStructure {
            address,
            caches: (word(CACHES), word(CACHES + 8)),
            active_bytes: word(ACTIVE_PAGES).saturating_mul(PAGE),
            allocated: bins.map(|bins| allocated(word, quantum, bins)),
            internal: word(INTERNAL),
        }
    }
}

fn is_arena(image: &Image<'_>, base: &Base, block: Range, at: u64) -> bool {
    at.is_multiple_of(CACHE_LINE)
        && at > block.start.0
        && image.int(at.wrapping_add(NUMBER)).map(u64::from) == Some(base.arena)
}

/// What an arena gave out: of slabs the count of each bin, of large blocks what came and went.
fn allocated(word: impl Fn(u64) -> u64, quantum: Quantum, bins: &[Bin]) -> u64 {
    let sizes = quantum.sizes();
    let mut sum = 0_u64;
    let mut at = BINS;
    for (bin, &size) in bins.iter().zip(&sizes) {
        for _ in 0..bin.shards {
            sum = sum.wrapping_add(word(at + BIN_REGIONS).wrapping_mul(size));
            at += BIN;
        }
    }
    for (index, &size) in (0_u64..LARGE_STATS).zip(sizes.iter().skip(bins.len())) {
        let stat = LARGE_STAT_FIRST + index * LARGE_STAT;
        let count = word(stat).wrapping_sub(word(stat + 8));
        sum = sum.wrapping_add(count.wrapping_mul(size));
    }
    sum
}
