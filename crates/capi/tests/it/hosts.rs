//! Programs that use the library for long, wrongly, or again and again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::harness::{built, compile, fixture, said, scratch};

const DUMP: &str = "dumps/minidump/lldb-linux-x86_64.dmp";

#[test]
fn wrong_calls_give_their_status_and_change_nothing() {
    let folder = scratch("errors");
    let program = compile("tests/c/errors.c", &folder);
    let no_dump = folder.join("text");
    fs::write(&no_dump, "no dump at all, but long enough to be looked at").expect("it can be written");
    let text = said(Command::new(program).arg(fixture(DUMP)).arg(no_dump));
    assert_eq!(text, "0 faults\n");
}

#[test]
fn it_is_loaded_and_unloaded_fifty_times() {
    let program = compile("tests/c/reload.c", &scratch("reload"));
    // Linked with it, it would never be unloaded.
    let text = said(Command::new(program).arg(built().join("libresidue.so")));
    assert_eq!(text, "50 rounds\n");
}

#[test]
fn two_hundred_thousand_calls_leave_memory_flat() {
    let program = compile("tests/c/flat.c", &scratch("flat"));
    let text = said(&mut Command::new(program));
    assert!(text.starts_with("200000 calls"), "{text}");
}

#[test]
fn many_threads_use_one_handle() {
    let program = compile("tests/c/threads.c", &scratch("threads"));
    assert_eq!(said(&mut Command::new(program)), "8 threads, 0 faults, alarms 1\n");
}

/// A service draws its map at any time, also when its samples would make a report of growth.
#[test]
fn handles_that_outlive_their_process_say_so() {
    let folder = scratch("late");
    let page = folder.join("map.html");
    let text = said(Command::new(compile("tests/c/late.c", &folder)).arg(&page));
    assert_eq!(text, "0 faults\n");
    let page = fs::read_to_string(page).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("id=\"picture\""), "{} bytes", page.len());
}

/// A service that samples itself reports with its own curve, and judges its own leak.
#[test]
fn a_service_that_leaks_finds_out_by_itself() {
    let folder = scratch("leaky");
    let program = compile("tests/c/leaky.c", &folder);
    let page = folder.join("page.html");
    let text = said(Command::new(program).arg(&page));
    assert!(text.contains("likely leak") && text.contains("alarms 1"), "{text}");
    let page = fs::read_to_string(page).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("id=\"series\""), "{} bytes", page.len());
}

/// Printed, not asserted: the machine may be busy. `cargo test -p residue-capi speed -- --nocapture` shows it.
#[test]
fn speed_is_shown() {
    let program = compile("tests/c/speed.c", &scratch("speed"));
    let mut holder = Command::new(&program);
    let mut holder =
        holder.args(["hold", "160"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut pid = String::new();
    BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut pid).expect("it says its pid");
    for arguments in [["self", "100", "0.2"], [pid.trim(), "0", "0.2"]] {
        let text = said(Command::new(&program).args(arguments));
        assert!(text.contains("calls/s"), "{text}");
        print!("{text}");
    }
    drop(holder.stdin.take());
    holder.wait().expect("it ends with its input");
}
