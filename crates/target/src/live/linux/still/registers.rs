//! The threads of a stopped process with their registers.

use std::io;

use residue_model::{Address, ProcessId, Thread};

use crate::live::linux::dump::machine::{GENERAL, Machine};
use crate::live::linux::freeze::{Frozen, letter};
use crate::live::linux::{ProcDir, threads, tracee};
use crate::{Error, ErrorKind, Result};

/// `NT_ARM_TLS`: the start of thread-local storage on 64-bit ARM.
const ARM_TLS: u32 = 0x401;

/// All threads that stand, the main one first.
pub(super) fn read(proc_dir: &ProcDir, pid: ProcessId, frozen: &Frozen<'_>) -> Vec<Thread> {
    frozen.stopped().map(|(tid, _)| with_registers(threads::named(proc_dir, pid, tid))).collect()
}

/// All threads of a process that a debugger holds, with the registers that it tells. One that it leaves out has none.
///
/// # Errors
/// When not all stand for a debugger, or what is told is of another process or moment.
pub(super) fn told(proc_dir: &ProcDir, pid: ProcessId, told: &[Thread]) -> Result<Vec<Thread>> {
    let failed = |error: io::Error| Error::reading(format!("the threads of process {pid}"), error);
    let mut threads = threads::read(proc_dir, pid).map_err(failed)?;
    if let Some(stranger) = told.iter().find(|told| threads.iter().all(|thread| thread.tid != told.tid)) {
        return Err(refused(format!(
            "process {pid} has no thread {}, of which registers are told",
            stranger.tid
        )));
    }
    // What has ended holds nothing; a main thread that has stays listed.
    threads.retain(|thread| !matches!(letter(proc_dir, pid, thread.tid), None | Some(b'Z' | b'X' | b'x')));
    for thread in &mut threads {
        if letter(proc_dir, pid, thread.tid) != Some(b't') {
            return Err(refused(format!("no debugger holds thread {} of process {pid}", thread.tid)));
        }
        let Some(told) = told.iter().find(|told| told.tid == thread.tid) else { continue };
        // What the kernel tells of a thread that stands is true now.
        if thread.stack_pointer.is_some_and(|now| told.stack_pointer != Some(now)) {
            let what =
                format!("the registers that are told of thread {} of process {pid} are old", thread.tid);
            return Err(refused(what));
        }
        (thread.stack_pointer, thread.thread_pointer) = (told.stack_pointer, told.thread_pointer);
        thread.registers.clone_from(&told.registers);
    }
    Ok(threads)
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Unsupported, what).help(
        "tell registers of all threads while the debugger holds them, as the script of `residue gdb` does",
    )
}

/// A thread of an unknown machine, or one that was killed while it stood, keeps none.
fn with_registers(mut thread: Thread) -> Thread {
    let mut buffer = [0; 512];
    let Ok(size) = tracee::registers(thread.tid, GENERAL, &mut buffer) else { return thread };
    let Some(machine) = Machine::of_registers(size) else { return thread };
    thread.registers = words(&buffer[..size], machine.is_64_bit());
    let register = |index: usize| thread.registers.get(index).copied().map(Address);
    // Source: `struct user_regs_struct` of each.
    (thread.stack_pointer, thread.thread_pointer) = match machine {
        Machine::X86_64 => (register(19), register(21)),
        Machine::I386 => (register(15), None),
        Machine::Aarch64 => (register(31), arm_thread_pointer(thread.tid)),
    };
    thread
}

fn arm_thread_pointer(tid: u32) -> Option<Address> {
    let mut buffer = [0; 64];
    let size = tracee::registers(tid, ARM_TLS, &mut buffer).ok()?;
    words(&buffer[..size], true).first().copied().map(Address)
}

fn words(bytes: &[u8], wide: bool) -> Vec<u64> {
    if wide {
        bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes"))).collect()
    } else {
        let word = |word: &[u8]| u32::from_ne_bytes(word.try_into().expect("four bytes")).into();
        bytes.chunks_exact(4).map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_as_wide_as_the_machine() {
        let bytes = [1, 0, 0, 0, 2, 0, 0, 0];
        assert_eq!(words(&bytes, false), [1, 2]);
        assert_eq!(words(&bytes, true), [1 | 2 << 32]);
    }
}
