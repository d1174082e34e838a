use core::sync::atomic::{AtomicU32, AtomicU64};

/// A bit of [`Control::flags`]: children by `fork` and `exec` are recorded too.
pub const FOLLOW_CHILDREN: u32 = 1;

/// A bit of [`Control::flags`]: a process that ends by itself waits, a short time, for its memory to be looked at.
pub const LOOK_AT_END: u32 = 2;

/// What the collector tells all recorders of a session. A page; made by the collector before the first program starts.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Control {
    /// [`MAGIC`](super::MAGIC).
    pub magic: AtomicU64,
    /// [`VERSION`](super::VERSION).
    pub version: AtomicU32,
    /// Bits that say what is to be recorded.
    pub flags: AtomicU32,
    /// Bytes from one sampled byte to the next in the mean; 0: record every allocation.
    pub sample_interval: AtomicU64,
    /// So many frames of a stack are kept, the innermost.
    pub most_frames: AtomicU32,
    /// Not 0: the recording has ended. Recorders pass every call on and write nothing more.
    pub stopped: AtomicU32,
    /// Goes up with every round of the collector, at least ten times a second while it lives.
    pub heartbeat: AtomicU64,
    /// A futex: a recorder adds one and wakes it when a ring is half full while `asleep` is not 0, or when a segment, process
    /// or mapping is new.
    pub doorbell: AtomicU32,
    /// Not 0 while the collector waits at the doorbell.
    pub asleep: AtomicU32,
    /// How many segments were made so far.
    pub segments: AtomicU32,
    /// Programs that could not be recorded, since their segment could not be made.
    pub refused: AtomicU32,
}
