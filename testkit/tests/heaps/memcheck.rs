use std::collections::BTreeMap;

use residue_testkit::{Facts, Program};

use crate::{Block, holder, run_under};

/// How many blocks of each kind and size memcheck found.
type Counts = BTreeMap<(&'static str, u64), u64>;

/// Reads the lines `N (M direct, …) bytes in K blocks are definitely lost in loss record …`.
fn memcheck_counts(report: &str) -> Counts {
    let kinds = [
        ("definitely lost", "definite"),
        ("indirectly lost", "indirect"),
        ("possibly lost", "possible"),
        ("still reachable", "reachable"),
    ];
    let mut counts = Counts::new();
    for line in report.lines().filter(|line| line.contains(" in loss record ")) {
        let Some((_, kind)) = kinds.iter().find(|(words, _)| line.contains(words)) else { continue };
        let line = line.replace(',', "");
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |text: &str| -> u64 { text.trim_start_matches('(').parse().expect("a number") };
        let before = |word| words.iter().position(|found| *found == word).map(|at| number(words[at - 1]));
        let bytes = before("direct").or_else(|| before("bytes")).expect("bytes");
        let blocks = before("blocks").expect("blocks");
        *counts.entry((kind, bytes / blocks)).or_default() += blocks;
    }
    counts
}

fn memcheck(program: &Program, arguments: &[&str], heuristics: &str) -> (Facts, Counts, String) {
    let tool = [
        "valgrind",
        "--leak-check=full",
        "--show-leak-kinds=all",
        "--leak-resolution=high",
        "--num-callers=20",
        heuristics,
    ];
    let (facts, report) = run_under(&tool, &program.path().expect("it compiles"), arguments);
    let counts = memcheck_counts(&report);
    (facts, counts, report)
}

/// Lost blocks must be those and no others; what is held also has blocks of the C library.
fn assert_memcheck_agrees(program: &Program, arguments: &[&str]) {
    let (facts, found, report) = memcheck(program, arguments, "--leak-check-heuristics=all");
    let mut told = Counts::new();
    for block in Block::all(&facts) {
        let kind =
            ["definite", "indirect", "possible", "reachable"].into_iter().find(|kind| block.kind == *kind);
        if let Some(kind) = kind {
            *told.entry((kind, block.size)).or_default() += 1;
        }
    }
    let lost = |counts: &Counts| -> Counts {
        let lost = counts.iter().filter(|((kind, _), _)| matches!(*kind, "definite" | "indirect"));
        lost.map(|(key, count)| (*key, *count)).collect()
    };
    assert_eq!(lost(&found), lost(&told), "{report}");
    for (key, count) in told {
        assert!(found.get(&key).is_some_and(|found| *found >= count), "{key:?}: {report}");
    }
}

#[test]
fn memcheck_sees_the_kinds_of_leakkinds() {
    assert_memcheck_agrees(&Program::build("leakkinds.c"), &[&holder()]);
}

#[test]
fn memcheck_sees_the_kinds_of_leakkinds_in_cpp() {
    assert_memcheck_agrees(&Program::build("leakkinds.cpp"), &[]);
}

/// Else the blocks would be held in another way, and prove nothing of the heuristic.
#[test]
fn what_a_heuristic_finds_is_only_possible_without_it() {
    let (facts, found, report) =
        memcheck(&Program::build("leakkinds.cpp"), &[], "--leak-check-heuristics=none");
    let names: Vec<&str> = facts.names().filter_map(|name| name.strip_suffix("_heuristic")).collect();

    assert_eq!(names, ["array", "bases", "old_string", "sized"]);
    for name in names {
        let size = facts.number(&format!("{name}_bytes"));
        assert_eq!(found.get(&("possible", size)), Some(&1), "{name}: {report}");
    }
}

#[test]
fn memcheck_sees_the_kinds_of_leakkinds_in_rust() {
    assert_memcheck_agrees(&Program::build("leakkinds.rs"), &[]);
}

#[test]
fn memcheck_finds_what_a_signal_interrupted() {
    for arguments in [["stack=malloc", ""], ["stack=mmap", ""], ["stack=malloc", "thread=1"]] {
        assert_memcheck_agrees(&Program::build("altstack"), &arguments);
    }
}

/// A heap of one size more or less proves as much: memcheck takes long for a large one.
#[test]
fn memcheck_counts_what_a_generated_heap_lost() {
    let (facts, found, report) = memcheck(
        &Program::build("heapgen"),
        &["mb=2", "leaks=200", "threads=1"],
        "--leak-check-heuristics=none",
    );
    let sum = |kind| found.iter().filter(|((of, _), _)| *of == kind).map(|(_, blocks)| blocks).sum::<u64>();

    let (groups, rings) = (facts.number("direct"), facts.number("rings"));
    assert_eq!((groups, rings), (200, 20));
    assert_eq!(sum("definite"), groups + rings, "{report}");
    assert_eq!(sum("indirect"), facts.number("indirect") + rings, "{report}");
    assert_eq!(found.get(&("possible", facts.number("possible_bytes"))), Some(&1), "{report}");
}
