//! Each block is told as what it is: programs that know what they lost, with several C libraries, live and from cores,
//! and beside memcheck and the leak sanitizer.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use residue_testkit::{Facts, Libc, Program, Running};
use serde_json::Value;

use crate::harness::folder::Folder;
use crate::harness::told::{Told, assert_sums, assert_told, holder, kinds, record_of};
use crate::harness::{document, number, oracle, residue, rows, word};

const ALL: [&str; 3] = ["--kinds", "all", "--all-addresses"];

fn leaks(target: &str) -> Value {
    document(&[&["leaks", target], &ALL[..]].concat())
}

/// Live, and from a core that the command itself wrote.
#[track_caller]
fn assert_kinds(program: &Program, arguments: &[&str]) {
    let running = program.spawn(arguments);
    let (pid, told) = (running.pid().to_string(), Told::all(running.facts()));

    let live = leaks(&pid);
    assert_eq!(live["heaps"][0]["verified"], "exact", "{}", live["heaps"]);
    assert_told(&live, &told);
    assert_rings(&live, &told);

    let folder = Folder::new();
    let core = folder.file("core");
    residue(&["dump", &pid, "-o", &core]).good();
    let dead = leaks(&core);
    assert_told(&dead, &told);
    assert_eq!(dead["totals"], live["totals"], "the core is of the same process");
}

/// A lost ring is one component with its members, and what it retains counts once.
#[track_caller]
fn assert_rings(document: &Value, told: &[Told]) {
    let mut rings = 0;
    for block in told.iter().filter(|block| block.is_in_lost_ring()) {
        let group = block.name.rsplit_once('_').expect("a number").0;
        let members = told.iter().filter(|other| {
            other.is_in_lost_ring() && other.name.rsplit_once('_').is_some_and(|(name, _)| name == group)
        });
        let record = record_of(document, block.address);
        assert_eq!(record["cycle"], true, "{block:?}: {record:#}");
        assert_eq!(number(record, "members"), members.count() as u64, "{block:?}: {record:#}");
        rings += 1;
    }
    assert!(rings > 1, "{told:?}");
    let of_kind = |kind| rows(document, "leaks").iter().filter(move |record| record["kind"] == kind);
    let retained: u64 = of_kind("definite").map(|record| number(record, "retained_bytes")).sum();
    let lost = ["definite", "indirect"].map(|kind| number(&document["totals"][kind], "bytes"));
    assert_eq!(retained, lost.into_iter().sum::<u64>(), "what is retained is what is lost");
}

#[test]
fn blocks_of_c_are_told_as_what_they_are() {
    assert_kinds(&Program::build("leakkinds.c"), &[&holder()]);
}

#[test]
fn blocks_of_cpp_are_told_as_what_they_are() {
    assert_kinds(&Program::build("leakkinds.cpp"), &[]);
}

#[test]
fn blocks_of_rust_are_told_as_what_they_are() {
    assert_kinds(&Program::build("leakkinds.rs"), &[]);
}

#[test]
fn blocks_are_told_alike_with_the_c_library_of_trixie() {
    assert_kinds(&Program::build("leakkinds.c").libc(Libc::Debian13), &[&holder()]);
}

#[test]
fn blocks_are_told_alike_with_the_c_library_of_sid() {
    assert_kinds(&Program::build("leakkinds.c").libc(Libc::Sid), &[&holder()]);
}

#[test]
fn blocks_of_a_static_program_are_told_as_what_they_are() {
    assert_kinds(&Program::build("leakkinds.c").flag("-static"), &[]);
}

/// The classes that objects had, of C++ by what stands in the program alone.
#[test]
fn objects_are_told_by_their_class() {
    let running = Program::build("leakkinds.cpp").spawn(&[]);
    let found = leaks(&running.pid().to_string());

    let named: Vec<&str> = running.facts().names().filter_map(|name| name.strip_suffix("_class")).collect();
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        let record = record_of(&found, running.number(name));
        assert_eq!(record["type"], running.fact(&format!("{name}_class")), "{name}: {record:#}");
    }
}

// --- counted leaks -------------------------------------------------------------------------------------------------

/// Zero false, zero missed.
#[track_caller]
fn assert_counted(document: &Value, program: &Facts) {
    let totals = &document["totals"];
    let blocks = |kind: &str| number(&totals[kind], "blocks");
    let (groups, ring_blocks) = (program.number("direct"), program.number("ring_blocks"));

    assert_eq!(blocks("definite"), groups + ring_blocks);
    assert_eq!(blocks("indirect"), program.number("indirect"));
    let bytes = ["definite", "indirect"].map(|kind| number(&totals[kind], "bytes"));
    assert_eq!(bytes.into_iter().sum::<u64>(), program.number("lost_bytes"));
    assert_eq!(
        (blocks("possible"), number(&totals["possible"], "bytes")),
        (1, program.number("possible_bytes"))
    );
    assert!(blocks("reachable") >= program.number("live") - program.number("lost") - 1, "{totals}");
    assert_sums(document);
    let rings: Vec<_> = rows(document, "leaks").iter().filter(|record| record["cycle"] == true).collect();
    assert_eq!(rings.len(), 1, "{rings:#?}");
    assert_eq!((number(rings[0], "members"), number(rings[0], "blocks")), (2, ring_blocks));
    assert_eq!(rings[0]["type"], "Lost");
}

const HEAP: [&str; 3] = ["mb=6", "leaks=500", "threads=2"];

#[test]
fn counted_leaks_are_found_and_no_others() {
    for libc in [Libc::Debian12, Libc::Debian13, Libc::Sid] {
        let program = Program::build("heapgen").libc(libc).spawn(&HEAP);
        let found = leaks(&program.pid().to_string());
        assert_eq!(found["heaps"][0]["verified"], "exact", "{libc:?}: {}", found["heaps"]);
        assert_counted(&found, program.facts());
    }
}

#[test]
fn counted_leaks_are_found_in_a_core_of_our_own() {
    let folder = Folder::new();
    for libc in [Libc::Debian12, Libc::Debian13, Libc::Sid] {
        let program = Program::build("heapgen").libc(libc).spawn(&HEAP);
        let core = folder.file(&format!("{libc:?}.core"));
        residue(&["dump", &program.pid().to_string(), "-o", &core]).good();
        assert_counted(&leaks(&core), program.facts());
    }
}

#[test]
fn counted_leaks_are_found_in_a_core_of_gdb() {
    let (program, folder) = (Program::build("heapgen").libc(Libc::Debian13), Folder::new());
    let (running, core, _) = of_gdb(&program, &folder);
    assert_counted(&leaks(&core), running.facts());
}

/// From glibc 2.42 on, a stack has its guard in the middle of a readable mapping. gdb cannot read it, and leaves zeros for
/// the whole stack: what only that held looks lost, so it must at least be said that the stack was not seen.
#[test]
fn stacks_that_gdb_left_out_are_told() {
    let (program, folder) = (Program::build("heapgen").libc(Libc::Sid), Folder::new());
    let (running, core, said) = of_gdb(&program, &folder);
    let found = leaks(&core);

    if said.contains("Memory read failed") {
        let gap =
            rows(&found, "gaps").iter().find(|gap| word(gap, "what").starts_with("the stacks of 2 of 3"));
        assert!(gap.is_some_and(|gap| word(gap, "why").contains("called lost")), "{}", found["gaps"]);
    } else {
        assert_counted(&found, running.facts());
    }
}

/// A program, the core that gdb made of it, and what gdb said.
fn of_gdb(program: &Program, folder: &Folder) -> (Running, String, String) {
    let running = program.spawn(&HEAP);
    let (prefix, pid) = (folder.file("gdb"), running.pid().to_string());
    let done = Command::new("gcore").args(["-o", &prefix, &pid]).output().expect("gdb is there");
    assert!(done.status.success(), "{done:?}");
    (running, format!("{prefix}.{pid}"), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// The core that people have. Where cores are forbidden, or the kernel hands them to a program, there is none to look at,
/// which the test says.
#[test]
fn counted_leaks_are_found_in_a_core_of_the_kernel() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("the kernel tells");
    let limits = fs::read_to_string("/proc/self/limits").expect("the kernel tells");
    let most =
        limits.lines().find_map(|line| line.strip_prefix("Max core file size")?.split_whitespace().nth(1));
    if pattern.starts_with(['|', '/']) || pattern.trim().is_empty() || most == Some("0") {
        eprintln!("left out: this machine writes no core here ({}, at most {most:?})", pattern.trim());
        return;
    }
    let folder = Folder::new();
    let mut child = Command::new("prlimit")
        .args(["--core=unlimited:", "--"])
        .args(Program::build("heapgen").words().expect("it compiles"))
        .args(HEAP)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("prlimit is there");
    let mut line = String::new();
    let out = child.stdout.take().expect("stdout was asked for");
    BufReader::new(out).read_line(&mut line).expect("it speaks");
    let facts = Facts::of(line.trim_end());
    oracle::tool("kill", &["-ABRT", &child.id().to_string()]);
    child.wait().expect("it ends");

    let core = fs::read_dir(folder.path()).expect("it is there").flatten().map(|entry| entry.path()).next();
    let core = core.unwrap_or_else(|| panic!("no core in its folder, though the pattern is {pattern:?}"));
    assert_counted(&leaks(core.to_str().expect("a plain name")), &facts);
}

// --- beside other tools --------------------------------------------------------------------------------------------

/// What the program says when a tool runs it to its end, and what the tool writes on stderr.
fn run_under(tool: &[&str], program: &Program, arguments: &[&str]) -> (Facts, String) {
    let path = program.path().expect("it compiles");
    let words: Vec<_> = tool.iter().map(AsRef::as_ref).chain([path.as_os_str()]).collect();
    let done = Command::new(words[0])
        .args(&words[1..])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", words[0].display()));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    (Facts::of(said.trim_end()), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Blocks and bytes that memcheck's summary has for a kind.
#[track_caller]
fn memcheck(report: &str, kind: &str) -> (u64, u64) {
    let line = report.lines().find_map(|line| line.split_once(kind).map(|(_, rest)| rest));
    let numbers = line.unwrap_or_else(|| panic!("no {kind:?} in {report}")).replace(',', "");
    let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (numbers[1], numbers[0])
}

/// Blocks and bytes of a kind.
fn ours(document: &Value, kind: &str) -> (u64, u64) {
    (number(&document["totals"][kind], "blocks"), number(&document["totals"][kind], "bytes"))
}

/// Members of lost rings that memcheck calls lost behind the first.
fn behind_in_rings(told: &[Told]) -> (u64, u64) {
    let behind: Vec<&Told> =
        told.iter().filter(|block| block.is_in_lost_ring() && block.kind == "indirect").collect();
    (behind.len() as u64, behind.iter().map(|block| block.size).sum())
}

/// By how much the C library makes the blocks of a kind larger than the tool's allocator does: large ones fill pages.
fn rounded(told: &[Told], theirs: &Facts, kind: &str) -> u64 {
    let of_kind = told.iter().filter(|block| block.kind == kind);
    of_kind.map(|block| block.size - theirs.number(&format!("{}_bytes", block.name)).min(block.size)).sum()
}

fn plus(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0 + other.0, one.1 + other.1)
}

/// Totals are those of memcheck, but that all members of a ring are lost by themselves. What is reachable also has
/// blocks that the C library gave back at the end, or that valgrind's own allocator rounds otherwise: it is left out.
#[track_caller]
fn assert_memcheck_agrees(program: &Program, arguments: &[&str], heuristics: &str) {
    let tool = ["valgrind", "--leak-check=full", "--show-leak-kinds=all"];
    let heuristics_of_it = format!("--leak-check-heuristics={heuristics}");
    let (facts, report) = run_under(&[&tool[..], &[&heuristics_of_it]].concat(), program, arguments);
    let running = program.spawn(arguments);
    let told = Told::all(running.facts());

    let pid = running.pid().to_string();
    let found = document(&[&["leaks", &pid, "--heuristics", heuristics], &ALL[..]].concat());

    let behind = behind_in_rings(&Told::all(&facts));
    let definite =
        plus(plus(memcheck(&report, "definitely lost:"), behind), (0, rounded(&told, &facts, "definite")));
    assert_eq!(ours(&found, "definite"), definite, "{report}");
    let indirect = plus(memcheck(&report, "indirectly lost:"), (0, rounded(&told, &facts, "indirect")));
    assert_eq!(plus(ours(&found, "indirect"), behind), indirect, "{report}");
    let possible = told.iter().filter(|block| {
        let kind = kinds(&found).remove(&block.address);
        kind.as_deref() == Some("possible")
    });
    let possible = possible.fold((0, 0), |sum, block| plus(sum, (1, block.size)));
    assert_eq!(ours(&found, "possible"), possible);
    // The table of modules of a thread is pointed at by its second entry: memcheck knows no better than its definition.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").count() as u64 - 1;
    assert_eq!(memcheck(&report, "possibly lost:").0, possible.0 + threads, "{report}");
}

#[test]
fn memcheck_agrees_about_c() {
    assert_memcheck_agrees(&Program::build("leakkinds.c"), &[&holder()], "all");
}

#[test]
fn memcheck_agrees_about_cpp() {
    assert_memcheck_agrees(&Program::build("leakkinds.cpp"), &[], "all");
}

/// Blocks that memcheck's heuristics find are only possibly lost without them, here as there.
#[test]
fn memcheck_agrees_about_cpp_without_heuristics() {
    assert_memcheck_agrees(&Program::build("leakkinds.cpp"), &[], "none");
}

#[test]
fn memcheck_agrees_about_rust() {
    assert_memcheck_agrees(&Program::build("leakkinds.rs"), &[], "all");
}

/// Of a ring the sanitizer calls all members lost behind each other and none by itself, and what is pointed at in its
/// middle it calls held. What it finds is otherwise what is lost here.
#[track_caller]
fn assert_sanitizer_agrees(program: &Program, arguments: &[&str]) {
    let sanitized = program.clone().flag("-fsanitize=leak").flag("-fno-omit-frame-pointer");
    let (facts, report) = run_under(&[], &sanitized, arguments);
    let sum = |kind: &str| {
        let lines = report.lines().filter_map(|line| line.strip_prefix(kind));
        let count = |line: &str| {
            let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            (numbers[1], numbers[0])
        };
        lines.map(count).fold((0, 0), plus)
    };
    let running = program.spawn(arguments);
    let told = Told::all(running.facts());

    let found = leaks(&running.pid().to_string());

    let rings = told.iter().filter(|block| block.is_in_lost_ring());
    let rings = rings.fold((0, 0), |sum, block| plus(sum, (1, block.size)));
    let definite = plus(plus(sum("Direct leak of"), rings), (0, rounded(&told, &facts, "definite")));
    assert_eq!(ours(&found, "definite"), definite, "{report}");
    let indirect = plus(sum("Indirect leak of"), (0, rounded(&told, &facts, "indirect")));
    assert_eq!(plus(ours(&found, "indirect"), rings), indirect, "{report}");
}

#[test]
fn the_leak_sanitizer_agrees_about_c() {
    assert_sanitizer_agrees(&Program::build("leakkinds.c"), &[&holder()]);
}

#[test]
fn the_leak_sanitizer_agrees_about_cpp() {
    assert_sanitizer_agrees(&Program::build("leakkinds.cpp"), &[]);
}
