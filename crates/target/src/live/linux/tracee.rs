//! The calls of `ptrace(2)` on one thread, as far as cores and snapshots need them.
//!
//! All of them must come from the thread that seized it.

use std::io;
use std::ptr::{from_mut, null_mut};

use libc::{c_int, c_void, pid_t};

/// The stop that `PTRACE_INTERRUPT` makes, or a group stop that was there before. Source: `linux/ptrace.h`.
const EVENT_STOP: c_int = 128;

/// Not in every libc. Source: `linux/ptrace.h`.
const GETSIGMASK: u32 = 0x420a;
const SETSIGMASK: u32 = 0x420b;
const GET_RSEQ_CONFIGURATION: u32 = 0x420f;
const GET_SYSCALL_USER_DISPATCH_CONFIG: u32 = 0x4211;

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

/// Why a thread that was let go on has stopped again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It has not yet.
    Running,
    /// It was told to, or all of its process were.
    Stop,
    /// It began a process by `vfork` or by another kind of `clone`, which is traced and stands too.
    Vforked,
    Cloned,
    /// It enters a system call or comes back from one.
    SystemCall,
    /// It is about to get a signal.
    Signal(c_int),
    /// Something else that it was asked to stop for.
    Other,
    /// It has ended.
    Gone,
}

/// What a traced thread stops for beside signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stops {
    /// For its children, which are traced from their first instruction on, and so are theirs.
    Children,
    /// For nothing; and it ends when its tracer does.
    Dies,
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
fn status(tid: u32) -> io::Result<Option<c_int>> {
    let mut status: c_int = 0;
    // SAFETY: `waitpid` writes one int through this pointer, which lives until the call returns.
    let answer = unsafe { libc::waitpid(pid(tid), &raw mut status, libc::__WALL | libc::WNOHANG) };
    match answer {
        0 => Ok(None),
        1.. => Ok(Some(status)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets a stopped thread run on, still traced, until the next event. It gets the signal, if that is not 0.
pub(super) fn go_on(tid: u32, signal: c_int) -> io::Result<()> {
    call(libc::PTRACE_CONT, tid, null_mut(), number(signal)).map(drop)
}

/// The same, until its next system call at the latest.
pub(super) fn go_on_to_call(tid: u32, signal: c_int) -> io::Result<()> {
    call(libc::PTRACE_SYSCALL, tid, null_mut(), number(signal)).map(drop)
}

/// Sets what a stopped thread stops for.
pub(super) fn set_stops(tid: u32, stops: Stops) -> io::Result<()> {
    let options = match stops {
        Stops::Children => {
            libc::PTRACE_O_TRACEVFORK | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACESYSGOOD
        }
        Stops::Dies => libc::PTRACE_O_EXITKILL,
    };
    call(libc::PTRACE_SETOPTIONS, tid, null_mut(), number(options)).map(drop)
}

/// The child that a thread which stands at [`Event::Vforked`] or [`Event::Cloned`] began.
pub(super) fn child(tid: u32) -> io::Result<u32> {
    let mut message = 0_u64;
    call(libc::PTRACE_GETEVENTMSG, tid, null_mut(), from_mut(&mut message).cast())?;
    u32::try_from(message).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Kills a process.
pub(super) fn kill(process: u32) -> io::Result<()> {
    let process = rustix::process::Pid::from_raw(pid(process)).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::kill_process(process, rustix::process::Signal::KILL)?)
}

/// What has become of a thread that was let go on, without waiting.
pub(super) fn event(tid: u32) -> io::Result<Event> {
    let Some(status) = status(tid)? else { return Ok(Event::Running) };
    if !libc::WIFSTOPPED(status) {
        return Ok(Event::Gone);
    }
    Ok(match (status >> 16, libc::WSTOPSIG(status)) {
        (EVENT_STOP, _) => Event::Stop,
        (libc::PTRACE_EVENT_VFORK, _) => Event::Vforked,
        (libc::PTRACE_EVENT_CLONE, _) => Event::Cloned,
        (0, signal) if signal == libc::SIGTRAP | 0x80 => Event::SystemCall,
        (0, signal) => Event::Signal(signal),
        _ => Event::Other,
    })
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

/// Puts a whole set of registers in the place of that of a stopped thread, at once.
#[cfg(target_arch = "x86_64")]
pub(super) fn set_registers(tid: u32, set: u32, from: &[u64]) -> io::Result<()> {
    let mut copy = from.to_vec();
    let mut window = libc::iovec { iov_base: copy.as_mut_ptr().cast(), iov_len: size_of_val(from) };
    call(libc::PTRACE_SETREGSET, tid, set as usize as *mut c_void, from_mut(&mut window).cast()).map(drop)
}

/// Sets the signals that a stopped thread blocks.
#[cfg(target_arch = "x86_64")]
pub(super) fn set_signal_mask(tid: u32, mut mask: u64) -> io::Result<()> {
    call(SETSIGMASK as _, tid, size_of::<u64>() as *mut c_void, from_mut(&mut mask).cast()).map(drop)
}

/// Where a thread tells the kernel of its restartable sequences; 0 when it has none. Since Linux 5.13.
#[cfg(target_arch = "x86_64")]
pub(super) fn restartable_sequences(tid: u32) -> io::Result<u64> {
    // The address, then size, signature, flags and padding of four bytes each.
    let mut configuration = [0_u64; 3];
    let size = size_of_val(&configuration) as *mut c_void;
    call(GET_RSEQ_CONFIGURATION as _, tid, size, configuration.as_mut_ptr().cast())?;
    Ok(configuration[0])
}

/// Whether a thread has its own handler for system calls, as Wine has. Since Linux 6.4.
#[cfg(target_arch = "x86_64")]
pub(super) fn handles_own_calls(tid: u32) -> io::Result<bool> {
    // The mode, the selector, the offset and the length of what is let through.
    let mut configuration = [0_u64; 4];
    let size = size_of_val(&configuration) as *mut c_void;
    call(GET_SYSCALL_USER_DISPATCH_CONFIG as _, tid, size, configuration.as_mut_ptr().cast())?;
    Ok(configuration[0] != 0)
}

fn number(value: c_int) -> *mut c_void {
    usize::try_from(value).unwrap_or_default() as *mut c_void
}

#[cfg(target_env = "musl")]
type Request = c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

#[allow(unsafe_code)]
fn call(request: Request, tid: u32, address: *mut c_void, data: *mut c_void) -> io::Result<i64> {
    // SAFETY: the requests of this file write at most through `data` (and the window it may hold), for as many bytes as
    // the caller says there; what they point to is held mutably by the caller while the call runs.
    let answer = unsafe { libc::ptrace(request, pid(tid), address, data) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(answer as _) }
}

fn pid(tid: u32) -> pid_t {
    pid_t::try_from(tid).unwrap_or(pid_t::MAX)
}
