//! A handle: one call at a time works on what it remembers.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::watch::Watch;
use crate::border::error::{Failure, Result};

/// A process or a dump that is open.
///
/// Any number of threads may use it: one call at a time works on it, the others wait. It belongs to the process that opened
/// it: after `fork` the child opens its own, and every call on this one fails there with `RESIDUE_BAD_ARGUMENT`.
pub struct residue_process {
    watch: Mutex<Watch>,
    /// The thread that shows regions to a callback, by its mark; 0 for none.
    shower: AtomicUsize,
    /// Who opened it. In a child of his the lock may stand closed for ever: the thread that would open it is not there.
    opener: u32,
}

/// That several threads may use a handle is promised to C: here the compiler checks it.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<residue_process>();
};

thread_local! {
    static MARK: u8 = const { 0 };
}

/// What tells this thread from every other that runs.
fn mark() -> usize {
    MARK.with(|mark| ptr::from_ref(mark).addr())
}

impl residue_process {
    pub(crate) fn new(watch: Watch) -> residue_process {
        residue_process { watch: Mutex::new(watch), shower: AtomicUsize::new(0), opener: std::process::id() }
    }

    /// Waits until no other thread uses it. A callback that is shown its regions would wait for itself: it is refused.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Watch>> {
        if self.opener != std::process::id() {
            let text = "this handle was opened before a fork";
            return Err(Failure::argument(format!("{text}; help: open one in the child")));
        }
        if self.shower.load(Ordering::Relaxed) == mark() {
            let text = "this thread is showing the regions of this handle to a callback";
            return Err(Failure::argument(format!(
                "{text}; help: use the handle after the callback returned"
            )));
        }
        Ok(self.watch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says while it lives that this thread, which holds the lock, shows regions to a callback.
    pub(crate) fn showing(&self) -> Showing<'_> {
        self.shower.store(mark(), Ordering::Relaxed);
        Showing(self)
    }
}

/// A callback is shown regions.
pub(crate) struct Showing<'a>(&'a residue_process);

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        self.0.shower.store(0, Ordering::Relaxed);
    }
}

#[cfg(all(test, any(target_os = "linux", windows)))]
mod tests {
    use super::*;
    use crate::border::entry::entry;
    use crate::border::status::residue_status;
    use crate::handle::source;

    /// A panic while a handle is locked poisons the lock: the handle must serve all the same.
    #[test]
    fn a_handle_serves_after_a_panic() {
        let watch = Watch::of(source::own().expect("we run"), 0);
        let process = residue_process::new(watch);
        let status = entry(|| {
            let _watch = process.lock()?;
            panic!("while it was locked")
        });
        assert_eq!(status, residue_status::RESIDUE_PANIC);
        assert!(process.watch.is_poisoned());
        assert!(process.lock().is_ok());
    }
}
