//! Minidumps as their writers make them, and as no writer would.

use std::time::{Duration, Instant};

use residue_model::{Address, Bytes, Os, Pages, Snapshot, Thread};

use super::mdmp::{
    ARM, ARM64, Dump, Info, LINUX, LINUX_MAPS, MACOS, MEMORY, MEMORY_INFO, MEMORY64, MODULES, THREAD_NAMES,
    THREADS, UNLOADED, WINDOWS, X86, X86_64, small,
};
use super::{listed, open, region_at, tids, try_open, why};

const PAGE: [u8; 0x1000] = [0x48; 0x1000];

#[test]
fn a_minidump_is_read_whole() {
    let opened = open(&small().build());
    let snapshot = opened.sound();
    let expected = "\
10000-11000 rw-p 0x1000
11000-20000 ---p 0x0
100000-101000 rw-p 0x1000
140000000-140001000 r--p 0x1000 C:\\Tools\\small.exe
140001000-140002000 r-xp 0x1000 C:\\Tools\\small.exe
7ff800000000-7ff800001000 r-xp 0x1000 C:\\Windows\\System32\\ntdll.dll
";
    assert_eq!(listed(&snapshot), expected);
    assert_eq!(snapshot.gaps, []);
    assert_eq!((snapshot.process.pid.0, snapshot.process.name.as_str()), (4242, "small.exe"));
    assert_eq!((snapshot.machine.os, snapshot.machine.cpu.as_deref()), (Os::Windows, Some("x86-64")));
    assert_eq!(snapshot.machine.os_version.as_deref(), Some("10.0.19042"));
    let thread = |tid, is_main, name: &str, stack, block| Thread {
        tid,
        is_main,
        name: name.to_owned(),
        stack_pointer: Some(Address(stack)),
        control_block: Some(Address(block)),
        ..Thread::default()
    };
    let threads =
        [thread(11, true, "", 0x10_0ff0, 0x20_0000), thread(12, false, "worker", 0x10_0800, 0x20_2000)];
    assert_eq!(snapshot.threads, threads);
    let modules: Vec<_> =
        snapshot.modules.iter().map(|module| (module.file_name(), module.unloaded)).collect();
    assert_eq!(modules, [("small.exe", false), ("ntdll.dll", false), ("once.dll", true)]);
    let event = snapshot.dump.as_ref().and_then(|dump| dump.event.clone()).expect("it crashed");
    assert_eq!(event.thread, Some(12));
    assert!(event.name.starts_with("EXCEPTION_ACCESS_VIOLATION"), "{}", event.name);
    assert_eq!(opened.read(0x1_0ff0, 64), [0x48; 16]);
    let heap = region_at(&snapshot, 0x1_1000);
    assert_eq!((heap.allocation_base, heap.pages.map(Pages::is_committed)), (Address(0x1_0000), Some(false)));
}

/// Stack pointers stand elsewhere in the context of every processor; a thread without a context has none.
#[test]
fn threads_are_found_on_every_processor() {
    for (cpu, name, bits, stack) in [
        (X86, "x86", 32, 0x12_f320),
        (ARM, "arm", 32, 0xbefd_1230),
        (X86_64, "x86-64", 64, 0xcb_c82f_f448),
        (ARM64, "aarch64", 64, 0xffff_8765_4320),
    ] {
        for platform in [WINDOWS, LINUX, MACOS] {
            let dump = Dump::of(cpu, platform)
                .threads(&[(7, 0, Some(stack)), (8, 0x7ffd_e000, None)])
                .memory(&[(stack & !0xfff, &PAGE)]);
            let snapshot = open(&dump.build()).sound();
            let threads: Vec<_> = snapshot
                .threads
                .iter()
                .map(|thread| (thread.tid, thread.is_main, thread.stack_pointer))
                .collect();
            assert_eq!(threads, [(7, true, Some(Address(stack))), (8, false, None)], "{name}");
            assert_eq!((snapshot.machine.cpu.as_deref(), snapshot.space.bits), (Some(name), bits));
            assert_eq!(snapshot.threads[1].control_block, Some(Address(0x7ffd_e000)));
        }
    }
}

#[test]
fn a_dump_of_the_other_byte_order_is_the_same_dump() {
    let dump = |big_endian| {
        Dump::in_order(X86_64, MACOS, big_endian)
            .misc(77)
            .modules(&[(0x1_0000, 0x2000, "/opt/größe"), (0x9_0000, 0x1000, "/usr/lib/libc.dylib")])
            .threads(&[(5, 0, Some(0x5_0800))])
            .thread_names(&[(5, "main")])
            .memory(&[(0x5_0000, &PAGE), (0x1_1000, &[7; 0x800])])
            .memory64(&[(0x20_0000, &PAGE), (0x30_0000, &PAGE)])
            .build()
    };
    let (little, big) = (open(&dump(false)), open(&dump(true)));
    assert_eq!(&dump(true)[..4], b"PMDM");
    let (mut expected, mut read) = (little.sound(), big.sound());
    assert_eq!(expected.modules[0].name.as_ref(), "/opt/größe");
    assert!(read.machine.big_endian);
    read.machine.big_endian = false;
    (read.dump, expected.dump) = (None, None);
    assert_eq!(read, expected);
    assert_eq!((big.read(0x1_1000, 4), big.read(0x20_0ffe, 4)), (vec![7; 4], vec![0x48; 2]));
}

/// What is free is no region; without a list, what was saved and what modules name is all that is known.
#[test]
fn without_a_list_regions_are_derived_and_said_to_be() {
    let dump = Dump::of(X86_64, WINDOWS)
        .threads(&[])
        .modules(&[(0x40_0000, 0x3000, "C:\\a.exe"), (0x50_0000, 0x1000, "C:\\b.dll")])
        .memory(&[(0x40_1000, &PAGE), (0x9_0000, &PAGE)]);
    let snapshot = open(&dump.build()).sound();
    let expected = "\
90000-91000 r--p 0x1000
400000-401000 r--p 0x0 C:\\a.exe
401000-402000 r--p 0x1000 C:\\a.exe
402000-403000 r--p 0x0 C:\\a.exe
500000-501000 r--p 0x0 C:\\b.dll
";
    assert_eq!(listed(&snapshot), expected);
    assert!(why(&snapshot, "the list of regions").contains("protections are not known"));
    let pages = region_at(&snapshot, 0x9_0000).pages.expect("Windows");
    assert_eq!((pages.kind, pages.protect), (None, None));
    assert_eq!(region_at(&snapshot, 0x40_1000).pages.and_then(|pages| pages.kind), Some(Pages::IMAGE));
}

#[test]
fn memory_that_no_region_lists_is_shown_all_the_same() {
    let info =
        Info { start: 0x1_0000, size: 0x1000, base: 0x1_0000, state: 0x1000, protect: 4, kind: 0x2_0000 };
    let dump = Dump::of(X86_64, WINDOWS)
        .modules(&[])
        .threads(&[])
        .memory_info(&[info])
        .memory(&[(0xf800, &PAGE), (0x9_0000, &PAGE)]);
    let snapshot = open(&dump.build()).sound();
    assert_eq!(listed(&snapshot), "f800-10000 r--p 0x800\n10000-11000 rw-p 0x800\n90000-91000 r--p 0x1000\n");
    assert!(why(&snapshot, "type and protection of 2 ranges").contains("does not name them"));
}

#[test]
fn regions_of_a_linux_process_are_its_maps() {
    let maps =
        b"00400000-00401000 r-xp 00000000 08:01 77 /opt/a\n00600000-00602000 rw-p 00000000 00:00 0 [heap]\n";
    let dump = Dump::of(X86_64, LINUX)
        .modules(&[(0x40_0000, 0x1000, "/opt/a")])
        .threads(&[])
        .stream(LINUX_MAPS, maps)
        .memory(&[(0x60_0000, &PAGE)]);
    let snapshot = open(&dump.build()).sound();
    assert_eq!(listed(&snapshot), "400000-401000 r-xp 0x0 /opt/a\n600000-602000 rw-p 0x1000 [heap]\n");
    why(&snapshot, "8.0 KiB of 12.0 KiB that regions with access take");
    let cut = Dump::of(X86_64, LINUX).stream(LINUX_MAPS, &maps[..60]).memory(&[(0x60_0000, &PAGE)]);
    let snapshot = open(&cut.build()).sound();
    assert!(why(&snapshot, "some of the region list").contains("LinuxMaps"));
    assert_eq!(listed(&snapshot), "400000-401000 r-xp 0x0 /opt/a\n600000-601000 r--p 0x1000\n");
}

/// Full memory stands at the end of the file: a cut takes the last ranges, to the byte.
#[test]
fn a_full_dump_that_was_cut_off_gives_what_it_holds() {
    let whole = small().build();
    let memory = whole.len() - 5 * 0x1000;
    for cut in (memory..whole.len()).step_by(1021).chain([memory, memory + 0x1000, whole.len() - 1]) {
        let opened = open(&whole[..cut]);
        let snapshot = opened.sound();
        let missing = whole.len() - cut;
        let ranges = missing.div_ceil(0x1000);
        let why = why(&snapshot, &format!("{} of memory in {ranges} ranges", Bytes(missing as u64)));
        assert!(why.contains(&format!("ends at byte {cut}")), "{why}");
        assert_eq!((tids(&snapshot), snapshot.regions.len()), (vec![11, 12], 6));
        assert_eq!(snapshot.dump.as_ref().map(|dump| dump.saved), Some(Bytes((cut - memory) as u64)));
        assert_eq!(opened.read(0x1_0000, 0x1000), vec![0x48; (cut - memory).min(0x1000)]);
    }
}

/// Cut anywhere in its streams: an error or a snapshot, and never silence.
#[test]
fn a_dump_cut_within_its_streams_says_what_is_gone() {
    let whole = small().build();
    let memory = whole.len() - 5 * 0x1000;
    for cut in 1..memory {
        match try_open(&whole[..cut]) {
            Ok(opened) => assert_ne!(opened.sound().gaps, [], "cut at {cut}"),
            Err(error) => assert!(error.remedy().is_some(), "cut at {cut}: {error}"),
        }
    }
}

/// Every list that says it has billions of entries is believed as far as it reaches.
#[test]
fn counts_that_lie_cost_nothing_and_are_told() {
    let whole = small().memory(&[(0x77_0000, &PAGE)]);
    for (kind, at, what) in [
        (THREADS, 0, "4294967293 threads that the dump counts"),
        (MODULES, 0, "4294967293 modules that the dump counts"),
        (UNLOADED, 8, "libraries that were unloaded"),
        (THREAD_NAMES, 0, "names of threads"),
        (MEMORY_INFO, 8, "the list of memory regions"),
        (MEMORY, 0, "4294967294 memory ranges that the dump counts"),
        (MEMORY64, 0, "4294967290 memory ranges that the dump counts"),
    ] {
        let mut bytes = whole.build();
        let at = whole.place(kind) + at;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let begin = Instant::now();
        let snapshot = open(&bytes).sound();
        assert!(begin.elapsed() < Duration::from_secs(5), "{what}: a count is not to be counted to");
        assert!(why(&snapshot, what).contains("damaged"), "{what}");
    }
}

#[test]
fn more_streams_than_there_are_is_an_error() {
    let Err(error) = try_open(&small().count(u32::MAX)) else { panic!("it opens") };
    assert!(error.to_string().contains("is no usable minidump"), "{error}");
    assert!(error.remedy().is_some_and(|help| help.contains("cut off")));
}

#[test]
fn streams_that_point_outside_the_file_are_told() {
    let whole = small();
    for (index, what) in [(2, "programs and libraries"), (4, "threads"), (7, "the list of memory regions")] {
        for (size, place) in [(0x1000_u32, 0xffff_ff00_u32), (u32::MAX, 64), (u32::MAX, u32::MAX)] {
            let mut bytes = whole.build();
            let entry = 32 + 12 * index + 4;
            bytes[entry..entry + 4].copy_from_slice(&size.to_le_bytes());
            bytes[entry + 4..entry + 8].copy_from_slice(&place.to_le_bytes());
            let snapshot = open(&bytes).sound();
            assert!(why(&snapshot, what).contains("damaged"), "{what}: {size:#x} at {place:#x}");
        }
    }
}

#[test]
fn memory_outside_the_file_is_missing_and_not_read() {
    let dump = Dump::of(X86_64, WINDOWS).modules(&[]).threads(&[]);
    let list = dump.memory_list(&[(0x1_0000, 0x1000, u32::MAX), (0x2_0000, u32::MAX, 0), (u64::MAX, 16, 64)]);
    let opened = open(&dump.stream(MEMORY, &list).build());
    let snapshot = opened.sound();
    assert!(opened.read(0x1_0000, 16).is_empty());
    // The whole file passes for the second range; the third has no address left to stand at.
    assert_eq!(snapshot.dump.as_ref().map(|dump| dump.saved), snapshot.dump.as_ref().map(|dump| dump.size));
    let missing = 0x1000 + u64::from(u32::MAX) - snapshot.dump.as_ref().map_or(0, |dump| dump.size.0);
    why(&snapshot, &format!("{} of memory in 2 ranges", Bytes(missing)));
}

#[test]
fn sizes_that_no_address_space_holds_are_cut() {
    let dump = Dump::of(X86_64, WINDOWS).modules(&[]).threads(&[]);
    let list =
        dump.memory64_list(200, &[(0x1_0000, u64::MAX), (0x2_0000, u64::MAX), (u64::MAX - 1, u64::MAX)]);
    let snapshot = open(&dump.stream(MEMORY64, &list).build()).sound();
    assert!(
        snapshot.gaps.iter().any(|gap| gap.what.ends_with("EiB of memory in 3 ranges")),
        "{:?}",
        snapshot.gaps
    );
}

#[test]
fn where_ranges_overlap_the_first_is_shown_and_the_rest_told() {
    let dump = Dump::of(X86_64, WINDOWS).modules(&[]).threads(&[]).memory(&[
        (0x1_0800, &[2; 0x1000]),
        (0x1_0000, &[1; 0x1000]),
        (0x1_0000, &[1; 0x100]),
    ]);
    let opened = open(&dump.build());
    let snapshot = opened.sound();
    assert_eq!(opened.read(0x1_0000, 0x2000), [vec![1; 0x1000], vec![2; 0x800]].concat());
    assert_eq!(snapshot.dump.as_ref().map(|dump| dump.saved), Some(Bytes(0x1800)));
    why(&snapshot, "2.2 KiB that two memory ranges of the dump claim");
}

#[test]
fn regions_that_overlap_are_parted_and_told() {
    let info = |start, size| Info { start, size, base: start, state: 0x1000, protect: 4, kind: 0x2_0000 };
    let infos =
        [info(0x2_0000, 0x3000), info(0x1_0000, 0x1_1000), info(0x2_0000, 0), info(u64::MAX - 5, u64::MAX)];
    let dump = Dump::of(X86_64, WINDOWS).modules(&[]).threads(&[]).memory_info(&infos);
    let snapshot = open(&dump.build()).sound();
    let ends: Vec<_> =
        snapshot.regions.iter().map(|region| (region.range.start.0, region.range.end.0)).collect();
    assert_eq!(ends, [(0x1_0000, 0x2_1000), (0x2_1000, 0x2_3000), (u64::MAX - 5, u64::MAX)]);
    assert!(why(&snapshot, "4.0 KiB that two regions of the dump claim").contains("begins first"));
}

/// Some linkers and packers leave sizes of zero; a size behind the end of the address space is no size.
#[test]
fn modules_without_a_size_take_no_memory() {
    let dump = Dump::of(X86_64, WINDOWS).threads(&[]).modules(&[
        (0x1_0000, 0x1000, "first.exe"),
        (0x2_0000, 0, "empty.dll"),
        (u64::MAX - 16, 0x1000, "beyond.dll"),
        (0x1_0800, 0x1000, "upon.dll"),
        (0x1_0100, 0x100, "within.dll"),
    ]);
    let snapshot = open(&dump.build()).sound();
    assert_eq!(listed(&snapshot), "10000-11000 r--p 0x0 first.exe\n11000-11800 r--p 0x0 upon.dll\n");
    let names: Vec<_> = snapshot.modules.iter().map(|module| module.name.as_ref()).collect();
    assert_eq!(names, ["first.exe", "upon.dll", "within.dll"]);
}

/// `Wow64` in a dump of 64-bit Windows says that the program itself has 32 bits.
#[test]
fn a_narrow_program_on_wide_windows_has_narrow_addresses() {
    let of = |library| {
        let dump = Dump::of(X86_64, WINDOWS)
            .modules(&[(0x40_0000, 0x1000, "C:\\old.exe"), (0x7752_0000, 0x1000, library)])
            .threads(&[]);
        open(&dump.build()).sound().space.bits
    };
    assert_eq!((of("C:\\Windows\\System32\\WOW64.dll"), of("C:\\Windows\\System32\\ntdll.dll")), (32, 64));
}

#[test]
fn names_are_printable() {
    let dump = Dump::of(X86_64, WINDOWS)
        .modules(&[(0x1_0000, 0x1000, "C:\\\x1b[2J\n\u{202e}gnp.exe")])
        .threads(&[(1, 0, None)])
        .thread_names(&[(1, "\x1b]0;x\x07")]);
    let snapshot = open(&dump.build()).sound();
    assert_eq!(snapshot.modules[0].name.as_ref(), "C:\\\\x1b[2J\\x0a\\xe2\\x80\\xaegnp.exe");
    assert_eq!(snapshot.threads[0].name, "\\x1b]0;x\\x07");
}

/// Nothing but a header: everything is a gap.
#[test]
fn a_dump_without_streams_says_that_it_has_nothing() {
    let snapshot = open(&Dump::bare(X86_64, false).build()).sound();
    assert_eq!(snapshot.regions.len(), 0);
    for what in [
        "all memory",
        "threads",
        "programs and libraries",
        "the list of regions",
        "the operating system and processor",
    ] {
        why(&snapshot, what);
    }
}

#[test]
fn one_damaged_stream_does_not_cost_the_others() {
    let whole = small();
    let mut bytes = whole.build();
    let at = whole.place(THREADS);
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let snapshot: Snapshot = open(&bytes).sound();
    assert_eq!((snapshot.threads.len(), snapshot.modules.len(), snapshot.regions.len()), (2, 3, 6));
}
