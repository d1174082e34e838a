//! The call stack of a thread, as a node of the shared tree.

mod tree;

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Relaxed, Release};

use crate::segment::Segment;

/// Where the caller of a hook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The hook's return address.
    pub pc: u64,
    /// The stack pointer once the hook has returned.
    pub sp: u64,
    /// `rbp` as the caller had it.
    pub bp: u64,
}

/// A stack that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The node of its innermost frame; 0 when nothing of it is known.
    pub stack: u32,
    /// It goes on, and nobody knows how; or the tree has no room for all of it.
    pub is_cut: bool,
}

/// What is known of the code of a process: one for all of its threads.
#[derive(Debug)]
pub struct Rules {
    /// What happened to the address space: modules that went in the high half, mappings in the low half.
    changes: AtomicU64,
}

impl Rules {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Rules {
        Rules { changes: AtomicU64::new(0) }
    }

    /// Looks at the program as it stands. To be called once, before the first capture, and again in a child after `fork`
    /// when it got another segment.
    pub fn start(&self, _segment: &Segment) {}

    /// A library may have been unloaded: to be called when `dlclose` is done.
    pub fn unloaded(&self) {
        self.changes.fetch_add(1 << 32, Release);
    }

    /// Memory that may have been a stack was unmapped: to be called after `munmap`, `mremap` and `mmap` at a fixed place.
    pub fn unmapped(&self) {
        self.changes.fetch_add(1, Release);
    }

    /// From now on no system call may be made (strict seccomp).
    pub fn forbid_calls(&self) {}
}

impl Default for Rules {
    fn default() -> Rules {
        Rules::new()
    }
}

/// What a thread keeps from one capture to the next. All zeros is one that keeps nothing, which a thread that takes over
/// the memory of another has to begin with. It is large; only what deep stacks need of it is ever touched.
#[repr(C)]
#[derive(Debug)]
pub struct Thread {
    changes: u64,
}

impl Thread {
    /// Forgets all: for a child after `fork`, and for another thread.
    pub fn forget(&mut self) {
        self.changes = 0;
    }

    /// The stack of the caller of a hook.
    ///
    /// # Safety
    /// The registers are those of a function of this thread that has not returned yet.
    pub unsafe fn capture(&mut self, registers: Registers, segment: &Segment, rules: &Rules) -> Captured {
        self.changes = rules.changes.load(Relaxed);
        Captured { stack: tree::child(segment, 0, registers.pc).unwrap_or(0), is_cut: true }
    }
}
