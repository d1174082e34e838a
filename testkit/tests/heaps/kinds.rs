use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use residue_testkit::{Facts, Libc, Program};

/// The names of the blocks that a program tells of, each with its address, its size and its kind.
fn blocks(facts: &Facts) -> Vec<Block> {
    let blocks: Vec<Block> = facts
        .names()
        .filter_map(|name| name.strip_suffix("_kind"))
        .map(|name| Block {
            name: name.to_owned(),
            address: facts.number(name),
            size: facts.number(&format!("{name}_bytes")),
            kind: facts.text(&format!("{name}_kind")).to_owned(),
        })
        .collect();
    assert_eq!(blocks.len() as u64, facts.number("blocks"));
    blocks
}

#[derive(Debug)]
struct Block {
    name: String,
    address: u64,
    size: u64,
    kind: String,
}

/// What the program says when `tool` runs it to its end, and what the tool writes on stderr.
fn run_under(tool: &[&str], program: &Path, arguments: &[&str]) -> (Facts, String) {
    let words: Vec<_> = tool.iter().map(AsRef::as_ref).chain([program.as_os_str()]).collect();
    let done = Command::new(words[0])
        .args(&words[1..])
        .args(arguments)
        .env("LSAN_OPTIONS", "report_objects=1")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", words[0].display()));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    (Facts::of(said.trim_end()), String::from_utf8_lossy(&done.stderr).into_owned())
}

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

/// Lost blocks must be those and no others; what is held also has blocks of the C library.
fn assert_memcheck_agrees(program: &Program, arguments: &[&str]) {
    let tool = [
        "valgrind",
        "--leak-check=full",
        "--show-leak-kinds=all",
        "--leak-resolution=high",
        "--num-callers=20",
    ];
    let path = program.path().expect("it compiles");
    let (facts, report) = run_under(&tool, &path, arguments);
    let found = memcheck_counts(&report);

    let mut told = Counts::new();
    for block in blocks(&facts) {
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

    for block in blocks(&facts) {
        assert_eq!(found.remove(&block.address), by_the_sanitizer(&block), "{block:?}: {report}");
    }
    assert!(found.is_empty(), "{found:x?}: {report}");
}

fn holder() -> String {
    let path = Program::build("holder").shared().path().expect("it compiles");
    format!("library={}", path.display())
}

#[test]
fn memcheck_sees_the_kinds_of_leakkinds() {
    assert_memcheck_agrees(&Program::build("leakkinds.c"), &[&holder()]);
}

#[test]
fn the_leak_sanitizer_sees_the_kinds_of_leakkinds() {
    assert_the_sanitizer_agrees(&Program::build("leakkinds.c"), &[&holder()]);
}

/// Under each library the blocks are as large as they were asked to be: by its size a test finds a block.
#[test]
fn leakkinds_are_told_alike_with_each_c_library() {
    let told = |program: Program| {
        let running = program.spawn(&[]);
        let blocks = blocks(running.facts()).into_iter().filter(|block| block.size < 5000);
        blocks.map(|block| (block.name, block.size)).collect::<Vec<_>>()
    };
    let here = told(Program::build("leakkinds.c"));

    assert!(here.len() > 40);
    for libc in Libc::UNPACKED {
        assert_eq!(told(Program::build("leakkinds.c").libc(libc)), here, "{libc:?}");
    }
}
