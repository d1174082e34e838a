//! The oldest way to die with most of the memory free: allocate 100 MiB, leave one block, free, repeat.

use residue_testkit::{Program, Running};
use serde_json::Value;

use crate::harness::{document, number, row_of, rows, word};

/// The free address space, and the largest piece of it.
fn free(program: &Running) -> (u64, u64) {
    let map = document(&["map", &program.pid().to_string()]);
    (number(&map["free"], "total"), number(&map["free"], "largest"))
}

fn triage(program: &Running) -> Value {
    document(&["triage", &program.pid().to_string(), "--for", "1s"])
}

/// Runs the experiment to its end, and checks what is seen of it against what the program found by trying.
fn run(mut program: Running, space_that_it_has: u64) {
    let (total_before, largest_before) = free(&program);
    let half = program.ask("go 8");
    let (_, largest_between) = free(&program);
    let end = program.ask("go 10000");
    let (total_after, largest_after) = free(&program);

    assert_eq!(end.number("refused"), 1, "it ran to the end");
    assert!(largest_before > space_that_it_has, "{largest_before}");
    assert!(largest_between < largest_before && largest_after < largest_between, "it shrinks");
    assert!(largest_after < 100 << 20, "no round fits any more: {largest_after}");
    for (ours, told) in [(largest_between, half.number("largest")), (largest_after, end.number("largest"))] {
        // Between two answers the program itself may map a little: the kernel keeps a gap at stacks.
        assert!(ours.abs_diff(told) <= 2 << 20, "the program could get {told}, and we see {ours}");
    }
    let lost = total_before - total_after;
    assert!(lost < total_before / 20, "the total stays: {total_before} and {total_after}");

    let report = triage(&program);
    let finding = row_of(rows(&report, "findings"), "id", "address_space_fragmented");
    assert!(matches!(word(finding, "severity"), "critical" | "warning"), "{finding}");
    assert!(word(finding, "title").contains("crumbs"), "{finding}");
}

/// 64 bits bounded by reserving the rest, so that the experiment ends.
#[test]
fn a_bounded_64_bit_process_runs_out_with_most_of_it_free() {
    run(Program::build("fragmenting").spawn(&["bound=2147483648"]), 1900 << 20);
}

#[test]
fn a_32_bit_process_runs_out_with_most_of_it_free() {
    run(Program::build("fragmenting").bits32().spawn(&[]), 1900 << 20);
}
