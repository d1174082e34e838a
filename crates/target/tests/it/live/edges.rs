//! Ends and edges: what half-gone processes, pages of zeros and long records must not be mistaken for.

use std::hint::black_box;
use std::process::Command;
use std::thread;

use residue_model::{Address, Bytes, Counter, ProcessId, Snapshot};
use residue_target::Care;
use residue_target::live::linux::{Sampler, snapshot};
use residue_testkit::Program;

use super::{exactly, gently, pid, proc_dir};

fn kill(pid: ProcessId) {
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()), "{pid} was there to be killed");
}

/// The kernel ends the list where the process ends, without an error: a prefix must not pass for the whole.
#[test]
fn a_list_that_the_end_of_its_process_cut_is_no_snapshot() {
    for _ in 0..10 {
        let regions = Program::build("regions").spawn(&["count=20000"]);
        let who = pid(&regions);
        let read = thread::scope(|scope| {
            scope.spawn(|| kill(who));
            snapshot(&proc_dir(), who, Care::Exact)
        });
        if let Ok(snapshot) = read {
            assert!(snapshot.regions.len() >= 20_000, "{} regions pass for all", snapshot.regions.len());
        }
    }
}

/// A process gives up its memory before it becomes a zombie: zero resident then is the end and not a sample.
#[test]
fn a_process_that_gives_up_its_memory_is_not_sampled_as_empty() {
    for _ in 0..10 {
        let regions = Program::build("regions").spawn(&["count=20000"]);
        let who = pid(&regions);
        let mut sampler = Sampler::new(who).expect("it lives");
        thread::scope(|scope| {
            scope.spawn(|| kill(who));
            while let Some(reading) = sampler.read().expect("it ends, no more") {
                assert_ne!(reading.sample.footprint.rss, Some(Bytes::ZERO));
                assert!(
                    reading.layout.is_err() || reading.sample.maps >= Some(20_000),
                    "{:?}",
                    reading.sample
                );
            }
        });
    }
}

fn rss_at(snapshot: &Snapshot, place: &[u8]) -> Option<Bytes> {
    let address = Address(place.as_ptr() as u64 + 8192);
    let region = snapshot.regions.iter().find(|region| region.range.contains(address)).expect("it is mapped");
    region.counters.get(Counter::Rss)
}

/// Memory that was only ever read is one page of zeros for everyone: `smaps` and `status` do not count it.
#[test]
fn memory_that_was_only_read_is_not_resident() {
    let untouched = vec![0_u8; 64 << 20];
    assert_eq!(untouched.iter().step_by(4096).map(|&byte| u64::from(black_box(byte))).sum::<u64>(), 0);
    let me = ProcessId(std::process::id());
    let (exact, gentle) = (rss_at(&exactly(me), &untouched), rss_at(&gently(me), &untouched));
    let (exact, gentle) = (exact.expect("smaps has it"), gentle.expect("the page table has it"));
    assert!(gentle.0.abs_diff(exact.0) < 1 << 20, "{gentle:?} is not {exact:?}");
}

/// `status` of a process in many groups is longer than a page: what stands behind the groups must not be cut.
#[test]
fn a_process_in_many_groups_is_read_whole() {
    let groups: Vec<String> = (100_000..100_560).map(|group: u32| group.to_string()).collect();
    // Needs root, as the groups do.
    let mut child = Command::new("setpriv")
        .args(["--groups", &groups.join(","), "sleep", "600"])
        .spawn()
        .expect("util-linux is there");
    let who = ProcessId(child.id());
    // The program has its groups once it is called `sleep`.
    while snapshot(&proc_dir(), who, Care::Exact).is_ok_and(|snapshot| snapshot.process.name != "sleep") {}
    let found = exactly(who).process.footprint;
    let _ = child.kill();
    let _ = child.wait();
    assert!(found.anon.is_some() && found.file.is_some() && found.shmem.is_some(), "{found:?}");
}
