use core::sync::atomic::{AtomicU32, AtomicU64};

/// So many nodes a segment has room for. Node 0 is the root: no frame, and the stack of which nothing is known.
pub const NODES: usize = 1 << 20;
/// The slots of the index over them, which recorders find nodes by.
pub const INDEX_SLOTS: usize = 1 << 21;

/// A frame below the frame that called it.
#[repr(C)]
#[derive(Debug)]
pub struct Node {
    /// The return address in the low 48 bits, the number of its module in the high 16; module 0 is none.
    pub code: AtomicU64,
    /// The caller's node.
    pub caller: AtomicU32,
    /// Not used.
    pub spare: AtomicU32,
}

const _: () = assert!(size_of::<Node>() == 16);
