//! The calls of `ptrace(2)` that send a stopped thread on an errand and bring it back.
//!
//! All of them must come from the thread that seized it.

use std::io;
use std::ptr::{from_mut, null_mut};

use libc::{c_int, c_void};

use super::tracee::{EVENT_STOP, call, number, pid, status};

/// Not in every libc. Source: `linux/ptrace.h`.
const SETSIGMASK: u32 = 0x420b;
const GET_RSEQ_CONFIGURATION: u32 = 0x420f;
const GET_SYSCALL_USER_DISPATCH_CONFIG: u32 = 0x4211;

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

/// Puts a whole set of registers in the place of that of a stopped thread, at once.
pub(super) fn set_registers(tid: u32, set: u32, from: &[u64]) -> io::Result<()> {
    let mut copy = from.to_vec();
    let mut window = libc::iovec { iov_base: copy.as_mut_ptr().cast(), iov_len: size_of_val(from) };
    call(libc::PTRACE_SETREGSET, tid, set as usize as *mut c_void, from_mut(&mut window).cast()).map(drop)
}

/// Sets the signals that a stopped thread blocks.
pub(super) fn set_signal_mask(tid: u32, mut mask: u64) -> io::Result<()> {
    call(SETSIGMASK as _, tid, size_of::<u64>() as *mut c_void, from_mut(&mut mask).cast()).map(drop)
}

/// Where a thread tells the kernel of its restartable sequences; 0 when it has none. Since Linux 5.13.
pub(super) fn restartable_sequences(tid: u32) -> io::Result<u64> {
    // The address, then size, signature, flags and padding of four bytes each.
    let mut configuration = [0_u64; 3];
    let size = size_of_val(&configuration) as *mut c_void;
    call(GET_RSEQ_CONFIGURATION as _, tid, size, configuration.as_mut_ptr().cast())?;
    Ok(configuration[0])
}

/// Whether a thread has its own handler for system calls, as Wine has. Since Linux 6.4.
pub(super) fn handles_own_calls(tid: u32) -> io::Result<bool> {
    // The mode, the selector, the offset and the length of what is let through.
    let mut configuration = [0_u64; 4];
    let size = size_of_val(&configuration) as *mut c_void;
    call(GET_SYSCALL_USER_DISPATCH_CONFIG as _, tid, size, configuration.as_mut_ptr().cast())?;
    Ok(configuration[0] != 0)
}
