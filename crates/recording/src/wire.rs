//! The memory that recorder and collector share.

mod control;
mod event;
mod ring;
mod segment;
mod tree;

pub use control::{Control, FOLLOW_CHILDREN, LOOK_AT_END};
pub use event::{Event, Kind};
pub use ring::{CAPACITY, Ring, RingState};
pub use segment::{Header, Layout, ModuleRow, PROCESSES, ProcessSlot, ProcessState};
pub use tree::{INDEX_SLOTS, NODES, Node};

/// The form of all of this. Changes with any of it.
pub const VERSION: u32 = 1;
/// `RESIDUE` and a zero, as it stands in memory.
pub const MAGIC: u64 = u64::from_le_bytes(*b"RESIDUE\0");
/// The variable that names a session's folder to the recorders of a program and of its children.
pub const SESSION_VARIABLE: &str = "RESIDUE_SESSION";
/// The name of the control page within the folder of a session.
pub const CONTROL_FILE: &str = "control";
/// Segments begin so; the pid and a number follow: `image-4711-0`.
pub const SEGMENT_PREFIX: &str = "image-";
