//! All that a program asks of its allocator is counted: beside a library that counts the same.

use std::fs;

use residue_testkit::Program;

use crate::harness::folder::Folder;
use crate::harness::number;
use crate::harness::recorded::Case;

/// Linked to the program, between the recorder and the C library: what both saw must be equal.
#[track_caller]
fn assert_totals(program: Program, arguments: &[&str]) {
    let tally = Program::build("tally").shared().path().expect("it compiles").display().to_string();
    let program = program.flag("-Wl,--no-as-needed").flag(&tally);
    let folder = Folder::new();
    let counts = folder.file("counts");
    let recorded = Case::of(&program, arguments).env("TALLY", &counts).options(&["--no-children"]).recorded();
    let counts = fs::read(counts).expect("the library counted");
    let count = |place: usize| u64::from_le_bytes(counts[8 * place..][..8].try_into().expect("eight bytes"));
    let (allocations, frees) = (count(0), count(1));

    let totals = &recorded.report()["totals"];

    assert!(allocations > 0, "nobody counted");
    assert_eq!(number(totals, "dropped"), 0, "{totals}");
    assert_eq!(
        (number(totals, "allocations"), number(totals, "frees")),
        (allocations, frees),
        "{arguments:?} {totals}"
    );
    assert_eq!(number(totals, "live_blocks"), allocations - frees, "{arguments:?} {totals}");
}

#[test]
fn totals_are_those_of_another_count() {
    for (program, arguments) in [
        ("ways.c", &[][..]),
        ("ways.cpp", &[]),
        ("oddities", &["case=nothing"]),
        ("oddities", &["case=refused"]),
        ("jumps", &["case=thrown"]),
        ("jumps", &["case=left", "rounds=200"]),
        ("contexts", &["threads=3"]),
        ("swarm", &["case=brief", "threads=400"]),
        ("swarm", &["case=pipeline"]),
    ] {
        assert_totals(Program::build(program), arguments);
    }
}

#[test]
fn totals_of_a_million_operations_are_exact() {
    let churn = Program::build("churn").flag("-O2").flag("-fomit-frame-pointer");
    assert_totals(churn, &["threads=2", "operations=500000", "leak=1000"]);
}

/// A slow leak beside millions of blocks that are freed.
#[test]
fn a_slow_leak_is_found_in_the_churn() {
    let churn = Program::build("churn").flag("-O2").flag("-fomit-frame-pointer");
    let recorded = Case::of(&churn, &["threads=2", "operations=300000", "leak=3000"]).recorded();
    recorded.assert_told();
}
