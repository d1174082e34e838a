//! The programs hold what they say: checked against the kernel's own list, read here by hand.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use residue_testkit::{Program, Running};

/// The ranges of a process, with the rest of each line.
fn regions(pid: u32) -> Vec<(u64, u64, String)> {
    let maps = fs::read(format!("/proc/{pid}/maps")).expect("the program runs");
    String::from_utf8_lossy(&maps).lines().map(region).collect()
}

fn region(line: &str) -> (u64, u64, String) {
    let (range, rest) = line.split_once(' ').expect("a range and more");
    let (start, end) = range.split_once('-').expect("start and end");
    let number = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
    (number(start), number(end), rest.to_owned())
}

/// What the program says of `name` must be one region, of that start and size.
fn assert_region(program: &Running, name: &str, looks: &str) {
    let (start, size) = (program.number(name), program.number(&format!("{name}_bytes")));
    let found = regions(program.pid()).into_iter().find(|region| region.0 == start);
    let (_, end, rest) = found.unwrap_or_else(|| panic!("no region begins at {name} {start:#x}"));
    assert_eq!(end - start, size, "{name}");
    assert!(rest.contains(looks), "{name}: {rest:?} does not show {looks:?}");
}

#[test]
fn layout_is_as_told() {
    let layout = Program::build("layout").spawn(&[]);

    for (name, looks) in [
        ("heap", "[heap]"),
        ("anon_64k", "rw-p"),
        ("anon_256k", "rw-p"),
        ("anon_8m", "rw-p"),
        ("reserved", "---p"),
        ("committed", "rw-p"),
        ("jit", "r-xp"),
        ("lazyfree", "rw-p"),
        ("locked", "rw-p"),
        ("named", "rw-p"),
        ("shared", "/dev/zero (deleted)"),
        ("sysv", "/SYSV"),
        ("shm", "/dev/shm/residue-layout-"),
        ("memfd", "/memfd:residue layout"),
        ("odd", r"/a b\012c"),
        ("deleted", "/gone (deleted)"),
        ("worker0_stack", "rw-p"),
        ("custom_stack", "rw-p"),
        ("arena_thread_stack", "rw-p"),
    ] {
        assert_region(&layout, name, looks);
    }
    let arena = layout.number("arena");
    assert_eq!(arena % (64 << 20), 0);
    assert!(regions(layout.pid()).iter().any(|region| region.0 == arena));
    assert_eq!(layout.number("threads"), 6);
}

/// Shared memory outlives whoever made it: a test that leaves some behind fails on another day.
#[test]
fn layout_leaves_nothing_behind() {
    let layout = Program::build("layout").spawn(&[]);
    let shm = Path::new("/dev/shm").join(layout.fact("shm_name"));
    let key = u32::from_str_radix(layout.fact("sysv_key"), 16).expect("hexadecimal").to_string();
    let segments = || fs::read_to_string("/proc/sysvipc/shm").expect("SysV shared memory");
    assert!(shm.exists() && segments().contains(&key));

    layout.stop();

    assert!(!shm.exists() && !segments().contains(&key));
}

#[test]
fn regions_do_not_merge() {
    let program = Program::build("regions").spawn(&["count=5000"]);

    let first = program.number("start");
    let end = first + program.number("bytes");
    let inside = regions(program.pid()).iter().filter(|region| first <= region.0 && region.1 <= end).count();

    assert_eq!(inside, 5000);
}

#[test]
fn equal_blocks_are_equal_and_apart() {
    let program = Program::build("equal_blocks").spawn(&["count=100"]);

    let blocks = regions(program.pid()).iter().filter(|region| region.1 - region.0 == 128 << 10).count();

    assert!(blocks >= 100, "{blocks}");
}

#[test]
fn a_crowd_has_its_children() {
    let mut crowd = Program::build("crowd").spawn(&["count=5"]);
    let answer = crowd.ask("pids");
    let pids: Vec<u32> = answer.text("pids").split(',').map(|pid| pid.parse().expect("a PID")).collect();

    assert_eq!(pids.len(), 5);
    let count = regions(pids[4]).len();
    assert!((80..=92).contains(&count), "{count} regions");

    crowd.stop();
    assert!(!Path::new(&format!("/proc/{}", pids[0])).exists());
}

#[test]
fn leaky_counts_its_leak() {
    let mut leaky = Program::build("leaky").spawn(&["mode=mmap", "rate=8000000", "size=65536"]);
    sleep(Duration::from_millis(300));

    let count = leaky.ask("count");

    assert_eq!(count.word(), "counted");
    assert_eq!(count.number("leaked"), count.number("blocks") * 65536);
    assert!(count.number("blocks") > 0);
    let mapped: u64 = regions(leaky.pid()).iter().map(|region| region.1 - region.0).sum();
    assert!(mapped > count.number("leaked"));
}

#[test]
fn leaky_flat_loses_nothing() {
    let mut leaky = Program::build("leaky").spawn(&["mode=flat", "limit=1048576"]);
    sleep(Duration::from_millis(100));

    let count = leaky.ask("count");

    assert_eq!((count.number("leaked"), count.number("held")), (0, 1_048_576));
}

#[test]
fn a_zombie_has_no_memory() {
    let program = Program::build("zombie").spawn(&[]);

    let stat = fs::read_to_string(format!("/proc/{}/stat", program.number("zombie"))).expect("it has a PID");

    assert!(stat.contains(") Z "), "{stat}");
}

#[test]
fn deaf_has_an_odd_name() {
    let program = Program::build("deaf").spawn(&[]);
    let entry = |file| fs::read(format!("/proc/{}/{file}", program.pid())).expect("the program runs");
    let words: Vec<u8> = (0..program.number("arguments"))
        .flat_map(|i| [program.bytes(&format!("argument{i}")), vec![0]].concat())
        .collect();

    assert_eq!(entry("comm"), [program.bytes("comm"), vec![b'\n']].concat());
    assert_eq!(entry("cmdline"), words);
}

#[test]
fn stall_times_its_calls() {
    let mut stall = Program::build("stall").spawn(&["mib=16"]);
    sleep(Duration::from_millis(50));

    let timed = stall.ask("report");

    assert!(timed.number("samples") >= 256);
    assert!(timed.number("p50_ns") <= timed.number("p99_ns"));
    assert!(timed.number("p999_ns") <= timed.number("max_ns"));
}

/// The largest free range must be a hole that the program made, or it is no fragmentation that it knows of.
#[test]
fn a_fragmented_program_has_no_room() {
    let program = Program::build("fragmented32").bits32().spawn(&[]);
    let mut free = Vec::new();
    let mut last = 0;
    for (start, end, _) in regions(program.pid()) {
        free.push(start - last);
        last = end;
    }

    assert_eq!(free.iter().max(), Some(&program.number("hole_bytes")));
    assert!(program.number("free_bytes") > 400 << 20);
    assert_eq!(program.number("refused_bytes"), 4 << 20);
}

/// The old experiment: most is free in the end, and not one more round fits.
#[test]
fn a_fragmenting_program_runs_out_with_most_of_it_free() {
    let mut program = Program::build("fragmenting").spawn(&["bound=2147483648"]);
    assert!(program.number("largest") > 1900 << 20, "bounded: {}", program.number("largest"));

    let end = program.ask("go 10000");

    assert_eq!(end.number("refused"), 1);
    assert!(end.number("rounds") > 15 && end.number("largest") < 100 << 20);
    // A block of 64 KiB a round is all that is gone.
    assert!(end.number("rounds") * (64 << 10) < 64 << 20);
}

/// Memory as the kernel shows it.
fn memory(pid: u32, address: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("the program runs");
    memory.read_exact_at(&mut bytes, address).expect("mapped memory");
    bytes
}

/// A needle in a place that nobody was told of would make a search that finds all look wrong.
#[test]
fn needles_stand_where_they_are_told_and_nowhere_else() {
    let needles = Program::build("needles").spawn(&[]);
    let told: Vec<&str> = needles.fact("text").split(',').collect();

    let mut found = Vec::new();
    for (start, end, rest) in regions(needles.pid()) {
        if !rest.starts_with('r') || rest.contains("[v") {
            continue;
        }
        let bytes = memory(needles.pid(), start, usize::try_from(end - start).expect("it fits"));
        let places = bytes.windows(14).enumerate().filter(|(_, window)| *window == b"tawny owl 4711");
        found.extend(places.map(|(at, _)| format!("{:#x}", start + at as u64)));
    }

    assert_eq!(found, told);
    let pointer = needles.fact("pointer").split(',').next().expect("a place");
    let pointer = u64::from_str_radix(pointer.trim_start_matches("0x"), 16).expect("an address");
    assert_eq!(memory(needles.pid(), pointer, 8), 0x1000_0000_5a5a_u64.to_le_bytes());
}

#[test]
fn pages_are_mostly_different_pages_of_one_site() {
    let mut pages = Program::build("pages").spawn(&["count=50"]);

    let titles = pages.ask("count 3c7469746c653e"); // <title>

    assert_eq!(
        (titles.number("times"), titles.number("blocks")),
        (pages.number("pages"), pages.number("pages"))
    );
    let kinds = ["pages", "zeros", "noises"].map(|kind| pages.number(kind));
    assert_eq!(kinds.iter().sum::<u64>(), 50);
    assert!(kinds.iter().all(|&count| count > 0) && kinds[0] > 30, "{kinds:?}");
    let block = |index| memory(pages.pid(), pages.number("first") + index * pages.number("stride"), 0x20000);
    let html: Vec<Vec<u8>> =
        (0..50).map(block).filter(|block| block.starts_with(b"<!DOCTYPE html>")).collect();
    assert_eq!(html.len() as u64, pages.number("pages"));
    assert!(html.windows(2).all(|pair| pair[0] != pair[1]));
    let alike = regions(pages.pid()).iter().filter(|region| region.1 - region.0 == 0x20000).count();
    assert_eq!(alike, 50);
}
