//! Opening and closing.

use std::ffi::c_char;
use std::ptr;

use crate::border::entry::entry;
use crate::border::error::Result;
use crate::border::pointer::{path, place};
use crate::border::sized::taken;
use crate::border::status::residue_status;
use crate::handle::process::residue_process;
use crate::handle::source::{self, Source};
use crate::handle::watch::Watch;
use crate::shape::options::residue_options;

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
        unsafe { taken(options, "options") }?.checked()?
    };
    let process = residue_process::new(Watch::of(source()?, flags));
    out.write(Box::into_raw(Box::new(process)));
    Ok(residue_status::RESIDUE_OK)
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
