//! What is said of a heap of glibc is byte for byte what malloc says of itself, under whatever it is told to do.
//!
//! The truth is `mallinfo2` and `malloc_stats`, called by the program itself after thousands of random calls. Each C library
//! is tried under all settings; the shape of the program goes round, so that each setting meets another one elsewhere.

use residue_testkit::{Libc, Program, Running};
use serde_json::{Value, json};

use crate::harness::folder::Folder;
use crate::harness::oracle::tool;
use crate::harness::{document, number, residue, rows, text, word};

/// `GLIBC_TUNABLES`. A version that does not know one passes it over.
const SETTINGS: [&str; 16] = [
    "",
    "glibc.malloc.tcache_count=0",
    "glibc.malloc.tcache_count=127",
    "glibc.malloc.arena_max=1",
    "glibc.malloc.mmap_threshold=4096",
    "glibc.malloc.mmap_threshold=33554432",
    "glibc.malloc.mmap_max=0",
    "glibc.malloc.mxfast=0",
    "glibc.malloc.mxfast=160",
    "glibc.malloc.perturb=85",
    "glibc.malloc.tcache_max=65536",
    "glibc.malloc.tcache_max=1048576",
    "glibc.malloc.mmap_threshold=8192:glibc.malloc.tcache_max=262144",
    "glibc.malloc.trim_threshold=4096:glibc.malloc.top_pad=0",
    "glibc.malloc.hugetlb=1",
    "glibc.mem.decorate_maps=1",
];

/// One thread and a heap full of holes; several that trim; several in the arenas of others that have ended.
const SHAPES: [&[&str]; 3] = [
    &["steps=20000"],
    &["steps=8000", "threads=4", "trim=1"],
    &["steps=8000", "threads=3", "ended=3", "slots=512"],
];

/// The C library has blocks of its own: of the loader, of stdio, for each thread.
const LIBRARYS_OWN: u64 = 100;

#[test]
fn all_sums_of_the_systems_libc_are_exact() {
    all_sums_are_exact(Libc::System);
}

#[test]
fn all_sums_of_glibc_2_31_are_exact() {
    all_sums_are_exact(Libc::Debian11);
}

#[test]
fn all_sums_of_glibc_2_41_are_exact() {
    all_sums_are_exact(Libc::Debian13);
}

#[test]
fn all_sums_of_glibc_2_43_are_exact() {
    all_sums_are_exact(Libc::Sid);
}

fn all_sums_are_exact(libc: Libc) {
    let folder = Folder::new();
    let stats = folder.file("stats");
    for (index, setting) in SETTINGS.iter().enumerate() {
        let (seed, into) = (format!("seed={}", index + 1), format!("stats={stats}"));
        let shape = SHAPES[(index + libc as usize) % SHAPES.len()];
        let arguments = [shape, &[seed.as_str(), into.as_str()]].concat();
        let program = Program::build("heapfuzz").libc(libc).env("GLIBC_TUNABLES", setting).spawn(&arguments);
        let pid = program.pid().to_string();

        let heap = document(&["heap", &pid]);
        let shown = text(&["heap", &pid, "--malloc-stats"]);

        let case = format!("{libc:?} {setting:?} {arguments:?}");
        assert_exact(&case, &heap, &program);
        let truth = std::fs::read_to_string(&stats).expect("malloc_stats wrote");
        assert_eq!(shown, truth, "{case}");
    }
}

/// A core says of a heap what the process said of itself: as gdb writes it, and as the kernel would.
#[test]
fn all_sums_of_cores_are_exact() {
    for libc in [Libc::System, Libc::Debian13, Libc::Sid] {
        let program = Program::build("heapfuzz").libc(libc).spawn(&["seed=7", "threads=3", "steps=8000"]);
        let folder = Folder::new();
        let pid = program.pid().to_string();
        let (ours, gdbs) = (folder.file("ours"), folder.file("gdbs"));
        residue(&["dump", &pid, "-o", &ours]).good();
        // Without a terminal it asks nothing.
        tool("gcore", &["-o", &gdbs, &pid]);

        for core in [ours, format!("{gdbs}.{pid}")] {
            assert_exact(&format!("{libc:?} {core}"), &document(&["heap", &core]), &program);
        }
    }
}

#[track_caller]
fn assert_exact(case: &str, document: &Value, program: &Running) {
    let [heap] = rows(document, "heaps") else { panic!("{case}: not one heap: {document:#}") };
    let what =
        ["arena", "ordblks", "smblks", "hblks", "hblkhd", "fsmblks", "uordblks", "fordblks", "keepcost"];
    let ours = what.map(|field| (field, number(&heap["mallinfo"], field)));
    let truth = what.map(|field| (field, program.number(field)));
    assert_eq!(ours, truth, "{case}: {:#} {:#}", heap["identities"], heap["damage"]);
    assert_eq!((word(heap, "verified"), number(heap, "unexplained_bytes")), ("exact", 0), "{case}");
    assert_eq!((&heap["damage"], &heap["gaps"]), (&json!([]), &json!([])), "{case}");

    // The program knows its blocks by what it may use of them; each has a word or two around that.
    let sums = &document["sums"];
    let (blocks, bytes) = (number(sums, "live_blocks"), number(sums, "live_bytes"));
    let (live, live_bytes) = (program.number("live"), program.number("live_bytes"));
    assert!((live..live + LIBRARYS_OWN).contains(&blocks), "{case}: {blocks} live of {live}");
    let at_least = live_bytes + 8 * live;
    assert!(
        bytes >= at_least && bytes < at_least + live * 16 + (256 << 10),
        "{case}: {bytes} live of {live_bytes}"
    );
    let listed: u64 = rows(document, "sizes").iter().map(|row| number(row, "blocks")).sum();
    assert_eq!(listed, blocks, "{case}: each block has a size");
}
