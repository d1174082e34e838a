//! The ring of those that have none of their own: threads in the last moments of their lives, and more threads than rings.

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::process::{Process, Recording};
use crate::ring::Writer;
use crate::sys;

/// So often a thread waits for another that writes, about a millisecond each time.
const TRIES: u32 = 5000;
/// Nanoseconds.
const WAIT: u32 = 1_000_000;

/// A ring under a lock. All zeros is one that was not taken yet.
pub struct Shared {
    lock: AtomicU32,
    writer: UnsafeCell<Option<Writer>>,
}

// SAFETY: the writer is reached by the holder of the lock alone.
unsafe impl Sync for Shared {}

impl Shared {
    pub const fn new() -> Shared {
        Shared { lock: AtomicU32::new(0), writer: UnsafeCell::new(None) }
    }

    /// Writes for a thread that has no ring. False: it could not be done.
    pub fn with(&self, recording: &Recording, process: &Process, write: impl FnOnce(&mut Writer)) -> bool {
        if !self.acquire() {
            return false;
        }
        // SAFETY: the lock is held.
        let writer = unsafe { &mut *self.writer.get() };
        if writer.is_none() {
            *writer = Writer::take(recording.segment, recording.control, process.slot, 0);
        }
        let is_done = writer.as_mut().map(write).is_some();
        self.lock.store(0, Release);
        sys::wake(&self.lock);
        is_done
    }

    fn acquire(&self) -> bool {
        for _ in 0..TRIES {
            if self.lock.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
                return true;
            }
            if sys::wait(&self.lock, 1, WAIT) == Err(sys::Errno::NOT_MADE) {
                (0..1000).for_each(|_| core::hint::spin_loop());
            }
        }
        false
    }
}
