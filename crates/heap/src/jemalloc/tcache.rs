//! Thread caches: blocks that were given back and that slabs still mark as taken.
//!
//! The slow half of each cache (`tcache_slow_t`) stands in a ring of its arena and points to the fast half, which points
//! back. A bin of the fast half is a stack of pointers that grows down; the stacks of all bins follow one another in one
//! block, with a pattern before the first and one behind the last, which tells how many bins there are. Caches that a
//! program made by `tcache.create` are the same. Source: jemalloc 5.3.0 `tcache.c`, `cache_bin.c`.

use std::collections::HashSet;

use residue_model::{Address, Range};

use super::arena::ArenaStructure;
use super::harm::Harm;
use super::layout::{
    CACHE_BIN, CACHE_BINS, PRECEDING_JUNK, Quantum, SLOW_ARENA, SLOW_DESCRIPTOR, TRAILING_JUNK,
};
use crate::Image;

/// Bins of one cache: up to blocks of 8 MiB.
const BINS: u64 = 80;

/// A thread cache.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    /// Its slow half.
    pub(super) slow: Range,
    /// Its fast half.
    pub(super) fast: Range,
    /// The block in which its stacks are.
    pub(super) stacks: u64,
    /// How many sizes it keeps.
    pub(super) bins: u64,
}

/// The slow halves of an arena's caches.
pub(super) fn ring(image: &Image<'_>, arena: &ArenaStructure, quantum: Quantum, harm: &mut Harm) -> Vec<u64> {
    let (first, descriptor) = arena.caches;
    let mut caches = Vec::new();
    if first == 0 && descriptor == 0 {
        return caches;
    }
    let mut seen = HashSet::new();
    let mut at = first;
    while seen.insert(at) {
        if !is_cache(image, arena, quantum, at) || descriptor != first.wrapping_add(SLOW_DESCRIPTOR) {
            harm.add(at, "the ring of an arena's thread caches leads to no thread cache", 0);
            return caches;
        }
        caches.push(at);
        at = image.word(at).unwrap_or_default();
    }
    if at != first {
        harm.add(at, "the ring of an arena's thread caches does not close", 0);
    }
    caches
}

fn is_cache(image: &Image<'_>, arena: &ArenaStructure, quantum: Quantum, slow: u64) -> bool {
    let word = |offset: u64| image.word(slow.checked_add(offset)?);
    let fast = word(quantum.slow_tcache());
    slow.is_multiple_of(8)
        && word(SLOW_ARENA) == Some(arena.address)
        && fast.and_then(|fast| image.word(fast)) == Some(slow)
}

impl Cache {
    /// Reads a cache and tells every block that it keeps, with its size class, until that is refused.
    pub(super) fn read(
        image: &Image<'_>,
        quantum: Quantum,
        slow: u64,
        harm: &mut Harm,
        mut each: impl FnMut(u64, u64) -> Result<(), &'static str>,
    ) -> Option<Cache> {
        let stacks = image.word(slow + quantum.slow_stacks())?;
        let fast = image.word(slow + quantum.slow_tcache())?;
        if image.word(stacks) != Some(PRECEDING_JUNK) {
            harm.add(slow, "a thread cache leads to no stacks", 0);
            return None;
        }
        let mut at = stacks.wrapping_add(8);
        let mut bins = 0;
        while image.word(at) != Some(TRAILING_JUNK) {
            let bin =
                fast.checked_add(CACHE_BINS + bins * CACHE_BIN).and_then(|bin| Bin::read(image, bin, at));
            let Some(bin) = bin.filter(|_| bins < BINS) else {
                harm.add(slow, "the stacks of a thread cache do not follow one another", 0);
                return None;
            };
            if let Err((place, what)) = bin.blocks(image, |block| each(block, bins)) {
                harm.add(place, what, 0);
            }
            at = bin.end;
            bins += 1;
        }
        let span = |start: u64, bytes: u64| Range {
            start: Address(start),
            end: Address(start.saturating_add(bytes)),
        };
        Some(Cache {
            slow: span(slow, quantum.slow_bytes()),
            fast: span(fast, CACHE_BINS + bins * CACHE_BIN),
            stacks,
            bins,
        })
    }
}

/// A stack: blocks lie from `head` to `end`, and from `start` to `full` where those that were just given back wait to be
/// looked at.
struct Bin {
    start: u64,
    full: u64,
    head: u64,
    end: u64,
}

impl Bin {
    /// Reads the bin whose stack begins at `start`. It holds the low 16 bits of the ends of its stack.
    fn read(image: &Image<'_>, bin: u64, start: u64) -> Option<Bin> {
        let (head, bits) = (image.word(bin)?, image.word(bin.checked_add(16)?)?);
        let reach = |low: u64| start.checked_add(low.wrapping_sub(start) & 0xffff);
        let (full, end) = (reach(bits >> 16 & 0xffff)?, reach(bits >> 32 & 0xffff)?);
        let fits = full <= head && head <= end && head.is_multiple_of(8) && end.is_multiple_of(8);
        fits.then_some(Bin { start, full, head, end })
    }

    fn blocks(
        &self,
        image: &Image<'_>,
        mut each: impl FnMut(u64) -> Result<(), &'static str>,
    ) -> Result<(), (u64, &'static str)> {
        let stashed = (self.start..self.full).step_by(8);
        for place in stashed.chain((self.head..self.end).step_by(8)) {
            let block = image.word(place).ok_or((place, "the stack of a thread cache cannot be read"))?;
            each(block).map_err(|what| (place, what))?;
        }
        Ok(())
    }
}
