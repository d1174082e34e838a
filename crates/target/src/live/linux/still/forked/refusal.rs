//! Processes that are not made to fork, and why.

use residue_model::{Bytes, Limit, LimitKind, Process};

use crate::live::linux::map::WishList;
use crate::live::linux::{ProcDir, limits, system};
use crate::procfs::number::{decimal, key_value};
use crate::{Error, ErrorKind, Result};

/// What of its memory a process may write, at most, while its child is copied: so much of it is needed twice.
const WRITTEN: u64 = 4;

/// Refuses a process that a fork could harm, before anything is stopped.
///
/// # Errors
/// [`ErrorKind::Unsupported`] with the reason.
pub(in crate::live::linux::still) fn check(
    proc_dir: &ProcDir,
    process: &Process,
    size: Bytes,
    wishes: &WishList,
) -> Result<()> {
    let status = proc_dir.read_path(&format!("{}/status", process.pid)).unwrap_or_default();
    let release = rustix::system::uname();
    let why = by_status(&status)
        .or_else(|| by_kernel(&release.release().to_string_lossy()))
        .or_else(|| {
            wishes.has_filled_by_program().then(|| {
                "it fills pages of its memory itself (userfaultfd), and a fork may wait for it".to_owned()
            })
        })
        .or_else(|| by_memory(proc_dir, process, size));
    match why {
        None => Ok(()),
        Some(why) => {
            let what = format!("process {} ({}) is not made to fork: {why}", process.pid, process.name);
            Err(Error::new(ErrorKind::Unsupported, what)
                .help("without --snapshot it is stopped while its memory is copied"))
        }
    }
}

/// Source: `proc_pid_status(5)`; `x86_Thread_features` since Linux 6.6.
pub(super) fn by_status(text: &[u8]) -> Option<String> {
    text.split(|&byte| byte == b'\n').filter_map(key_value).find_map(|(key, value)| {
        let why = match key {
            b"Seccomp" if decimal(value) != Some(0) => {
                "its system calls are filtered (seccomp), and the filter could kill it"
            }
            b"x86_Thread_features" if memchr::memmem::find(value, b"shstk").is_some() => {
                "it uses shadow stacks"
            }
            b"NSpid" if value.split(u8::is_ascii_whitespace).next_back() == Some(b"1") => {
                "it is the first process of its pid namespace, and the child would become its own"
            }
            _ => return None,
        };
        Some(why.to_owned())
    })
}

/// Before Linux 5.2 a tracer was told the mask that a thread has while it waits in `ppoll` or `pselect`, not its own, and
/// would give it the wrong one back.
fn by_kernel(release: &str) -> Option<String> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse::<u32>);
    let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (version < (5, 2)).then(|| format!("Linux {release} does not tell which signals its threads block"))
}

fn by_memory(proc_dir: &ProcDir, process: &Process, size: Bytes) -> Option<String> {
    let system = system(proc_dir);
    if let Some(left) = promises_left(proc_dir)
        && left < size
    {
        return Some(format!(
            "the machine promises no memory twice (vm.overcommit_memory), and has {left} left"
        ));
    }
    let limits = limits(proc_dir, process.pid, &system, &mut Vec::new());
    let left = limits.memory.iter().filter(|limit| is_shared(limit)).filter_map(Limit::headroom).min()?;
    (left.0 < size.0 / WRITTEN)
        .then(|| format!("what it writes meanwhile takes memory twice, and {left} are left to it"))
}

/// Whether child and parent draw on it together.
fn is_shared(limit: &Limit) -> bool {
    matches!(limit.kind, LimitKind::Cgroup | LimitKind::Machine)
}

/// What the machine may still promise, if it counts.
fn promises_left(proc_dir: &ProcDir) -> Option<Bytes> {
    const NEVER_TWICE: &[u8] = b"2";
    let mode = proc_dir.read_path("sys/vm/overcommit_memory").ok()?;
    if mode.trim_ascii() != NEVER_TWICE {
        return None;
    }
    let text = proc_dir.read_path("meminfo").ok()?;
    let field = |name: &[u8]| {
        let mut fields = text.split(|&byte| byte == b'\n').filter_map(key_value);
        fields.find(|(key, _)| *key == name).and_then(|(_, value)| decimal(value)).map(Bytes::kib)
    };
    Some(field(b"CommitLimit")? - field(b"Committed_AS")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_does_not_tell_masks_is_refused() {
        assert!(by_kernel("4.18.0-553.el8.x86_64").is_some_and(|why| why.contains("4.18")));
        assert!(by_kernel("5.1.21").is_some());
        assert_eq!(by_kernel("5.2.0"), None);
        assert_eq!(by_kernel("6.18.44-fc-v509"), None);
    }

    #[test]
    fn a_filter_of_system_calls_a_shadow_stack_and_an_init_are_refused() {
        let why = |text: &str| by_status(text.as_bytes()).unwrap_or_default();
        assert_eq!(why("Name:\tx\nNSpid:\t812\nSeccomp:\t0\nx86_Thread_features:\t\n"), "");
        assert!(why("Seccomp:\t2\n").contains("seccomp"));
        assert!(why("x86_Thread_features:\tshstk wrss\n").contains("shadow"));
        assert!(why("NSpid:\t812\t1\n").contains("namespace"));
        assert_eq!(why("NSpid:\t1234\t41\n"), "");
    }
}
