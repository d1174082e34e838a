//! The calls of `ptrace(2)` on one thread, as far as holding still needs them.
//!
//! All of them must come from the thread that seized it.

use std::io;
use std::ptr::{from_mut, null_mut};

use libc::{c_int, c_void, pid_t};

/// The stop that `PTRACE_INTERRUPT` makes, or a group stop that was there before. Source: `linux/ptrace.h`.
pub(super) const EVENT_STOP: c_int = 128;

/// Not in every libc. Source: `linux/ptrace.h`.
const GETSIGMASK: u32 = 0x420a;

/// How a thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has not stopped yet.
    Running,
    /// It stands. The signal is one that it was just about to get and must be given when it goes on; 0 is none.
    Stopped { signal: c_int },
    /// It has ended.
    Gone,
}

/// Begins to trace a thread without stopping it and without a signal that it could see.
///
/// No option is set, least of all `PTRACE_O_EXITKILL`: when Residue is killed, the kernel lets the thread run on.
pub(super) fn seize(tid: u32) -> io::Result<()> {
    call(libc::PTRACE_SEIZE, tid, null_mut(), null_mut()).map(drop)
}

/// Asks a seized thread to stop.
pub(super) fn interrupt(tid: u32) -> io::Result<()> {
    call(libc::PTRACE_INTERRUPT, tid, null_mut(), null_mut()).map(drop)
}

/// Lets a stopped thread run on as if nothing had been, with the signal that it was about to get.
///
/// A thread of a process that is stopped for job control goes back into that stop.
pub(super) fn detach(tid: u32, signal: c_int) -> io::Result<()> {
    call(libc::PTRACE_DETACH, tid, null_mut(), number(signal)).map(drop)
}

/// How a seized thread stands now, without waiting.
pub(super) fn state(tid: u32) -> io::Result<State> {
    Ok(match status(tid) {
        Ok(None) => State::Running,
        Ok(Some(status)) if libc::WIFSTOPPED(status) => {
            let signal = if status >> 16 == EVENT_STOP { 0 } else { libc::WSTOPSIG(status) };
            State::Stopped { signal }
        }
        Ok(Some(_)) => State::Gone,
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => State::Gone,
        Err(error) => return Err(error),
    })
}

/// What the kernel has to say of a thread, if it has anything new.
#[allow(unsafe_code)]
pub(super) fn status(tid: u32) -> io::Result<Option<c_int>> {
    let mut status: c_int = 0;
    // SAFETY: `waitpid` writes one int through this pointer, which lives until the call returns.
    let answer = unsafe { libc::waitpid(pid(tid), &raw mut status, libc::__WALL | libc::WNOHANG) };
    match answer {
        0 => Ok(None),
        1.. => Ok(Some(status)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Copies a set of registers, and says how many bytes it has. `EINVAL` where the processor has no such set.
pub(super) fn registers(tid: u32, set: u32, into: &mut [u8]) -> io::Result<usize> {
    let mut window = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    call(libc::PTRACE_GETREGSET, tid, set as usize as *mut c_void, from_mut(&mut window).cast())?;
    Ok(window.iov_len)
}

/// What is known of the signal that a thread was about to get.
pub(super) fn signal_info(tid: u32) -> io::Result<[u8; 128]> {
    let mut info = [0_u64; 16];
    call(libc::PTRACE_GETSIGINFO, tid, null_mut(), info.as_mut_ptr().cast())?;
    let mut bytes = [0; 128];
    for (place, word) in bytes.chunks_exact_mut(8).zip(info) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    Ok(bytes)
}

/// The signals that a thread blocks.
pub(super) fn signal_mask(tid: u32) -> io::Result<u64> {
    let mut mask = 0_u64;
    call(GETSIGMASK as _, tid, size_of::<u64>() as *mut c_void, from_mut(&mut mask).cast())?;
    Ok(mask)
}

pub(super) fn number(value: c_int) -> *mut c_void {
    usize::try_from(value).unwrap_or_default() as *mut c_void
}

#[cfg(target_env = "musl")]
pub(super) type Request = c_int;
#[cfg(not(target_env = "musl"))]
pub(super) type Request = libc::c_uint;

#[allow(unsafe_code)]
pub(super) fn call(request: Request, tid: u32, address: *mut c_void, data: *mut c_void) -> io::Result<i64> {
    // SAFETY: the requests of this file write at most through `data` (and the window it may hold), for as many bytes as
    // the caller says there; what they point to is held mutably by the caller while the call runs.
    let answer = unsafe { libc::ptrace(request, pid(tid), address, data) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(answer as _) }
}

pub(super) fn pid(tid: u32) -> pid_t {
    pid_t::try_from(tid).unwrap_or(pid_t::MAX)
}
