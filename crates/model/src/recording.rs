//! What a recorder saw of a program: who allocated, how much, when, and what was never freed.
//!
//! A recording holds sums, never events: it does not grow with the time that was watched.

mod calls;
mod program;
mod sums;
mod timeline;

pub use calls::{CallTree, Code, CodeId, Node, Place, RecordedModule, StackId};
pub use program::{End, Program, Sampling};
pub use sums::{Ages, AllocationKind, Histogram, StackSums, Totals};
pub use timeline::{Mark, MarkSums, Point, Timeline, Total};

use crate::Gap;

/// A program's allocations by call path, over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// What ran, when, and how it ended.
    pub program: Program,
    /// None when every allocation was recorded.
    pub sampling: Option<Sampling>,
    /// The images that code was in, also those that were unloaded meanwhile.
    pub modules: Vec<RecordedModule>,
    /// The call paths, and the code that they lead through.
    pub calls: CallTree,
    /// What each call path allocated. A path stands here once a kind.
    pub stacks: Vec<StackSums>,
    /// The whole program's memory over time.
    pub timeline: Timeline,
    /// What the program told of its own phases.
    pub marks: Vec<Mark>,
    /// The sums of all.
    pub totals: Totals,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}
