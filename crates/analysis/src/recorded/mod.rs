//! What a recording tells: where the program asked for memory, how that went over time, and what to think of it.

mod flame;
mod frame;
mod known;
mod measure;
mod name;
mod paths;
mod skip;

pub use flame::{Flame, FlameNode};
pub use frame::Frame;
pub use measure::Measure;
pub use paths::{FrameId, PathId, Paths};
pub use skip::Skip;
