//! Residue killed while it holds a process: the process goes on, and nobody is left.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use residue_target::{StillProgress, Stillness, Target};

use super::{Busy, TOUCHING, process, status, still};

const PID: &str = "RESIDUE_TEST_STILL_PID";
const HOW: &str = "RESIDUE_TEST_STILL_HOW";
const MICROSECONDS: &str = "RESIDUE_TEST_STILL_MICROSECONDS";

/// Runs in a process of its own, which kills itself, or which the tests below kill. By itself it does nothing.
#[test]
fn a_hold_that_is_killed() {
    let (Ok(pid), Ok(how)) = (env::var(PID), env::var(HOW)) else { return };
    let how = if how == "Forked" { Stillness::Forked } else { Stillness::Stopped };
    let until: Option<u64> = env::var(MICROSECONDS).ok().map(|text| text.parse().expect("a number"));
    let process = process(pid.parse().expect("a number"));
    let _ = process.still(how, &mut |progress| {
        // The threads that stop and copy go on meanwhile.
        if let (StillProgress::Stopped, Some(until)) = (progress, until) {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(until) {}
            let us = rustix::process::getpid();
            rustix::process::kill_process(us, rustix::process::Signal::KILL).expect("one may kill oneself");
        }
    });
}

fn hold(pid: u32, how: Stillness, until: Option<usize>) -> Child {
    let test = format!("{}::a_hold_that_is_killed", module_path!().split_once("::").expect("a path").1);
    let mut command = Command::new(env::current_exe().expect("it runs"));
    command.args(["--exact", &test, "--nocapture"]);
    command.env(PID, pid.to_string()).env(HOW, format!("{how:?}"));
    if let Some(until) = until {
        command.env(MICROSECONDS, until.to_string());
    }
    command.stdout(Stdio::null()).spawn().expect("it starts")
}

/// Whether a last page of instructions differs from the file that it was mapped from.
fn is_rewritten(pid: u32) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("root may read it");
    maps.lines().any(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let &[range, "r-xp", offset, _, inode, path] = &words[..] else { return false };
        if inode == "0" {
            return false;
        }
        let hex = |text: &str| u64::from_str_radix(text, 16).expect("a number");
        let (start, end) =
            range.split_once('-').map(|(start, end)| (hex(start), hex(end))).expect("two numbers");
        let (mut mapped, mut filed) = ([0; 4096], [0; 4096]);
        memory.read_exact_at(&mut mapped, end - 4096).expect("it may be executed, and read");
        let file = File::open(path).expect("it is there");
        let mut read = 0;
        while let Ok(more @ 1..) =
            file.read_at(&mut filed[read..], hex(offset) + (end - 4096 - start) + read as u64)
        {
            read += more;
        }
        mapped != filed
    })
}

/// So long after all threads stand: in the middle of the fork, of the way back, of the copy.
#[test]
fn killed_at_any_moment_of_the_stop_it_leaves_the_process_well() {
    for how in TOUCHING {
        let mut all = Busy::start_all(&format!("killed-{how:?}"), &["mib=64", "computing=1"]);
        let mut healed = 0;
        for round in 0..400 {
            if round >= 50 && (healed >= 5 || how == Stillness::Stopped) {
                break;
            }
            let (until, which) = ((round % 50) * (round % 50) * 4, round % all.len());
            let busy = &mut all[which];
            hold(busy.running.pid(), how, Some(until)).wait().expect("it was started here");
            busy.is_well();
            busy.is_alone();
            // Instructions of ours that were executed to their end, with nobody left to clear them away.
            if is_rewritten(busy.running.pid()) {
                healed += 1;
                still(&busy.running, how);
                assert!(!is_rewritten(busy.running.pid()), "the next one clears them away");
            }
        }
        assert_eq!(
            healed >= 5,
            how == Stillness::Forked,
            "{how:?}: {healed} killed in the middle of the fork"
        );
    }
}

#[test]
fn killed_at_any_moment_at_all_it_leaves_the_process_well() {
    for how in TOUCHING {
        let mut busy = Busy::start(&format!("killed-at-all-{how:?}"), &["mib=64"]);
        let pid = busy.running.pid();
        let mut caught = 0;
        for round in 0..50 {
            let mut tool = hold(pid, how, None);
            while status(pid, "TracerPid").as_deref() == Some("0")
                && tool.try_wait().is_ok_and(|ended| ended.is_none())
            {}
            thread::sleep(Duration::from_micros(round * 300));
            caught += u32::from(tool.try_wait().is_ok_and(|ended| ended.is_none()));
            tool.kill().expect("it was started here");
            tool.wait().expect("it was started here");
            busy.is_well();
            busy.is_alone();
        }
        assert!(caught >= 10, "only {caught} were killed before they were done");
    }
}
