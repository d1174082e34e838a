//! Children of every kind: each has a recording of its own, and none harms another.

use residue_testkit::{Facts, Program};
use serde_json::Value;

use crate::harness::recorded::{Case, Recorded, assert_place, assert_sites, report, sites_at};

#[track_caller]
fn run(arguments: &[&str]) -> Recorded {
    Case::of(&Program::build("processes"), arguments).faithful()
}

/// What the children told.
fn children(recorded: &Recorded) -> Vec<Facts> {
    recorded.lines().into_iter().filter(|facts| facts.word() == "child").collect()
}

/// The reports of processes that lost what a child loses.
fn reports_of_children(recorded: &Recorded) -> Vec<Value> {
    let mut reports: Vec<Value> = recorded.others().iter().map(|path| report(path)).collect();
    reports.retain(|report| !sites_at(report, "lose_in_child", None).is_empty());
    reports
}

/// The program itself, and each of its children by itself.
#[track_caller]
fn assert_families(arguments: &[&str]) {
    let recorded = run(arguments);
    recorded.assert_told();
    let (told, reports) = (children(&recorded), reports_of_children(&recorded));
    assert!(!told.is_empty());
    assert_eq!(reports.len(), told.len(), "{:?}", recorded.others());
    for (facts, report) in told.iter().zip(&reports) {
        assert_place(report, facts, "lose_in_child");
        assert!(sites_at(report, "lose_before", None).is_empty(), "that was its parent");
    }
}

#[test]
fn a_child_by_fork_has_a_recording_of_its_own() {
    assert_families(&["case=fork"]);
}

#[test]
fn a_child_that_the_c_library_does_not_know_has_one_too() {
    assert_families(&["case=clone"]);
}

#[test]
fn children_by_vfork_become_programs_of_their_own() {
    assert_families(&["case=vfork"]);
}

#[test]
fn a_child_by_posix_spawn_has_one() {
    assert_families(&["case=spawn"]);
}

#[test]
fn a_daemon_has_one() {
    assert_families(&["case=daemon"]);
}

#[test]
fn children_are_forked_while_other_threads_allocate() {
    run(&["case=storm"]).assert_told();
}

#[test]
fn a_shell_is_asked() {
    run(&["case=shell"]).assert_told();
}

/// It lives in its parent's memory: what it lost is in its parent's recording.
#[test]
fn a_child_may_share_the_memory() {
    run(&["case=shared"]).assert_told();
}

#[test]
fn each_link_of_a_chain_of_programs_has_one() {
    let recorded = run(&["case=exec", "links=5"]);
    let links = recorded.lines();
    let reports = recorded.reports();
    assert_eq!((links.len(), reports.len()), (6, 6), "{:?}", recorded.others());
    for report in &reports {
        assert_place(report, &links[0], "lose_before");
    }
    let last = reports.iter().find(|report| !sites_at(report, "lose_after", None).is_empty());
    assert_sites(last.expect("the last one loses something at its end"), &recorded.facts());
}

#[test]
fn rights_are_given_up() {
    run(&["case=nobody"]).assert_told();
}

#[test]
fn children_may_be_left_out() {
    for case in ["case=fork", "case=spawn", "case=shell", "case=daemon"] {
        let recorded = Case::of(&Program::build("processes"), &[case]).options(&["--no-children"]).faithful();
        recorded.assert_told();
        assert_eq!(recorded.others(), Vec::<std::path::PathBuf>::new(), "{case}");
    }
}
