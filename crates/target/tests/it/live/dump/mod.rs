//! Cores of running processes: what debuggers and others say of them, and how the processes fare.

mod contents;
mod core_file;
mod debugger;
mod harm;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use residue_model::ProcessId;
use residue_target::Dumped;
use residue_target::live::linux::{DumpOptions, dump};
use residue_testkit::Running;

use super::{pid, proc_dir};

pub(super) use core_file::CoreFile;

/// A folder for one core.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("there is a folder for temporary files"))
    }

    fn core(&self) -> PathBuf {
        self.0.path().join("core")
    }

    /// All that stands in it.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("it is there");
        entries.map(|entry| entry.expect("it is read").file_name().to_string_lossy().into_owned()).collect()
    }
}

fn dumped(pid: ProcessId, options: &DumpOptions<'_>, path: &Path) -> Dumped {
    dump(&proc_dir(), pid, options, path, &mut |_| {}).unwrap_or_else(|error| panic!("{pid}: {error:?}"))
}

/// A line of `/proc/PID/status`.
fn status(pid: ProcessId, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("the kernel prints it");
    line.trim_start_matches(':').trim().to_owned()
}

fn signal(pid: ProcessId, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{pid} was there to get {name}");
}

/// The threads of a program.
fn threads(running: &Running) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid())).expect("it runs");
    let name = |task: fs::DirEntry| task.file_name().to_string_lossy().parse().expect("a number");
    let mut threads: Vec<u32> = tasks.map(|task| name(task.expect("it is read"))).collect();
    threads.sort_unstable();
    threads
}

/// Waits for what must come to be, however busy the machine is; what never does so fails after minutes.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..120_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("never: {what}");
}

/// Waits until all threads of a process are in one state.
fn await_state(pid: ProcessId, letter: char) {
    let in_state = |tid: fs::DirEntry| {
        let text = fs::read_to_string(tid.path().join("status")).unwrap_or_default();
        text.lines().any(|line| line.starts_with("State:") && line.contains(letter))
    };
    eventually("all threads come into the state", || {
        let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
        tasks.all(|tid| tid.is_ok_and(in_state))
    });
}
