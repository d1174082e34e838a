//! What the heaps of a process hold: by size, by type, and what keeps free memory from going back to the system.

mod pins;
mod sizes;

use residue_model::{Bytes, Heap};
use serde::Serialize;

pub use pins::{Pin, Pins};
pub use sizes::{SizeRow, TypeRow, Types as TypeSums, sizes, types};

/// Why the memory of a heap is as large as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeapState {
    /// The program has most of it: whether that is a leak, who points at it tells.
    Live,
    /// Much is free and could go back, but nobody asked.
    Kept,
    /// Much is free, in pages that a few live blocks keep.
    Fragmented,
}

/// Live, free and returnable memory of some heaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapSums {
    /// From the system.
    pub system: Bytes,
    /// The program has it.
    pub live: Bytes,
    /// Blocks that the program has.
    pub live_blocks: u64,
    /// Free, caches and tops counted.
    pub free: Bytes,
    /// Of that, what `malloc_trim` would give back.
    pub trim_gain: Bytes,
    /// The allocators' own: headers, maps, caches.
    pub own: Bytes,
}

impl HeapSums {
    /// Sums the arenas of heaps.
    pub fn of(heaps: &[Heap]) -> HeapSums {
        let mut sums = HeapSums::default();
        for arena in heaps.iter().flat_map(|heap| &heap.arenas) {
            sums.system += arena.system_bytes;
            sums.live += arena.live_bytes;
            sums.live_blocks += arena.live_blocks;
            sums.free += arena.free_bytes + arena.cached_bytes + arena.top_bytes;
            sums.trim_gain += arena.trim_gain;
            sums.own += arena.own_bytes;
        }
        sums
    }

    /// Leak or fragmentation? A third of the heap free, and a megabyte at least, is worth a word.
    pub fn state(&self) -> HeapState {
        let is_much = self.free.0 >= self.system.0 / 3 && self.free >= Bytes::mib(1);
        match is_much {
            false => HeapState::Live,
            true if self.trim_gain.0 >= self.free.0 / 2 => HeapState::Kept,
            true => HeapState::Fragmented,
        }
    }
}

#[cfg(test)]
mod tests;
