//! Processes that end while they are read.

use std::process::Command;
use std::thread;

use residue_model::ProcessId;
use residue_target::Care;
use residue_target::live::linux::{Sampler, snapshot, sweep};
use residue_target::{ErrorKind, File, Files, Selection};
use residue_testkit::{Program, Running};

use super::proc_dir;

/// The children of a crowd.
fn children(crowd: &mut Running) -> Vec<ProcessId> {
    let pids = crowd.ask("pids");
    pids.text("pids").split(',').map(|pid| ProcessId(pid.parse().expect("a pid"))).collect()
}

/// Kills one after the other. Each costs a program, so that the reader is met everywhere on its way.
fn kill_all(pids: &[ProcessId]) {
    for pid in pids {
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "{pid} was there to be killed");
    }
}

fn crowd(arguments: &[&str]) -> (Running, Vec<ProcessId>) {
    let mut crowd = Program::build("crowd").spawn(arguments);
    let pids = children(&mut crowd);
    (crowd, pids)
}

/// Nothing that ends may stop the reading of the others, or be reported as anything but gone or dead.
#[test]
fn a_sweep_over_a_dying_crowd_reads_the_living() {
    for (files, care) in [
        (Files::all(), Care::Exact),
        (Files::all(), Care::Always),
        (Files::default().with(File::Rollup), Care::Exact),
    ] {
        let (_crowd, pids) = crowd(&["count=60", "regions=60", "private_kib=256", "shared_kib=256"]);
        let is_ours = |pid: ProcessId| pids.contains(&pid);
        let selection =
            Selection { files, select: &|process| is_ours(process.pid), care, progress: &|_, _| {} };
        let proc_dir = proc_dir();
        thread::scope(|scope| {
            let killer = scope.spawn(|| kill_all(&pids));
            while !killer.is_finished() {
                let census = sweep(&proc_dir, &selection, &mut |_, _| true).expect("/proc stays");
                for process in &census.processes {
                    assert!(is_ours(process.pid));
                }
                for gap in &census.gaps {
                    let of_ours = pids.iter().any(|pid| gap.what == format!("process {pid}"));
                    assert!(!of_ours, "{}: {}", gap.what, gap.why);
                }
            }
        });
    }
}

#[test]
fn a_snapshot_of_who_dies_meanwhile_is_whole_or_says_that_it_ended() {
    for care in [Care::Exact, Care::Always] {
        let (_crowd, pids) = crowd(&["count=40", "regions=200", "private_kib=800", "shared_kib=64"]);
        let proc_dir = proc_dir();
        thread::scope(|scope| {
            scope.spawn(|| kill_all(&pids));
            for &pid in &pids {
                let error = loop {
                    match snapshot(&proc_dir, pid, care) {
                        Ok(snapshot) => assert!(!snapshot.regions.is_empty()),
                        Err(error) => break error,
                    }
                };
                let kind = error.kind();
                let told = matches!(kind, ErrorKind::Ended | ErrorKind::NotFound | ErrorKind::NoMemory);
                assert!(told, "{pid}: {kind:?}: {error}");
            }
        });
    }
}

#[test]
fn a_sampler_stops_when_its_process_does() {
    let (_crowd, pids) = crowd(&["count=20", "regions=40", "private_kib=128", "shared_kib=64"]);
    let mut samplers: Vec<Sampler> = pids.iter().map(|&pid| Sampler::new(pid).expect("it lives")).collect();
    thread::scope(|scope| {
        scope.spawn(|| kill_all(&pids));
        for sampler in &mut samplers {
            let pid = sampler.process().pid;
            while sampler.read().unwrap_or_else(|error| panic!("{pid}: {error}")).is_some() {}
        }
    });
    // The number stays taken by a zombie: the answer must not change.
    assert!(samplers.iter_mut().all(|sampler| matches!(sampler.read(), Ok(None))));
}

#[test]
fn what_has_ended_before_it_is_sampled_is_not_sampled() {
    let (crowd, pids) = crowd(&["count=1", "regions=30", "private_kib=64", "shared_kib=64"]);
    let mut sampler = Sampler::new(pids[0]).expect("it lives");
    crowd.stop();
    assert!(matches!(sampler.read(), Ok(None)));
    let error = Sampler::new(pids[0]).err().expect("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
