use std::time::Duration;

use super::{Point, StackId};
use crate::Bytes;

/// From whom memory was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AllocationKind {
    /// An allocator: `malloc` and its family, `operator new`.
    #[default]
    Heap,
    /// The kernel, by `mmap`: the program itself did, not its allocator.
    Mapping,
    /// The kernel, by moving the break.
    Break,
}

/// What one call path allocated. Counts and bytes are estimates where the recording was sampled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackSums {
    /// Who asked.
    pub stack: StackId,
    /// Whom.
    pub kind: AllocationKind,
    /// How often a block was asked for and given.
    pub allocations: u64,
    /// How many of these are gone.
    pub frees: u64,
    /// How many of the allocations were `realloc` of a block that stood.
    pub reallocations: u64,
    /// The bytes that were asked for, in all.
    pub allocated: Bytes,
    /// What the allocator gave for them: at least as much.
    pub usable: Bytes,
    /// Blocks that stood at the end.
    pub live_blocks: u64,
    /// Their bytes, as asked for.
    pub live: Bytes,
    /// How many of these nobody could reach any more when the program ended; None when nobody looked.
    pub lost_blocks: Option<u64>,
    /// Their bytes; None when nobody looked.
    pub lost: Option<Bytes>,
    /// The most bytes that ever stood at once.
    pub peak: Bytes,
    /// When that was first so, since the start.
    pub peak_at: Duration,
    /// The bytes that stood when the whole program held most.
    pub at_peak: Bytes,
    /// The blocks that stood then.
    pub at_peak_blocks: u64,
    /// Blocks whose free was the next thing that their thread asked of the allocator.
    pub temporary: u64,
    /// Blocks that were freed within [`Totals::short_lived_below`].
    pub short_lived: u64,
    /// Blocks asked for with more alignment than every block has, and the most that was asked for.
    pub aligned: u64,
    /// See `aligned`; 0 when there are none.
    pub largest_alignment: u64,
    /// The smallest block asked for.
    pub smallest: Bytes,
    /// The largest.
    pub largest: Bytes,
    /// Sizes asked for, in bytes.
    pub sizes: Histogram,
    /// How long freed blocks lived, in microseconds.
    pub lifetimes: Histogram,
    /// How old the blocks were that stood at the end.
    pub ages: Ages,
    /// How many threads allocated here; where they were many, at least so many.
    pub threads: u32,
    /// Variances of the estimates of allocations and of allocated and live bytes; 0 when every allocation was recorded.
    pub variance: [f64; 3],
    /// How it went over time: slots of the [timeline](super::Timeline) in which something changed, in order.
    pub points: Vec<Point>,
}

/// Counts by powers of two: entry 0 counts zeros, entry n what is at least 2^(n-1) and less than 2^n. What is missing
/// at the end is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(pub Vec<u64>);

impl Histogram {
    /// The entry that counts a value.
    pub const fn entry(value: u64) -> usize {
        (u64::BITS - value.leading_zeros()) as usize
    }

    /// The values that an entry counts: the least, and the first that is too much; None beyond all.
    pub const fn span(entry: usize) -> (u64, Option<u64>) {
        match entry {
            0 => (0, Some(1)),
            64.. => (1 << 63, None),
            _ => (1 << (entry - 1), Some(1 << entry)),
        }
    }

    /// All that was counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Blocks that stood at the end by their age, the youngest first: `(age at least, blocks, bytes)`. The steps are fine, an
/// eighth of the age, so that a limit of age may be chosen afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ages(pub Vec<(Duration, u64, Bytes)>);

impl Ages {
    /// How many blocks are certainly as old as that, and their bytes.
    pub fn older_than(&self, age: Duration) -> (u64, Bytes) {
        let old = self.0.iter().filter(|(least, ..)| *least >= age);
        old.fold((0, Bytes::ZERO), |(blocks, bytes), (_, more, size)| (blocks + more, bytes + *size))
    }
}

/// The sums of a whole recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blocks given by allocators. Estimates where the recording was sampled, as are the sums below.
    pub allocations: u64,
    /// Blocks that went back.
    pub frees: u64,
    /// The bytes that were asked for.
    pub allocated: Bytes,
    /// Blocks that stood at the end.
    pub live_blocks: u64,
    /// Their bytes.
    pub live: Bytes,
    /// The most bytes that stood at once.
    pub peak: Bytes,
    /// When that was, since the start.
    pub peak_at: Duration,
    /// Blocks that were freed by the next call of their thread.
    pub temporary: u64,
    /// The same for mappings that the program made itself: those that stand, and the most that stood.
    pub mapped: Bytes,
    /// See `mapped`.
    pub mapped_peak: Bytes,
    /// What is called short-lived.
    pub short_lived_below: Duration,
    /// What the recorder really wrote and the collector read, of all kinds.
    pub events: u64,
    /// Events that were lost: sums are wrong by so many.
    pub dropped: u64,
    /// Frees of blocks that were not known: from before the recording, from before a fork.
    pub unknown_frees: u64,
    /// Stacks that could not be followed to their end.
    pub cut_stacks: u64,
    /// Threads that were seen.
    pub threads: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_within_the_span_of_its_entry() {
        for value in [0, 1, 2, 3, 4, 7, 8, 1000, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            let (least, beyond) = Histogram::span(Histogram::entry(value));
            assert!(least <= value && beyond.is_none_or(|beyond| value < beyond), "{value}");
        }
    }

    #[test]
    fn what_may_be_younger_than_a_limit_is_not_older() {
        let ages = Ages(vec![
            (Duration::from_secs(1), 5, Bytes(50)),
            (Duration::from_secs(10), 2, Bytes(20)),
            (Duration::from_secs(11), 1, Bytes(10)),
        ]);

        assert_eq!(ages.older_than(Duration::from_secs(10)), (3, Bytes(30)));
        assert_eq!(ages.older_than(Duration::from_millis(10_500)), (1, Bytes(10)));
    }
}
