use residue_model::{Address, ProcessId, Thread};

use super::ProcDir;
use crate::procfs::printable;

/// The threads of a process and where their stacks are, without stopping them.
///
/// A blocked thread tells its stack pointer in `syscall`; a running one does not, but its robust futex list lies in the
/// control block that glibc and musl put at the upper end of the stack.
pub(super) fn read(proc_dir: &ProcDir, pid: ProcessId) -> std::io::Result<Vec<Thread>> {
    let numbers = proc_dir.threads(pid)?;
    Ok(numbers.into_iter().map(|tid| thread(proc_dir, pid, tid)).collect())
}

fn thread(proc_dir: &ProcDir, pid: ProcessId, tid: u32) -> Thread {
    let call = proc_dir.read_path(&format!("{pid}/task/{tid}/syscall")).unwrap_or_default();
    Thread { stack_pointer: stack_pointer(&call), ..named(proc_dir, pid, tid) }
}

/// A thread without what its registers tell.
pub(super) fn named(proc_dir: &ProcDir, pid: ProcessId, tid: u32) -> Thread {
    let name = proc_dir.read_path(&format!("{pid}/task/{tid}/comm")).unwrap_or_default();
    Thread {
        tid,
        is_main: tid == pid.0,
        name: printable(name.strip_suffix(b"\n").unwrap_or(&name)),
        control_block: robust_list(tid),
        ..Thread::default()
    }
}

/// `syscall` ends in the stack pointer and the program counter; of a running thread it says just `running`.
///
/// Source: `proc_pid_syscall(5)`.
fn stack_pointer(call: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(call).ok()?;
    let word = text.split_ascii_whitespace().rev().nth(1)?;
    let address = u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()?;
    (address != 0).then_some(Address(address))
}

/// Source: `get_robust_list(2)`. Needs the same right as reading the process's memory.
#[allow(unsafe_code)]
fn robust_list(tid: u32) -> Option<Address> {
    let mut head: usize = 0;
    let mut length: usize = 0;
    // SAFETY: the kernel writes one pointer and one size through these two, which live until the call returns; the
    // pointer it writes belongs to the other process and is never followed here.
    let answer = unsafe { libc::syscall(libc::SYS_get_robust_list, tid, &raw mut head, &raw mut length) };
    (answer == 0 && head != 0).then_some(Address(head as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_thread_tells_its_stack_pointer_and_a_running_one_does_not() {
        assert_eq!(
            stack_pointer(b"0 0x3 0x7f 0x400 0x0 0x0 0x0 0x7ffe1000 0x7f35\n"),
            Some(Address(0x7ffe_1000))
        );
        assert_eq!(stack_pointer(b"-1 0x7ffe2000 0x7f35\n"), Some(Address(0x7ffe_2000)));
        assert_eq!(stack_pointer(b"running\n"), None);
        assert_eq!(stack_pointer(b""), None);
    }
}
