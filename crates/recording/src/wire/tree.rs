use core::sync::atomic::{AtomicU32, AtomicU64};

/// So many nodes a segment has room for. Node 0 is the root: no frame, and the stack of which nothing is known.
pub const NODES: usize = 1 << 20;
/// The slots of the index over them. A power of two.
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

/// Where the index is looked at first for a node; then slot after slot. A slot holds a node's number, 0 when it is empty.
pub const fn hash(caller: u32, code: u64) -> usize {
    let mixed = (code ^ ((caller as u64) << 32 | caller as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as usize % INDEX_SLOTS
}
