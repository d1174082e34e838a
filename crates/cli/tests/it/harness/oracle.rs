//! Other tools and the kernel's own words.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use procfs::FromBufRead;
use procfs::process::{MemoryMaps, Process};

/// What a tool prints; it is there and goes well.
#[track_caller]
pub(crate) fn tool(name: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(name).args(arguments).env("LC_ALL", "C").output().unwrap_or_else(|error| {
            panic!("`{name}`: {error}; install what the tests need: cargo xtask setup")
        });
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
    smem_rows(&tool("smem", &[&SMEM_COLUMNS, arguments].concat()))
}

/// The same of a capture. smem 1.5 runs on Python 3 but takes what it reads from a capture for text, which only
/// Python 2 did; this hands it text.
#[track_caller]
pub(crate) fn smem_of(capture: &str) -> BTreeMap<u32, Smem> {
    let script = "import io, runpy, sys, tarfile\n\
        member = tarfile.TarFile.extractfile\n\
        as_text = lambda tar, name: io.TextIOWrapper(member(tar, name), errors='replace')\n\
        tarfile.TarFile.extractfile = as_text\n\
        sys.argv[0] = '/usr/bin/smem'\n\
        runpy.run_path('/usr/bin/smem', run_name='__main__')\n";
    smem_rows(&tool("/usr/bin/python3", &[&["-c", script, "-S", capture], &SMEM_COLUMNS[..]].concat()))
}

const SMEM_COLUMNS: [&str; 3] = ["-H", "-c", "pid uss pss rss swap vss"];

fn smem_rows(table: &str) -> BTreeMap<u32, Smem> {
    let row = |line: &str| {
        let numbers: Vec<u64> =
            line.split_whitespace().map(|word| word.parse().expect("smem prints KiB")).collect();
        let [pid, uss, pss, rss, swap, vss] = numbers[..] else { panic!("not a row of smem: {line:?}") };
        let pid = u32::try_from(pid).expect("a pid");
        (pid, Smem { uss: uss << 10, pss: pss << 10, rss: rss << 10, swap: swap << 10, vss: vss << 10 })
    };
    table.lines().map(row).collect()
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

/// The kernel's regions as the `procfs` crate reads them; it gives up at a name that is not UTF-8, so those are mended.
#[track_caller]
pub(crate) fn smaps(pid: u32) -> MemoryMaps {
    let text = fs::read(format!("/proc/{pid}/smaps")).expect("the program runs");
    MemoryMaps::from_buf_read(String::from_utf8_lossy(&text).as_bytes()).expect("smaps can be read")
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
    let text = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // A process may call itself anything.
    let text = String::from_utf8_lossy(&text);
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = value.and_then(|value| value.trim().strip_suffix(" kB"));
    number.and_then(|number| number.parse::<u64>().ok()).expect("the kernel has this field") << 10
}
