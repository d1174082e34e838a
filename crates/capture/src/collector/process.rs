//! What the kernel says of a process that is recorded.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use residue_target::procfs::printable;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, test_kill_process};

/// A process by its number, held so that another one with the number is not taken for it.
#[derive(Debug, Default)]
pub(super) struct Process {
    pid: u32,
    /// None: there is no such process, or it is another one: the recorder says the number as its program sees it, which
    /// is not ours where it has a namespace of its own.
    handle: Option<OwnedFd>,
    /// What the kernel told the program at its start: another program is told something else.
    start: Vec<u8>,
    resident: Option<File>,
}

impl Process {
    /// Looks for a process that has a session's folder mapped.
    pub(super) fn find(pid: u32, folder: &str) -> Process {
        let handle = number(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
        let mut found = Process { pid, handle, ..Process::default() };
        if !contains(&maps, folder.as_bytes()) {
            // One that nobody has waited for yet has no memory any more.
            if found.has_ended() != Some(true) {
                found.handle = None;
            }
            return found;
        }
        let handle = found.handle;
        let start = fs::read(format!("/proc/{pid}/auxv")).unwrap_or_default();
        Process { pid, handle, start, resident: File::open(format!("/proc/{pid}/statm")).ok() }
    }

    /// It is the process that we think it is.
    #[cfg(test)]
    fn is_found(&self) -> bool {
        self.handle.is_some()
    }

    /// Its number, when we see it.
    pub(super) fn pid(&self) -> Option<u32> {
        self.handle.as_ref().map(|_| self.pid)
    }

    /// Whether it has ended. None: we do not see it.
    pub(super) fn has_ended(&self) -> Option<bool> {
        let handle = self.handle.as_ref()?;
        let mut polled = [PollFd::new(handle, PollFlags::IN)];
        let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
        Some(matches!(poll(&mut polled, Some(&now)), Ok(1..)))
    }

    /// Whether no process has its number.
    pub(super) fn is_nowhere(&self) -> bool {
        number(self.pid).is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
    }

    /// Whether it has become another program.
    pub(super) fn was_replaced(&self) -> bool {
        let start = fs::read(format!("/proc/{}/auxv", self.pid)).unwrap_or_default();
        !start.is_empty() && !self.start.is_empty() && start != self.start
    }

    /// The memory that it holds.
    pub(super) fn resident(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.resident.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    /// Its threads now; None when it cannot be seen.
    pub(super) fn threads(&self) -> Option<HashSet<u32>> {
        self.handle.as_ref()?;
        let entries = fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?;
        let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
        let threads: HashSet<u32> = entries.filter_map(number).collect();
        (!threads.is_empty()).then_some(threads)
    }

    /// Its arguments.
    pub(super) fn command(&self) -> Option<Vec<String>> {
        self.handle.as_ref()?;
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).ok().filter(|line| !line.is_empty())?;
        let line = line.strip_suffix(&[0]).unwrap_or(&line);
        Some(line.split(|&byte| byte == 0).map(printable).collect())
    }

    /// Its file.
    pub(super) fn executable(&self) -> Option<String> {
        self.handle.as_ref()?;
        let link = fs::read_link(format!("/proc/{}/exe", self.pid)).ok()?;
        Some(printable(link.as_os_str().as_encoded_bytes()))
    }
}

/// Whether nobody has a number.
pub(super) fn is_nowhere(pid: u32) -> bool {
    number(pid).is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

fn number(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// The processor time that this process and its threads took.
pub(super) fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_what_it_has_mapped() {
        let own = std::process::id();
        let program = std::env::current_exe().expect("it has a file");

        let found = Process::find(own, program.to_str().expect("a plain name"));

        assert!(found.is_found() && !found.was_replaced() && !found.is_nowhere());
        assert_eq!(found.has_ended(), Some(false));
        assert!(found.resident().expect("it is read") > 1 << 20);
        assert!(found.threads().expect("they are seen").contains(&own));
        let other = Process::find(own, "/no/such/folder");
        assert!(!other.is_found() && other.has_ended().is_none());
    }

    #[test]
    fn the_end_of_a_process_is_seen() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("cat is everywhere");
        // By then it has mapped the C library.
        let found = loop {
            let found = Process::find(child.id(), "libc");
            if found.is_found() {
                break found;
            }
        };
        assert_eq!(found.has_ended(), Some(false));
        drop(child.stdin.take());
        while found.has_ended() != Some(true) {
            std::thread::yield_now();
        }
        child.wait().expect("it is ours");
        assert!(found.is_nowhere());
    }
}
