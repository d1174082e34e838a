//! Other tools and the kernel's own words.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use procfs::process::{MemoryMaps, Process};

/// What a tool prints; it is there and goes well.
#[track_caller]
pub(crate) fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("`{name}`: {error}; install what the tests need: cargo xtask setup"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A row of smem, in bytes.
#[derive(Debug)]
pub(crate) struct Smem {
    pub(crate) uss: u64,
    pub(crate) pss: u64,
    pub(crate) rss: u64,
    pub(crate) swap: u64,
    pub(crate) vss: u64,
}

/// The rows of smem by pid.
#[track_caller]
pub(crate) fn smem(arguments: &[&str]) -> BTreeMap<u32, Smem> {
    let columns = ["-H", "-c", "pid uss pss rss swap vss"];
    let row = |line: &str| {
        let numbers: Vec<u64> =
            line.split_whitespace().map(|word| word.parse().expect("smem prints KiB")).collect();
        let [pid, uss, pss, rss, swap, vss] = numbers[..] else { panic!("not a row of smem: {line:?}") };
        let pid = u32::try_from(pid).expect("a pid");
        (pid, Smem { uss: uss << 10, pss: pss << 10, rss: rss << 10, swap: swap << 10, vss: vss << 10 })
    };
    tool("smem", &[&columns, arguments].concat()).lines().map(row).collect()
}

/// The sums of smem's view of the machine by its names, in bytes: used, cache, noncache.
#[track_caller]
pub(crate) fn smem_system() -> Vec<[u64; 3]> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let kib = |place: usize| words[words.len() - place].parse::<u64>().expect("smem prints KiB") << 10;
        [kib(3), kib(2), kib(1)]
    };
    tool("smem", &["-w", "-H"]).lines().map(row).collect()
}

/// The process as the `procfs` crate reads it.
#[track_caller]
pub(crate) fn process(pid: u32) -> Process {
    Process::new(i32::try_from(pid).expect("a pid")).expect("the program runs")
}

/// The kernel's regions as the `procfs` crate reads them.
#[track_caller]
pub(crate) fn smaps(pid: u32) -> MemoryMaps {
    process(pid).smaps().expect("smaps can be read")
}

/// A field of `/proc/PID/status`, in bytes.
#[track_caller]
pub(crate) fn status(pid: u32, field: &str) -> u64 {
    kib(&format!("/proc/{pid}/status"), field)
}

/// A field of `/proc/meminfo`, in bytes.
#[track_caller]
pub(crate) fn meminfo(field: &str) -> u64 {
    kib("/proc/meminfo", field)
}

fn kib(path: &str, field: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = value.and_then(|value| value.trim().strip_suffix(" kB"));
    number.and_then(|number| number.parse::<u64>().ok()).expect("the kernel has this field") << 10
}
