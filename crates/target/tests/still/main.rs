//! Running processes held still: what is seen of them, and how they fare.
//!
//! A program of its own: the copies take memory, and other tests count theirs.
#![cfg(target_os = "linux")]

mod contents;
mod gaps;
mod harm;
mod killed;

use std::fs;
use std::process::Command;

use residue_model::{Address, Memory};
use residue_target::live::linux::Process;
use residue_target::{Care, Error, Still, Stillness, Target};
use residue_testkit::{Program, Running};

/// The ways of this processor.
#[cfg(target_arch = "x86_64")]
const WAYS: [Stillness; 3] = [Stillness::Stopped, Stillness::Running, Stillness::Forked];
#[cfg(not(target_arch = "x86_64"))]
const WAYS: [Stillness; 2] = [Stillness::Stopped, Stillness::Running];

/// The ways that touch the process.
#[cfg(target_arch = "x86_64")]
const TOUCHING: [Stillness; 2] = [Stillness::Stopped, Stillness::Forked];
#[cfg(not(target_arch = "x86_64"))]
const TOUCHING: [Stillness; 1] = [Stillness::Stopped];

fn process(pid: u32) -> Process {
    Process::find(&pid.to_string(), Care::DEFAULT).unwrap_or_else(|error| panic!("{pid}: {error:?}"))
}

fn try_still(pid: u32, how: Stillness) -> Result<Still<'static>, Error> {
    // The copy does not need the one whom it was asked of, but may not outlive it: few are.
    let process: &'static Process = Box::leak(Box::new(process(pid)));
    process.still(how, &mut |_| {})
}

fn still(running: &Running, how: Stillness) -> Still<'static> {
    try_still(running.pid(), how).unwrap_or_else(|error| panic!("{how:?}: {error:?}"))
}

fn bytes(still: &Still<'_>, at: u64, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    (still.pieces().read(Address(at), &mut bytes) == size).then_some(bytes)
}

/// The first letter of each page; `-` where none is held.
fn letters(still: &Still<'_>, at: u64, pages: u64) -> String {
    let letter = |page: u64| bytes(still, at + page * 4096, 1).map_or('-', |bytes| char::from(bytes[0]));
    (0..pages).map(letter).collect()
}

/// A busy program that is told from all others by its arguments, which its children have too.
struct Busy {
    running: Running,
    mark: String,
}

impl Busy {
    fn start(name: &str, options: &[&str]) -> Busy {
        let mark = format!("mark={name}.{}", std::process::id());
        let mut arguments = options.to_vec();
        arguments.push(&mark);
        Busy { running: Program::build("busy").spawn(&arguments), mark }
    }

    /// One for each system call that its main thread, which is the one that forks, can be in: `nanosleep`, `poll`,
    /// `pselect`, `futex` and `read`.
    fn start_all(name: &str, options: &[&str]) -> Vec<Busy> {
        let start = |main: u32| {
            let option = format!("main={main}");
            Busy::start(&format!("{name}.{main}"), &[options, &[&option]].concat())
        };
        (0..5).map(start).collect()
    }

    /// All goes on, nothing went wrong, nobody holds it, and it has no child, dead or alive.
    fn is_well(&mut self) {
        let counts = ["computed", "slept", "polled", "selected", "waited", "got"];
        let before = self.running.ask("how far");
        let pid = self.running.pid();
        let goes_on = (0..120_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            let after = self.running.ask("how far");
            assert_eq!(after.number("wrong"), 0, "{after:?}");
            counts.iter().all(|count| after.number(count) > before.number(count))
        });
        assert!(goes_on, "not all threads go on: {before:?}, {:?}", self.running.ask("how far"));
        assert_eq!(status(pid, "TracerPid").as_deref(), Some("0"));
        let children: Vec<u32> = pids().into_iter().filter(|&other| parent(other) == Some(pid)).collect();
        assert_eq!(children, [0; 0], "it has children");
    }

    /// Waits until no process but the program itself has its memory. Whom a killed tool leaves behind ends by itself.
    fn is_alone(&self) {
        let is_copy = |&pid: &u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            pid != self.running.pid()
                && command.split(|&byte| byte == 0).any(|word| word == self.mark.as_bytes())
                && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.ends_with("busy"))
        };
        let mut others = Vec::new();
        for _ in 0..120_000 {
            others = pids().into_iter().filter(is_copy).collect();
            if others.is_empty() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("{others:?} are left");
    }
}

fn pids() -> Vec<u32> {
    numbers("/proc")
}

fn numbers(path: &str) -> Vec<u32> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn parent(pid: u32) -> Option<u32> {
    status(pid, "PPid")?.parse().ok()
}

fn status(pid: u32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{pid} was there to get {name}");
}
