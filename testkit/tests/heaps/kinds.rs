use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
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

#[test]
fn memcheck_sees_the_kinds_of_leakkinds_in_cpp() {
    assert_memcheck_agrees(&Program::build("leakkinds.cpp"), &[]);
}

#[test]
fn the_leak_sanitizer_sees_the_kinds_of_leakkinds_in_cpp() {
    assert_the_sanitizer_agrees(&Program::build("leakkinds.cpp"), &[]);
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

/// An address that the program forgot on a stack or in its data would hold the block: here, with the real heap, no
/// other tool has looked.
#[test]
fn nothing_outside_the_heap_points_at_what_is_lost() {
    for libc in Libc::UNPACKED {
        for name in ["leakkinds.c", "leakkinds.cpp", "leakkinds.rs"] {
            if libc == Libc::Debian11 && name != "leakkinds.c" {
                continue; // libraries of these languages need a newer one
            }
            let program = Program::build(name).libc(libc).spawn(&[]);
            let blocks = blocks(program.facts());
            let pointed_at = pointed_at(program.pid(), &blocks);
            let lost = pointed_at.iter().find(|block| matches!(block.kind.as_str(), "definite" | "indirect"));
            assert!(lost.is_none(), "{libc:?} {name}: {lost:?}");
            assert!(pointed_at.iter().any(|block| block.kind == "reachable"), "{libc:?} {name}");
        }
    }
}

/// The blocks into which an aligned word outside the heaps points.
fn pointed_at(pid: u32, blocks: &[Block]) -> Vec<&Block> {
    let covers = |block: &Block, place: u64| (block.address..block.address + block.size).contains(&place);
    let first = blocks.iter().map(|block| block.address).min().unwrap_or_default();
    let end = blocks.iter().map(|block| block.address + block.size).max().unwrap_or_default();
    // Mappings of large blocks are one with the stacks beside them, so only the small ones show a heap.
    let is_heap =
        |start, end| blocks.iter().any(|block| block.size < 0x20000 && (start..end).contains(&block.address));
    let mut found = Vec::new();
    for (low, high) in writable(pid).into_iter().filter(|&(low, high)| !is_heap(low, high)) {
        for (place, word) in words(pid, low, high).filter(|(_, word)| (first..end).contains(word)) {
            if !blocks.iter().any(|block| covers(block, place)) {
                found.extend(blocks.iter().filter(|block| covers(block, word)));
            }
        }
    }
    found
}

fn writable(pid: u32) -> Vec<(u64, u64)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the program runs");
    let number = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
    let regions = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        rest.starts_with("rw").then(|| (number(start), number(end)))
    });
    regions.collect()
}

/// The aligned words of a region that can be read: a newer C library has its guards in the middle of stacks.
fn words(pid: u32, start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
    const PAGE: usize = 4096;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("the program runs");
    (start..end).step_by(PAGE).flat_map(move |page| {
        let mut bytes = [0; PAGE];
        let read = memory.read_exact_at(&mut bytes, page).is_ok();
        let words = if read { bytes.chunks_exact(8) } else { [].chunks_exact(8) };
        let words = words.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")));
        (page..).step_by(8).zip(words.collect::<Vec<_>>())
    })
}
