//! The ring of those that have none of their own: threads in the last moments of their lives, and more threads than rings.

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::process::{Process, Recording};
use crate::ring::{SEVERAL, Writer};
use crate::sys;

/// So often a thread waits for another that writes, about a millisecond each time.
const TRIES: u32 = 5000;
/// Nanoseconds.
const WAIT: u32 = 1_000_000;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// There is no ring, or who held it never gave it back: a handler left the recorder by `longjmp`, or the kernel ended the
/// thread.
const LOST: u32 = 2;

/// A ring under a lock. All zeros is one that was not taken yet.
pub struct Shared {
    lock: AtomicU32,
    writer: UnsafeCell<Option<Writer>>,
}

// SAFETY: the writer is reached by the holder of the lock alone.
unsafe impl Sync for Shared {}

impl Shared {
    pub const fn new() -> Shared {
        Shared { lock: AtomicU32::new(FREE), writer: UnsafeCell::new(None) }
    }

    /// Writes for a thread that has no ring. False: it could not be done.
    pub fn with(&self, recording: &Recording, process: &Process, write: impl FnOnce(&mut Writer)) -> bool {
        if !self.acquire() {
            return false;
        }
        // SAFETY: the lock is held.
        let writer = unsafe { &mut *self.writer.get() };
        if writer.is_none() {
            *writer = Writer::take(recording.segment, recording.control, process.slot, SEVERAL);
        }
        let is_done = writer.as_mut().map(write).is_some();
        // To look for a ring is dear: who found none does not look again.
        self.lock.store(if is_done { FREE } else { LOST }, Release);
        sys::wake(&self.lock);
        is_done
    }

    fn acquire(&self) -> bool {
        for _ in 0..TRIES {
            match self.lock.compare_exchange(FREE, HELD, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(LOST) => return false,
                Err(_) => {}
            }
            if sys::wait(&self.lock, HELD, WAIT) == Err(sys::Errno::NOT_MADE) {
                (0..1000).for_each(|_| core::hint::spin_loop());
            }
        }
        self.lock.store(LOST, Relaxed);
        false
    }

    /// Takes the ring now, before no system call may be made any more.
    pub fn prepare(&self, recording: &Recording, process: &Process) {
        self.with(recording, process, |_| ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel wipes in a child must be a ring that was not taken.
    #[test]
    fn zeros_have_no_ring() {
        // SAFETY: what the test is about.
        let shared: Shared = unsafe { core::mem::zeroed() };

        // SAFETY: nobody else has it.
        assert!(unsafe { (*shared.writer.get()).is_none() });
        assert_eq!(shared.lock.load(Relaxed), FREE);
    }
}
