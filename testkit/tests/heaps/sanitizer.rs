use std::collections::BTreeMap;

use residue_testkit::Program;

use crate::{Block, holder, run_under};

/// The addresses that the leak sanitizer calls directly and indirectly lost.
fn sanitizer_kinds(report: &str) -> BTreeMap<u64, &'static str> {
    let mut kind = "";
    let mut kinds = BTreeMap::new();
    for line in report.lines() {
        if line.starts_with("Direct leak") {
            kind = "definite";
        } else if line.starts_with("Indirect leak") {
            kind = "indirect";
        } else if let Some(digits) = line.strip_prefix("0x") {
            let digits = digits.split(' ').next().unwrap_or_default();
            kinds.insert(u64::from_str_radix(digits, 16).expect("an address"), kind);
        }
    }
    kinds
}

/// Where the sanitizer's rules are others than memcheck's: of a ring, all are lost behind each other and none by itself
/// (but a block that points at itself is), and what is pointed at in its middle is held.
fn by_the_sanitizer(block: &Block) -> Option<&'static str> {
    match block.kind.as_str() {
        "definite" if block.name.starts_with("ring") && block.name.contains('_') => Some("indirect"),
        "definite" => Some("definite"),
        "indirect" => Some("indirect"),
        _ => None,
    }
}

fn assert_the_sanitizer_agrees(program: &Program, arguments: &[&str]) {
    let program = program.clone().flag("-fsanitize=leak").flag("-fno-omit-frame-pointer");
    let (facts, report) = run_under(&[], &program.path().expect("it compiles"), arguments);
    let mut found = sanitizer_kinds(&report);

    for block in Block::all(&facts) {
        assert_eq!(found.remove(&block.address), by_the_sanitizer(&block), "{block:?}: {report}");
    }
    assert!(found.is_empty(), "{found:x?}: {report}");
}

#[test]
fn the_leak_sanitizer_sees_the_kinds_of_leakkinds() {
    assert_the_sanitizer_agrees(&Program::build("leakkinds.c"), &[&holder()]);
}

#[test]
fn the_leak_sanitizer_sees_the_kinds_of_leakkinds_in_cpp() {
    assert_the_sanitizer_agrees(&Program::build("leakkinds.cpp"), &[]);
}

/// Only where the stack for signals is a block: to the sanitizer other mappings are no roots, so it would call lost what
/// a signal saved there.
#[test]
fn the_leak_sanitizer_finds_what_a_signal_interrupted() {
    assert_the_sanitizer_agrees(&Program::build("altstack"), &["stack=malloc"]);
}

#[test]
fn the_leak_sanitizer_counts_what_a_generated_heap_lost() {
    let program = Program::build("heapgen").flag("-fsanitize=leak").flag("-fno-omit-frame-pointer");
    let path = program.path().expect("it compiles");
    let (facts, report) = run_under(&[], &path, &["mb=8", "leaks=1000", "threads=2"]);
    let found = sanitizer_kinds(&report);
    let count = |kind| found.values().filter(|found| **found == kind).count() as u64;

    assert_eq!(count("definite"), facts.number("direct"));
    assert_eq!(count("indirect"), facts.number("indirect") + facts.number("ring_blocks"));
    assert_eq!(found.len() as u64, facts.number("lost"));
}
