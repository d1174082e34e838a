//! What must not happen to a process that is held still.

use std::thread;
use std::time::Duration;

use residue_target::{ErrorKind, StillProgress, Stillness, Target};
use residue_testkit::Program;

use super::{Busy, TOUCHING, process, signal, status, still, try_still};

/// Threads that compute keep their registers, those in system calls go on waiting and do not see an interruption.
#[test]
fn a_busy_process_goes_on_as_if_nothing_had_been() {
    for how in TOUCHING {
        for mut busy in Busy::start_all(&format!("goes-on-{how:?}"), &["computing=1"]) {
            for _ in 0..20 {
                still(&busy.running, how);
            }
            busy.is_well();
            busy.is_alone();
        }
    }
}

/// All of them run: none stands in a system call that would make it easy.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_snapshot_needs_no_thread_in_a_system_call() {
    let mut spinning = Program::build("spinning").spawn(&[]);
    for _ in 0..20 {
        let still = still(&spinning, Stillness::Forked);
        assert!(still.stop.is_some_and(|stop| stop.forking.is_some()));
    }
    signal(spinning.pid(), "-USR1");
    assert_eq!(spinning.hear(), "spinning wrong=0");
}

#[test]
fn every_signal_arrives_once() {
    const SIGNALS: u64 = 200;
    for how in TOUCHING {
        let mut busy = Busy::start(&format!("signals-{how:?}"), &[]);
        let pid = busy.running.pid();
        let number = format!("-{}", busy.running.number("signal"));
        thread::scope(|scope| {
            let sender = scope.spawn(|| (0..SIGNALS).for_each(|_| signal(pid, &number)));
            while !sender.is_finished() {
                still(&busy.running, how);
            }
        });
        busy.is_well();
        assert_eq!(busy.running.ask("how many").number("signals"), SIGNALS, "{how:?}");
    }
}

#[test]
fn a_stopped_process_stays_stopped_until_it_is_continued() {
    for how in TOUCHING {
        let mut busy = Busy::start(&format!("stopped-{how:?}"), &[]);
        let pid = busy.running.pid();
        let stands = || status(pid, "State").is_some_and(|state| state.starts_with('T'));
        signal(pid, "-STOP");
        while !stands() {}
        let seen = still(&busy.running, how);
        assert_eq!(seen.snapshot.threads.iter().filter(|thread| !thread.registers.is_empty()).count(), 8);
        while !stands() {}
        signal(pid, "-CONT");
        busy.is_well();
    }
}

/// It comes while the process stands, and takes effect when it no longer does.
#[test]
fn a_stop_signal_that_comes_meanwhile_stops_it_afterwards() {
    for how in TOUCHING {
        let mut busy = Busy::start(&format!("stopping-{how:?}"), &["mib=64"]);
        let pid = busy.running.pid();
        process(pid)
            .still(how, &mut |progress| {
                if progress == StillProgress::Stopped {
                    signal(pid, "-STOP");
                }
            })
            .expect("it can be held");
        for _ in 0..120_000 {
            if status(pid, "State").is_some_and(|state| state.starts_with('T')) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        assert!(status(pid, "State").is_some_and(|state| state.starts_with('T')), "{how:?}");
        signal(pid, "-CONT");
        busy.is_well();
        busy.is_alone();
    }
}

#[test]
fn a_process_killed_meanwhile_is_told_or_whole() {
    for how in TOUCHING {
        let pulse = Program::build("pulse").spawn(&["mib=256"]);
        let pid = pulse.pid();
        let process = process(pid);
        let held = process.still(how, &mut |progress| {
            if progress == StillProgress::Stopped {
                signal(pid, "-KILL");
            }
        });
        match held {
            Ok(still) => assert!(still.stop.is_some_and(|stop| stop.copied.0 > 256 << 20)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Ended, "{error:?}"),
        }
    }
    assert_eq!(try_still(u32::MAX / 2, Stillness::Stopped).expect_err("nobody").kind(), ErrorKind::NotFound);
}
