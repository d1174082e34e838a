//! Running processes: ourselves, and programs of the testkit that tell their own truth.

mod care;
mod dump;
mod edges;
mod ending;
mod find;
mod memory;
mod sampler;
mod snapshot;
mod sweep;
mod symbols;

use std::fmt::Debug;
use std::fs;

use procfs::FromBufRead;
use procfs::process::MemoryMaps;
use residue_model::{Bytes, Counter, ProcessId, Region, Snapshot};
use residue_target::Care;
use residue_target::live::linux::{ProcDir, snapshot};
use residue_testkit::Running;

/// How often something is read again because a neighbour on the machine moved meanwhile.
const TRIES: usize = 200;

fn proc_dir() -> ProcDir {
    ProcDir::open().expect("tests run where /proc is mounted")
}

fn pid(program: &Running) -> ProcessId {
    ProcessId(program.pid())
}

fn exactly(pid: ProcessId) -> Snapshot {
    snapshot(&proc_dir(), pid, Care::Exact).unwrap_or_else(|error| panic!("{pid}: {error}"))
}

fn gently(pid: ProcessId) -> Snapshot {
    snapshot(&proc_dir(), pid, Care::Always).unwrap_or_else(|error| panic!("{pid}: {error}"))
}

/// What `procfs` says of a process. It wants UTF-8, which paths need not be.
fn oracle(pid: ProcessId) -> MemoryMaps {
    let text = fs::read(format!("/proc/{pid}/smaps")).expect("the process runs");
    MemoryMaps::from_buf_read(String::from_utf8_lossy(&text).as_bytes()).expect("the oracle reads it")
}

/// What was read inside and outside once both agree.
///
/// Shared pages change hands whenever another process of the machine starts or ends, and no test can stop that. Who
/// reads wrongly never agrees.
fn agreed<A: Debug, B: Debug>(
    mut outside: impl FnMut() -> A,
    mut inside: impl FnMut() -> B,
    same: impl Fn(&A, &B) -> bool,
) -> B {
    for _ in 1..TRIES {
        let (known, read) = (outside(), inside());
        if same(&known, &read) {
            return read;
        }
    }
    let (known, read) = (outside(), inside());
    assert!(same(&known, &read), "in {TRIES} tries never the same, at last: {read:?}, should be {known:?}");
    read
}

/// The region that begins at the address which the program told as `name`.
fn told<'a>(snapshot: &'a Snapshot, program: &Running, name: &str) -> &'a Region {
    let start = program.number(name);
    let found = snapshot.regions.iter().find(|region| region.range.start.0 == start);
    found.unwrap_or_else(|| panic!("no region begins at {name}, {start:#x}"))
}

fn counter(region: &Region, counter: Counter) -> Option<u64> {
    region.counters.get(counter).map(|size: Bytes| size.0)
}
