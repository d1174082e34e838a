//! What cannot be held, and who says so.

use std::process::{Command, Stdio};

use residue_target::{ErrorKind, Still, Stillness};
use residue_testkit::Program;

use super::{Busy, WAYS, bytes, letters, numbers, status, still, try_still};

fn has_gap(still: &Still<'_>, what: &str) -> bool {
    still.snapshot.gaps.iter().any(|gap| gap.what.contains(what) || gap.why.contains(what))
}

#[test]
fn who_is_not_stopped_is_not_of_one_moment() {
    let posed = Program::build("posed").spawn(&["threads=1"]);
    let fuzzy = still(&posed, Stillness::Running);
    assert!(has_gap(&fuzzy, "as it was at one moment") && has_gap(&fuzzy, "registers of the threads"));
    let exact = still(&posed, Stillness::Stopped);
    assert!(!has_gap(&exact, "as it was at one moment") && !has_gap(&exact, "registers of the threads"));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_a_child_does_not_inherit_is_missing_from_a_snapshot_and_said() {
    let busy = Busy::start("inheritance", &[]);
    for how in WAYS {
        let still = still(&busy.running, how);
        let held = how != Stillness::Forked;
        for name in ["kept", "wiped"] {
            let letters = letters(&still, busy.running.number(name), 16);
            assert_eq!(letters == "x".repeat(16), held, "{how:?}: {name} is {letters}");
            assert_eq!(letters == "-".repeat(16), !held, "{how:?}: {name} is {letters}");
        }
        assert_eq!(has_gap(&still, "MADV_DONTFORK"), !held);
        assert_eq!(has_gap(&still, "65536 bytes of shared memory"), !held);
        assert_eq!(letters(&still, busy.running.number("shared"), 16), "x".repeat(16));
        assert_eq!(bytes(&still, busy.running.number("start") + 4096, 2), Some(vec![0, 0x10]));
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_process_with_filtered_calls_is_not_made_to_fork() {
    let mut busy = Busy::start("filtered", &["filtered=1"]);
    let error = try_still(busy.running.pid(), Stillness::Forked).expect_err("it might be killed");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("seccomp"), "{error}");
    assert!(error.remedy().is_some_and(|help| help.contains("without --snapshot")), "{error:?}");
    still(&busy.running, Stillness::Stopped);
    busy.is_well();
}

/// Registers of 32 bits cannot hold what the fork needs.
#[test]
fn a_32_bit_process_is_stopped_and_not_made_to_fork() {
    let posed = Program::build("posed").bits32().spawn(&["threads=1"]);
    let stopped = still(&posed, Stillness::Stopped);
    assert_eq!(letters(&stopped, posed.number("fenced"), 8), "aaaa-fff");
    assert_eq!(stopped.snapshot.space.bits, 32);
    assert!(stopped.snapshot.threads.iter().all(|thread| thread.registers.len() == 17));
    let error = try_still(posed.pid(), Stillness::Forked).expect_err("it is too narrow");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

#[test]
fn a_process_in_a_debugger_is_read_as_it_stands() {
    let posed = Program::build("posed").spawn(&["threads=2"]);
    let mut gdb = Command::new("gdb")
        .args(["-batch", "-nx", "-p", &posed.pid().to_string(), "-ex", "shell read _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gdb is installed");
    let is_held = || {
        numbers(&format!("/proc/{}/task", posed.pid()))
            .into_iter()
            .all(|tid| status(tid, "State").is_some_and(|state| state.starts_with('t')))
    };
    while !is_held() {
        assert!(gdb.try_wait().is_ok_and(|ended| ended.is_none()), "gdb attaches");
    }
    let refused = try_still(posed.pid(), Stillness::Stopped).expect_err("gdb has it");
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    assert!(refused.remedy().is_some_and(|help| help.contains("--no-stop")), "{refused:?}");
    let exact = still(&posed, Stillness::Running);
    assert_eq!(letters(&exact, posed.number("fenced"), 8), "aaaa-fff");
    assert!(!has_gap(&exact, "as it was at one moment"), "{:?}", exact.snapshot.gaps);
    drop(gdb.stdin.take());
    gdb.wait().expect("it was started here");
}

#[test]
fn what_cannot_be_held_says_why() {
    for how in WAYS {
        let error = try_still(2, how).expect_err("a kernel thread");
        assert_eq!(error.kind(), ErrorKind::NoMemory, "{error:?}");
        let error = try_still(std::process::id(), how).expect_err("ourselves");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    }
}
