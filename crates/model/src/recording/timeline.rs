use std::time::Duration;

use super::{AllocationKind, StackId};
use crate::Bytes;

/// The time of a recording, cut into equal slots. There are at most some hundreds: when they run out, each two become one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// How long a slot is; zero when there are none.
    pub slot: Duration,
    /// The whole program at the end of each slot, from the first on, each slot once. The last one may be cut short.
    pub totals: Vec<Total>,
}

/// The whole program at the end of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Bytes that stood, as asked for.
    pub live: Bytes,
    /// Blocks that stood.
    pub live_blocks: u64,
    /// The most bytes that stood in this slot.
    pub peak: Bytes,
    /// Bytes that were asked for in this slot.
    pub allocated: Bytes,
    /// Allocations in this slot.
    pub allocations: u64,
    /// The memory that the process held, where it was read.
    pub rss: Option<Bytes>,
}

/// A call path at the end of a slot in which something changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// The slot, counted from 0.
    pub slot: u16,
    /// Bytes that stood at its end.
    pub live: Bytes,
    /// Blocks that stood at its end.
    pub live_blocks: u64,
    /// Bytes asked for in it.
    pub allocated: Bytes,
    /// Allocations in it.
    pub allocations: u64,
}

/// A phase that the program named, all its occurrences together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// As the program calls it.
    pub name: String,
    /// How often it began.
    pub begun: u64,
    /// How often it ended.
    pub ended: u64,
    /// The time between, in all.
    pub time: Duration,
    /// What was allocated in it, by the same threads, and not freed in it. Only paths that allocated or freed.
    pub stacks: Vec<MarkSums>,
}

/// What a call path did within a mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkSums {
    /// Who.
    pub stack: StackId,
    /// From whom.
    pub kind: AllocationKind,
    /// Allocations within the mark.
    pub allocations: u64,
    /// Their bytes.
    pub allocated: Bytes,
    /// Blocks allocated within, less blocks of this path freed within.
    pub net_blocks: i64,
    /// The same in bytes.
    pub net: i64,
}
