//! Cores that others wrote: Linux kernels, gdb, other architectures.
//!
//! Every number comes from a listing by a parser of its own, in Python, that agrees with `readelf -lW -n` on each file.

use residue_model::{Address, Bytes, Os, Source};

use super::{fixture, region_at, tids, why};

/// Segments of memory, their size, how much stands in the file, threads in order, program, signal.
type Expected = (&'static str, usize, u64, u64, &'static [u32], &'static str, Option<&'static str>);

const CORES: [Expected; 9] = [
    ("lldb-altmain.core", 5, 36_864, 36_864, &[32_259], "a.out", Some("SIGSEGV")),
    ("lldb-gcore_linux-x86_64.core", 2, 12_288, 12_288, &[5669, 5671, 5672], "a.out", Some("SIGSTOP")),
    ("lldb-linux-arm.core", 0, 0, 0, &[4660], "", None),
    ("lldb-linux-i386.core", 4, 24_576, 24_576, &[32_306], "a.out", Some("SIGSEGV")),
    ("lldb-linux-s390x.core", 2, 12_288, 12_288, &[1045], "a.out", Some("SIGSEGV")),
    ("lldb-linux-x86_64.core", 5, 36_864, 36_864, &[32_259], "a.out", Some("SIGSEGV")),
    (
        "lldb-thread_crash_linux-x86_64.core",
        40,
        15_798_272,
        20_480,
        &[5250, 5222, 5249],
        "a.out",
        Some("SIGILL"),
    ),
    (
        "own-glibc2.36-leaks.core.zst",
        51,
        166_567_936,
        38_977_536,
        &[25_946, 25_948, 25_947],
        "heapgen",
        Some("SIGABRT"),
    ),
    ("pystack-core_with_big_name.core", 18, 4_329_472, 241_664, &[2371], "0123456789abcde", Some("SIGSEGV")),
];

#[test]
fn a_core_has_the_regions_threads_and_bytes_that_its_headers_list() {
    for (name, regions, size, saved, threads, program, signal) in CORES {
        let opened = fixture(&format!("elfcore/{name}")).unwrap_or_else(|error| panic!("{error}"));
        let snapshot = opened.sound();
        let dump = snapshot.dump.as_ref().expect("it is one");
        assert_eq!((snapshot.regions.len(), dump.saved), (regions, Bytes(saved)), "{name}");
        assert_eq!(snapshot.process.footprint.vss, Some(Bytes(size)), "{name}");
        assert_eq!(tids(&snapshot), threads, "{name}");
        assert_eq!(snapshot.process.name, program, "{name}");
        assert_eq!(dump.event.as_ref().map(|event| event.name.as_str()), signal, "{name}");
        assert_eq!((snapshot.source, snapshot.machine.os), (Source::Core, Os::Linux), "{name}");
    }
}

#[test]
fn every_core_of_the_fixtures_is_compared() {
    let here = crate::fixtures::names("dumps/elfcore", |_| true);
    let known = CORES.map(|(name, ..)| format!("dumps/elfcore/{name}"));
    assert_eq!(here, known);
}

/// How many bytes an address has and which end comes first: both in one core each.
#[test]
fn other_machines_are_told_and_their_stacks_found() {
    for (name, cpu, bits, big_endian, stack_pointer) in [
        ("lldb-linux-i386.core", "x86", 32, false, 0xffe0_a30c),
        ("lldb-linux-arm.core", "arm", 32, false, 0xd),
        ("lldb-linux-s390x.core", "s390x", 64, true, 0x3ff_ffff_f2c0),
        ("lldb-linux-x86_64.core", "x86-64", 64, false, 0x7ffe_0c02_7cf8),
    ] {
        let snapshot = fixture(&format!("elfcore/{name}")).expect("it opens").snapshot();
        assert_eq!((snapshot.machine.cpu.as_deref(), snapshot.space.bits), (Some(cpu), bits), "{name}");
        assert_eq!(snapshot.machine.big_endian, big_endian, "{name}");
        assert_eq!(snapshot.threads[0].stack_pointer, Some(Address(stack_pointer)), "{name}");
    }
}

/// The thread that crashed comes first in a core; the one whose number is the process's is the main thread.
#[test]
fn the_main_thread_need_not_be_the_first() {
    let snapshot = fixture("elfcore/lldb-thread_crash_linux-x86_64.core").expect("it opens").snapshot();
    let main: Vec<_> = snapshot.threads.iter().filter(|thread| thread.is_main).collect();
    assert_eq!(main.iter().map(|thread| thread.tid).collect::<Vec<_>>(), [5222]);
    let event = snapshot.dump.and_then(|dump| dump.event).expect("it crashed");
    assert_eq!((event.name.as_str(), event.thread), ("SIGILL", Some(5250)));
}

/// gdb of that time wrote no list of files and none of the memory that can be found in them.
#[test]
fn a_core_without_a_list_of_files_says_so() {
    let snapshot = fixture("elfcore/lldb-gcore_linux-x86_64.core").expect("it opens").snapshot();
    assert!(why(&snapshot, "which files were mapped where").contains("NT_FILE"));
    assert_eq!(region_at(&snapshot, 0x7fff_0fb3_4000).name(), "[vdso]");
}

#[test]
fn what_the_kernel_left_out_is_told() {
    let snapshot = fixture("elfcore/pystack-core_with_big_name.core").expect("it opens").snapshot();
    // 4 segments of 4087808 bytes have no byte in the file; 2093056 of them are a gap in libc without any access.
    assert!(why(&snapshot, "1.9 MiB of memory in 3 regions").contains("left them out"));
    let libc = region_at(&snapshot, 0x7f93_c0ec_a000);
    assert_eq!((libc.name(), libc.saved), ("/usr/lib64/libc-2.17.so", Some(Bytes::ZERO)));
}

/// A core of headers only still tells which thread met what.
#[test]
fn a_core_without_memory_says_so() {
    let snapshot = fixture("elfcore/lldb-linux-arm.core").expect("it opens").sound();
    assert!(!why(&snapshot, "all memory").is_empty());
}
