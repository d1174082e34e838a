//! Threads, and stacks that are not left by returning: whose frames are whose.

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::recorded::{Case, assert_place};
use crate::harness::{number, rows, word};

#[track_caller]
fn assert_counted(program: &Program, arguments: &[&str]) {
    Case::of(program, arguments).faithful().assert_told();
}

#[test]
fn thousands_of_threads_come_and_go() {
    assert_counted(&Program::build("swarm"), &["case=brief"]);
}

#[test]
fn blocks_are_freed_by_other_threads() {
    assert_counted(&Program::build("swarm"), &["case=pipeline"]);
}

#[test]
fn threads_end_that_nobody_waits_for() {
    assert_counted(&Program::build("swarm"), &["case=detached"]);
}

#[test]
fn a_program_ends_while_its_threads_allocate() {
    assert_counted(&Program::build("swarm"), &["case=abandoned"]);
}

#[test]
fn handlers_allocate_in_a_storm_of_signals() {
    assert_counted(&Program::build("signals"), &["case=storm"]);
}

#[test]
fn handlers_allocate_on_stacks_of_their_own() {
    assert_counted(&Program::build("signals"), &["case=altstack"]);
}

#[test]
fn a_handler_leaves_a_stack_that_is_full() {
    assert_counted(&Program::build("signals"), &["case=overflow"]);
}

#[test]
fn other_threads_send_signals() {
    assert_counted(&Program::build("signals"), &["case=directed"]);
}

/// The allocator takes it, so the recorder has to: the handler interrupts it anywhere. That it stands between the two also shows
/// that what was preloaded before still is.
///
/// A handler that comes again and again while its thread waits for the collector, on a busy machine, finds no room to note
/// more: then that much is said to be missing. Else nothing is.
#[test]
fn a_handler_may_interrupt_the_recorder_anywhere() {
    let bump = Program::build("bump").shared().path().expect("it compiles");
    let case = Case::of(&Program::build("signals"), &["case=reckless", "times=2000"]);
    let recorded = case.env("LD_PRELOAD", &bump.display().to_string()).faithful();
    let report = recorded.report();
    if number(&report["totals"], "dropped") == 0 {
        recorded.assert_told();
    } else {
        let says_so = |gap: &Value| word(gap, "what").contains("events");
        assert!(rows(&report, "gaps").iter().any(says_so), "{:#}", report["gaps"]);
    }
}

#[test]
fn exceptions_unwind_recorded_frames() {
    assert_counted(&Program::build("jumps"), &["case=thrown"]);
    assert_counted(&Program::build("jumps"), &["case=rethrown"]);
}

#[test]
fn jumps_leave_recorded_frames() {
    assert_counted(&Program::build("jumps"), &["case=jumped"]);
}

#[test]
fn threads_exit_and_are_cancelled_in_the_middle() {
    assert_counted(&Program::build("jumps"), &["case=left"]);
}

/// Optimized code keeps no frame pointers, and its functions end in jumps.
#[test]
fn optimized_code_is_followed() {
    for program in ["jumps", "contexts", "signals", "deep"] {
        let program = Program::build(program).flag("-O2").flag("-fomit-frame-pointer").flag("-fno-inline");
        Case::of(&program, &[]).faithful().assert_told();
    }
}

#[test]
fn code_at_a_fixed_address_is_followed() {
    let program = Program::build("jumps").flag("-no-pie").flag("-Wl,-z,noseparate-code");
    assert_counted(&program, &["case=thrown"]);
}

/// Each part of an image is mapped by itself, and no part has both code and its rules.
#[test]
fn code_between_holes_is_followed() {
    for fixed in ["-pie", "-no-pie"] {
        let program = Program::build("jumps").flag(fixed).flag("-Wl,-z,max-page-size=0x200000");
        assert_counted(&program.flag("-Wl,-z,separate-code"), &["case=thrown"]);
    }
}

#[test]
fn coroutines_take_turns() {
    assert_counted(&Program::build("contexts"), &[]);
    assert_counted(&Program::build("contexts"), &["threads=4"]);
}

#[test]
fn coroutines_move_between_threads() {
    assert_counted(&Program::build("contexts"), &["move=1"]);
}

#[test]
fn stacks_are_deeper_than_anybody_keeps() {
    assert_counted(&Program::build("deep"), &[]);
    assert_counted(&Program::build("deep"), &["depth=60000", "rounds=1"]);
}

/// A frame without rules hides its callers; not those of the next call.
#[test]
fn code_of_no_file_hides_its_own_callers_alone() {
    let recorded = Case::of(&Program::build("jitted"), &[]).faithful();
    let (facts, report) = (recorded.facts(), recorded.report());
    let blocks = facts.number("lose_by_code_blocks") + facts.number("lose_itself_blocks");
    let bytes = facts.number("lose_by_code_bytes") + facts.number("lose_itself_bytes");
    let totals = &report["totals"];
    assert_eq!((number(totals, "live_blocks"), number(totals, "live_bytes")), (blocks, bytes), "{totals}");
    assert_place(&report, &facts, "lose_itself");
    let lost = rows(&report, "sites").iter().filter(|site| [32, 96].contains(&site_size(site)));
    let frames: Vec<_> = lost.flat_map(|site| rows(site, "frames")).collect();
    assert!(!frames.is_empty());
    for name in frames.iter().filter_map(|frame| frame["function"].as_str()) {
        let is_caller = ["main", "lose_by_code", "lose_itself"].contains(&name) || name.starts_with('_');
        assert!(is_caller, "{name} had returned");
    }
}

/// The bytes of each block of a site that lost all of its blocks.
fn site_size(site: &Value) -> u64 {
    number(site, "live_bytes") / number(site, "live_blocks").max(1)
}

#[test]
fn code_of_no_file_with_a_frame_pointer_is_passed() {
    let program = Program::build("jitted").flag("-fno-omit-frame-pointer");
    assert_counted(&program, &["frame=pointer"]);
}
