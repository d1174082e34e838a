//! What comes before main and after it, libraries that go, and programs that shut themselves off.

use residue_testkit::Program;

use crate::harness::number;
use crate::harness::recorded::{Case, Recorded, assert_place};

#[test]
fn what_is_lost_before_main_and_after_it_is_counted() {
    for how in ["return", "exit", "thread_last"] {
        Case::of(&Program::build("edges"), &[&format!("how={how}")]).faithful().assert_told();
    }
}

// --- libraries -----------------------------------------------------------------------------------------------------

#[track_caller]
fn plugins(case: &str) -> Recorded {
    let path = |program: &Program| program.path().expect("it compiles").display().to_string();
    let plugin = || Program::build("plugin").shared();
    let red = path(&plugin().flag("-DPLUGIN=red"));
    let blue = path(&plugin().flag("-DPLUGIN=blue").flag("-DSHIFTED"));
    let arguments = [format!("case={case}"), format!("red={red}"), format!("blue={blue}")];
    Case::of(&Program::build("plugins"), &arguments.each_ref().map(String::as_str)).faithful()
}

#[test]
fn frames_of_a_library_outlive_it() {
    plugins("once").assert_told();
    plugins("kept").assert_told();
}

#[test]
fn a_library_comes_and_goes_many_times() {
    plugins("again").assert_told();
}

#[test]
fn one_library_stands_where_another_stood() {
    plugins("swapped").assert_told();
}

/// The library finds the C library before the recorder: nothing of it is seen, or all. The program's own is counted in
/// any case.
#[test]
fn a_library_with_a_scope_of_its_own_does_no_harm() {
    for case in ["deep", "namespace"] {
        let recorded = plugins(case);
        let (facts, report) = (recorded.facts(), recorded.report());
        assert_place(&report, &facts, "lose_in_program");
        assert_eq!(number(&report["totals"], "dropped"), 0);
    }
}

// --- shut off ------------------------------------------------------------------------------------------------------

#[track_caller]
fn assert_shut(arguments: &[&str]) {
    Case::of(&Program::build("shut"), arguments).faithful().assert_told();
}

#[test]
fn all_files_are_closed() {
    assert_shut(&["case=files"]);
    assert_shut(&["case=range"]);
}

/// A program that may call nothing but what its allocator needs is killed for anything else.
#[test]
fn system_calls_are_filtered() {
    assert_shut(&["case=filter"]);
}

/// More than fits before the collector has read it: whoever waits for it needs the kernel, or patience.
#[test]
fn rings_run_full_while_system_calls_are_filtered() {
    assert_shut(&["case=filter", "count=50000"]);
}

#[test]
fn nothing_but_read_and_write_is_allowed() {
    assert_shut(&["case=strict"]);
    assert_shut(&["case=strict", "count=20000"]);
}

#[test]
fn nobody_may_look() {
    assert_shut(&["case=undumped"]);
}
