//! Handles: a process or a dump, opened once and asked often.

use std::ffi::c_char;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::entry::entry;
use crate::error::{Failure, Result};
use crate::pointer::{path, place};
use crate::sized::{Sized32, taken};
use crate::source::{self, Source};
use crate::status::residue_status;
use crate::watch::Watch;

/// Flag of `residue_options`: samples also hold what takes longer the larger the process or the machine is: PSS and USS
/// on Linux, the private working set and the number of threads on Windows. Samples then allocate.
pub const RESIDUE_DETAIL_FULL: u32 = 1 << 0;
/// Flag of `residue_options`: samples do not walk the regions, which is most of what a sample costs. Calls that ask for
/// regions or free ranges walk all the same.
pub const RESIDUE_NO_REGIONS: u32 = 1 << 1;

/// How a handle reads. Set all of it to 0 but `size`; null stands for that.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct residue_options {
    /// `sizeof (struct residue_options)`.
    pub size: u32,
    /// `RESIDUE_DETAIL_FULL`, `RESIDUE_NO_REGIONS`, both or 0.
    pub flags: u32,
    /// For later versions: 0.
    pub reserved: [u64; 3],
}

// SAFETY: 4 + 4 + 24 bytes without padding, the size first, numbers only.
unsafe impl Sized32 for residue_options {
    const FIRST: usize = 32;
}

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
    fn new(watch: Mutex<Watch>) -> residue_process {
        residue_process { watch, shower: AtomicUsize::new(0), opener: std::process::id() }
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

/// # Safety
/// As for `residue_open`.
unsafe fn open(
    options: *const residue_options,
    out: *mut *mut residue_process,
    source: impl FnOnce() -> Result<Source>,
) -> Result<residue_status> {
    // SAFETY: as the caller promises.
    let out = unsafe { place(out, "out") }?;
    out.write(ptr::null_mut());
    let flags = if options.is_null() {
        0
    } else {
        // SAFETY: as the caller promises.
        checked(&unsafe { taken(options, "options") }?)?
    };
    let watch = Mutex::new(Watch::of(source()?, flags));
    out.write(Box::into_raw(Box::new(residue_process::new(watch))));
    Ok(residue_status::RESIDUE_OK)
}

fn checked(options: &residue_options) -> Result<u32> {
    let unknown = options.flags & !(RESIDUE_DETAIL_FULL | RESIDUE_NO_REGIONS);
    if unknown != 0 {
        return Err(Failure::argument(format!("`options->flags` has {unknown:#x}, which means nothing yet")));
    }
    if options.reserved != [0; 3] {
        return Err(Failure::argument("`options->reserved` is not 0"));
    }
    Ok(options.flags)
}

/// Opens a running process by its number. Nothing in it is changed or stopped.
///
/// `options` may be null. `*out` is the handle, to be closed with `residue_close`; null when it fails.
///
/// Fails with `RESIDUE_NOT_FOUND` when there is no such process, `RESIDUE_DENIED` when it may not be read,
/// `RESIDUE_UNSUPPORTED` when it has no memory of its own (a zombie, a kernel thread).
///
/// # Safety
/// `options` is null or points to a `residue_options`, `out` to a pointer that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_open(
    pid: u32,
    options: *const residue_options,
    out: *mut *mut residue_process,
) -> residue_status {
    // SAFETY: as the caller promises.
    entry(|| unsafe { open(options, out, || source::process(pid)) })
}

/// Opens the process that calls. Otherwise as `residue_open`.
///
/// # Safety
/// As for `residue_open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_open_self(
    options: *const residue_options,
    out: *mut *mut residue_process,
) -> residue_status {
    // SAFETY: as the caller promises.
    entry(|| unsafe { open(options, out, source::own) })
}

/// Opens a dump: an ELF core or a minidump, also packed by zstd, xz, gzip or lz4. `path` is UTF-8 and ends in zero.
///
/// A dump is one moment: every sample of it is the same, and it has no verdict and no alarms. Fails with
/// `RESIDUE_NOT_FOUND` or `RESIDUE_DENIED` when the file cannot be opened, `RESIDUE_UNSUPPORTED` when it is no dump,
/// `RESIDUE_UNREADABLE` when it is too damaged. Otherwise as `residue_open`.
///
/// # Safety
/// As for `residue_open`; `path` is null or points to bytes that end in zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_open_dump(
    path_utf8: *const c_char,
    options: *const residue_options,
    out: *mut *mut residue_process,
) -> residue_status {
    // SAFETY: as the caller promises.
    entry(|| unsafe { open(options, out, || source::dump(path(path_utf8, "path_utf8")?)) })
}

/// Closes a handle and frees what belongs to it. Null is fine.
///
/// No other call may use the handle meanwhile or afterwards; a callback may not close the handle that called it.
///
/// # Safety
/// `process` is null, or was opened by this library and has not been closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_close(process: *mut residue_process) {
    let _ = entry(|| {
        if !process.is_null() {
            // SAFETY: it came from `Box::into_raw`, and the caller promises that nobody uses it any more.
            drop(unsafe { Box::from_raw(process) });
        }
        Ok(residue_status::RESIDUE_OK)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_options_do_not_mean_yet_is_refused() {
        let options = |flags, last| residue_options { size: 32, flags, reserved: [0, 0, last] };
        assert_eq!(checked(&options(RESIDUE_DETAIL_FULL | RESIDUE_NO_REGIONS, 0)), Ok(3));
        assert!(checked(&options(4, 0)).is_err());
        assert!(checked(&options(0, 1)).is_err());
    }

    /// A panic while a handle is locked poisons the lock: the handle must serve all the same.
    #[test]
    #[cfg(any(target_os = "linux", windows))]
    fn a_handle_serves_after_a_panic() {
        let watch = Mutex::new(Watch::of(source::own().expect("we run"), 0));
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
