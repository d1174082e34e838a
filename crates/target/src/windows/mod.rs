//! What Windows says of a process, wherever it was asked: live, in a minidump, in a recording.
//!
//! Everything here takes what the calls of Windows gave as plain values, and runs on every OS.

mod counted;
mod observation;
mod process_list;
mod program;
mod queried;
mod recording;
mod selfcheck;

pub use counted::Counted;
pub use observation::{Observation, Observed, Piece, System};
pub use process_list::{Listed, process_list};
pub(crate) use program::space;
pub use queried::Queried;
pub(crate) use queried::{loaded, module_at, regions};
pub use recording::Recorded;
pub(crate) use recording::is_recording;
pub use selfcheck::{Check, Outcome, Selfcheck, Who, checks, follows};
