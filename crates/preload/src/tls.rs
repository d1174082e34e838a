//! What each thread has at hand: a few words of thread-local memory.
//!
//! They stand at a fixed distance from the thread pointer, so that reaching them calls nothing and allocates nothing, and
//! they begin as zeros. Nothing runs for them when a thread ends.

use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::sync::atomic::{AtomicU8, AtomicUsize};

use crate::recorder::Thread;

/// A thread's words.
#[repr(C, align(64))]
pub struct Local {
    /// Bytes that the thread may still allocate before one is sampled. Zero, with which a thread begins: the call is
    /// to be looked at. All are when every one is recorded.
    pub countdown: Cell<u64>,
    /// Its own memory; null: none yet.
    pub thread: Cell<*mut Thread>,
    /// Where the thread is: see [`guard`](crate::guard).
    pub place: AtomicU8,
    /// The stack pointer of the call that is there.
    pub entered: AtomicUsize,
    /// The state of its random numbers; 0: none yet.
    pub random: Cell<u64>,
    /// The thread is about to end and has given back what was its own.
    pub has_left: Cell<bool>,
}

const _: () = assert!(size_of::<Local>() == 64);

global_asm!(
    ".pushsection .tbss,\"awT\",@nobits",
    ".balign 64",
    ".type residue_local, @object",
    ".size residue_local, 64",
    "residue_local:",
    ".zero 64",
    ".popsection",
);

/// This thread's words. Not to be given to another thread.
#[inline(always)]
pub fn local() -> &'static Local {
    let address: *const Local;
    // SAFETY: the first word at the thread pointer is the thread pointer; the block is as large as `Local`, aligned, lives
    // as long as the thread, and began as zeros, which are valid.
    unsafe {
        asm!("mov {0}, qword ptr fs:[0]", "add {0}, qword ptr [rip + residue_local@GOTTPOFF]", out(reg) address,
            options(pure, nomem, nostack));
        &*address
    }
}
