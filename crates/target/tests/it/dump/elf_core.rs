//! Cores as kernels may write them, and as no kernel would.

use residue_model::{Address, Bytes, Region};

use super::elf::{
    AARCH64, ARM, AT_ENTRY, AT_RANDOM, AT_SYSINFO_EHDR, Core, EXECUTE, I386, NT_FILE, PPC, READ, S390X,
    WRITE, X86_64, page, small,
};
use super::{listed, open, region_at, tids, try_open, why};

const FILE: u64 = 0x5555_0000_0000;

#[test]
fn a_core_is_read_whole() {
    let opened = open(&small().build());
    let snapshot = opened.sound();
    // By hand from `small`: the page of libthing was left out, and so was the second page of the program.
    let expected = "\
400000-402000 r-xp 0x1000 /opt/small
402000-403000 rw-p 0x1000 /opt/small
403000-404000 rw-p 0x1000
415000-416000 rw-p 0x1000 [heap]
7f0000000000-7f0000001000 r--p 0x0 /usr/lib/libthing.so.1
7f0000100000-7f0000101000 rw-p 0x1000
7ffc00000000-7ffc00001000 rw-p 0x1000 [stack]
7ffc00100000-7ffc00101000 r-xp 0x1000 [vdso]
ffffffffff600000-ffffffffff601000 --xp 0x1000 [vsyscall]
";
    assert_eq!(listed(&snapshot), expected);
    assert_eq!((snapshot.process.pid.0, snapshot.process.uid), (101, Some(1000)));
    assert_eq!(snapshot.process.name, "small");
    assert_eq!(snapshot.process.command.as_deref(), Some("./small --once"));
    assert_eq!((tids(&snapshot), snapshot.process.threads), (vec![101, 102], Some(2)));
    let dump = snapshot.dump.as_ref().expect("it is one");
    let event = dump.event.as_ref().expect("it crashed");
    assert_eq!((event.name.as_str(), event.thread), ("SIGSEGV", Some(101)));
    assert_eq!(event.address, Some(Address(0xdead_0000)));
    assert_eq!(region_at(&snapshot, 0x7f00_0000_0000).offset, Bytes(0x2000));
    assert_eq!(opened.read(0x41_5ff0, 64), [0x48; 16]);
}

/// Memory that the core does not hold is unknown. Zeros would pass for content.
#[test]
fn what_was_not_saved_is_never_zero() {
    let core =
        Core::of(X86_64).part(0x1_0000, 0x3000, READ | WRITE, &page(7)).part(0x9_0000, 0x2000, READ, b"");
    let opened = open(&core.build());
    let snapshot = opened.sound();
    assert_eq!(opened.read(0x1_0ffe, 4), [7, 7]);
    assert!(opened.read(0x1_1000, 4).is_empty());
    assert!(opened.read(0x9_0000, 4).is_empty());
    assert_eq!(region_at(&snapshot, 0x1_0000).saved, Some(Bytes(0x1000)));
    assert!(why(&snapshot, "16.0 KiB of memory in 2 regions").contains("not taken for zeros"));
}

/// A guard has no bytes to lose: reserved address space is no gap.
#[test]
fn what_nobody_could_read_is_no_gap() {
    let core = small().part(0x7f11_0000_0000, 0x100_0000, 0, b"");
    let snapshot = open(&core.build()).sound();
    assert_eq!(snapshot.gaps.len(), 1, "{:?}", snapshot.gaps);
    why(&snapshot, "8.0 KiB of memory in 2 regions");
}

/// Cut at any byte, a core tells what is missing to the byte and gives the rest.
#[test]
fn a_core_that_was_cut_off_gives_what_it_holds() {
    let pages = [0x1_0000, 0x5_0000, 0x9_0000];
    let core =
        pages.iter().fold(small_notes(), |core, &at| core.load(at, READ | WRITE, &page(at.to_le_bytes()[2])));
    let whole = core.build();
    let memory = whole.len() - 3 * 0x1000;
    for cut in
        (memory..whole.len()).step_by(509).chain([memory, memory + 0x1000, memory + 0x2000, whole.len() - 1])
    {
        let opened = open(&whole[..cut]);
        let snapshot = opened.sound();
        let missing = whole.len() - cut;
        let regions = missing.div_ceil(0x1000);
        let why = why(&snapshot, &format!("{} of memory in {regions} regions", Bytes(missing as u64)));
        assert!(why.contains(&format!("ends at byte {cut}, its headers reach to {}", whole.len())), "{why}");
        assert_eq!(tids(&snapshot), [5]);
        let mut held = cut - memory;
        assert_eq!(snapshot.dump.as_ref().map(|dump| dump.saved), Some(Bytes(held as u64)));
        for at in pages {
            let there = held.min(0x1000);
            assert_eq!(opened.read(at, 0x1000), vec![at.to_le_bytes()[2]; there]);
            held -= there;
        }
    }
}

fn small_notes() -> Core {
    Core::of(X86_64).thread(5, 0x5_0800).process(5, 0, "cut", "cut").files(&[(
        FILE,
        FILE + 0x1000,
        0,
        "/bin/cut",
    )])
}

/// Headers and notes cut anywhere: an error or a snapshot, and never silence about what is gone.
#[test]
fn a_core_cut_within_its_headers_says_what_is_gone() {
    let whole = small().build();
    let memory = whole.len() - 8 * 0x1000;
    for cut in 1..memory {
        match try_open(&whole[..cut]) {
            Ok(opened) => {
                let gaps = opened.sound().gaps;
                let told = |why: &str| gaps.iter().any(|gap| gap.why.contains(why));
                assert!(told("cut off") || told("the file ends before them"), "cut at {cut}: {gaps:?}");
            }
            Err(error) => assert!(error.remedy().is_some(), "cut at {cut}: {error}"),
        }
    }
    let one_header = open(&whole[..64 + 56 + 56]).sound();
    why(&one_header, "8 of the core's 10 program headers");
    why(&one_header, "the rest of the core's notes");
}

/// The same process on four machines: each has its own numbers, registers and notes.
#[test]
fn threads_are_found_on_every_machine() {
    for (machine, cpu, bits, stack) in [
        (X86_64, "x86-64", 64, 0x7ffc_1234_5678),
        (AARCH64, "aarch64", 64, 0xffff_8765_4320),
        (S390X, "s390x", 64, 0x3ff_8765_4320),
        (I386, "x86", 32, 0xffd8_1234),
        (ARM, "arm", 32, 0xbefd_1230),
        (PPC, "ppc", 32, 0xbffd_1230),
    ] {
        let core = Core::of(machine)
            .thread(77, stack)
            .process(70, 1234, "worker", "worker --all")
            .thread(70, stack + 0x10)
            .thread(78, stack + 0x20)
            .signal(11, 0x1234)
            .load(0x1_0000, READ | WRITE, &page(9))
            .load(stack & !0xfff, READ | WRITE, &page(5));
        let opened = open(&core.build());
        let snapshot = opened.sound();
        assert_eq!((snapshot.machine.cpu.as_deref(), snapshot.space.bits), (Some(cpu), bits));
        assert_eq!(snapshot.machine.big_endian, machine.big_endian, "{cpu}");
        let threads: Vec<_> = snapshot
            .threads
            .iter()
            .map(|thread| (thread.tid, thread.is_main, thread.stack_pointer.map(|at| at.0 - stack)))
            .collect();
        assert_eq!(threads, [(77, false, Some(0)), (70, true, Some(0x10)), (78, false, Some(0x20))], "{cpu}");
        assert_eq!((snapshot.process.pid.0, snapshot.process.uid), (70, Some(1234)), "{cpu}");
        assert_eq!(snapshot.process.name, "worker", "{cpu}");
        assert_eq!(snapshot.process.command.as_deref(), Some("worker --all"), "{cpu}");
        let event = snapshot.dump.as_ref().and_then(|dump| dump.event.clone()).expect("it crashed");
        assert_eq!(
            (event.name.as_str(), event.thread, event.address),
            ("SIGSEGV", Some(77), Some(Address(0x1234)))
        );
        assert_eq!(opened.read(0x1_0800, 4), [9; 4], "{cpu}");
    }
}

#[test]
fn files_have_offsets_in_pages_whichever_the_byte_order() {
    for machine in [X86_64, S390X, I386, PPC] {
        let core = Core::of(machine)
            .files(&[(0x40_0000, 0x40_2000, 3, "/opt/a"), (0x40_2000, 0x40_3000, 9, "/opt/b")])
            .load(0x40_0000, READ | EXECUTE, &page(1))
            .load(0x40_1000, READ, &page(1))
            .load(0x40_2000, READ, &page(1));
        let snapshot = open(&core.build()).sound();
        let named: Vec<_> = snapshot.regions.iter().map(|region| (region.name(), region.offset.0)).collect();
        assert_eq!(named, [("/opt/a", 0x3000), ("/opt/a", 0x4000), ("/opt/b", 0x9000)], "{machine:?}");
    }
}

/// 65535 headers and more do not fit into their field: the kernel counts them in a section header.
#[test]
fn a_core_of_more_regions_than_its_header_counts_has_them_all() {
    let mut core = Core::of(X86_64).extended();
    for index in 0..70_000 {
        core = core.part(0x1000_0000 + index * 0x2000, 0x1000, READ, b"");
    }
    assert_eq!(open(&core.build()).snapshot().regions.len(), 70_000);
}

/// The section header stands at the end of the file: a cut takes it away first.
#[test]
fn a_core_that_lost_the_count_of_its_headers_is_refused() {
    let core = Core::of(X86_64).extended().load(0x1_0000, READ, &page(1)).build();
    let Err(error) = try_open(&core[..core.len() - 64]) else { panic!("it opens") };
    assert!(error.to_string().contains("the count of its headers is lost"), "{error}");
}

#[test]
fn where_segments_overlap_the_first_is_shown_and_the_rest_told() {
    let core = Core::of(X86_64)
        .load(0x1_1000, READ, &[page(2), page(2)].concat())
        .load(0x1_0000, READ | WRITE, &[page(1), page(1)].concat())
        .load(0x1_0000, READ, &page(3));
    let opened = open(&core.build());
    let snapshot = opened.sound();
    assert_eq!(
        listed(&snapshot),
        "10000-11000 r--p 0x1000\n11000-12000 rw-p 0x1000\n12000-13000 r--p 0x1000\n"
    );
    assert_eq!(opened.read(0x1_0ffe, 4), [3, 3, 1, 1]);
    assert_eq!(opened.read(0x1_1ffe, 4), [1, 1, 2, 2]);
    assert!(why(&snapshot, "8.0 KiB that two segments of the core claim").contains("begins first"));
}

/// A segment that ends behind the last address ends there.
#[test]
fn memory_ends_with_the_address_space() {
    let core = Core::of(X86_64).part(0xffff_ffff_ffff_f000, 0x2000, READ, &page(4)).part(
        0x1_0000,
        u64::MAX,
        READ | WRITE,
        &page(6),
    );
    let opened = open(&core.build());
    let snapshot = opened.sound();
    assert_eq!(snapshot.regions.last().map(|region| region.range.end), Some(Address(u64::MAX)));
    assert_eq!(opened.read(0x1_0ffe, 4), [6, 6]);
}

#[test]
fn more_in_the_file_than_in_memory_is_not_memory() {
    let opened = open(&Core::of(X86_64).part(0x1_0000, 0x800, READ, &page(8)).build());
    assert_eq!(opened.sound().dump.map(|dump| dump.saved), Some(Bytes(0x800)));
    assert_eq!(opened.read(0x1_07fe, 4), [8, 8]);
}

#[test]
fn a_core_without_notes_says_what_it_cannot_tell() {
    let snapshot = open(&Core::of(X86_64).load(0x1_0000, READ | EXECUTE, &page(1)).build()).sound();
    assert!(why(&snapshot, "threads and their stacks").contains("NT_PRSTATUS"));
    assert!(why(&snapshot, "which files were mapped where").contains("NT_FILE"));
    assert_eq!((snapshot.process.threads, snapshot.process.uid), (None, None));
    assert_eq!(region_at(&snapshot, 0x1_0000).name(), "[code]");
}

/// Names stay for regions of which nothing else is left: what was mapped is evidence.
#[test]
fn files_without_a_segment_are_still_named() {
    let core = Core::of(X86_64)
        .thread(1, 0)
        .files(&[(0x40_0000, 0x40_1000, 0, "/opt/gone"), (0x50_0000, 0x50_1000, 0, "/opt/there")])
        .load(0x50_0000, READ, &page(1));
    let snapshot = open(&core.build()).sound();
    assert_eq!(listed(&snapshot), "400000-401000 r--p 0x0 /opt/gone\n500000-501000 r--p 0x1000 /opt/there\n");
    assert!(why(&snapshot, "protection and content of 1 mapped files").contains("no segment"));
}

#[test]
fn a_deleted_file_is_named_without_its_mark() {
    let core = Core::of(X86_64)
        .files(&[
            (0x40_0000, 0x40_1000, 0, "/opt/old (deleted)"),
            (0x50_0000, 0x50_1000, 0, "/SYSV00001234 (deleted)"),
            (0x60_0000, 0x60_1000, 0, "/dev/zero (deleted)"),
        ])
        .load(0x40_0000, READ, &page(1))
        .load(0x50_0000, READ | WRITE, &page(1))
        .load(0x60_0000, READ | WRITE, &page(1));
    let snapshot = open(&core.build()).sound();
    let told: Vec<_> = snapshot
        .regions
        .iter()
        .map(|region| (region.name(), region.deleted, region.protection.shared))
        .collect();
    assert_eq!(told, [("/opt/old", true, false), ("/SYSV00001234", true, true), ("/dev/zero", true, true)]);
}

/// A name is whatever somebody called a file: it must not write to a terminal.
#[test]
fn names_are_printable() {
    let core = small_notes()
        .files(&[(0x1_0000, 0x1_1000, 0, "/tmp/\x1b[2J\nroot")])
        .process(5, 0, "a\x1b]0;b\n", "x\x07y")
        .load(0x1_0000, READ, &page(1));
    let snapshot = open(&core.build()).sound();
    assert_eq!(region_at(&snapshot, 0x1_0000).name(), "/tmp/\\x1b[2J\\x0aroot");
    assert_eq!(snapshot.process.name, "a\\x1b]0;b\\x0a");
    assert_eq!(snapshot.process.command.as_deref(), Some("x\\x07y"));
}

/// Lists of files that lie: what can be read is used, what cannot is told.
#[test]
fn a_damaged_list_of_files_names_what_it_can() {
    let file = (0x1_0000, 0x1_1000, 0, "");
    let other = (0x2_0000, 0x2_1000, 0, "");
    for (what, count, files, names, known) in [
        ("a name too few", 2, vec![file, other], b"/opt/a\0".as_slice(), vec!["/opt/a", ""]),
        ("no end of the last name", 2, vec![file, other], b"/opt/a\0/opt/b", vec!["/opt/a", ""]),
        ("no names", 2, vec![file, other], b"", vec!["", ""]),
        ("a count of 2^60", 1 << 60, vec![file, other], b"/opt/a\0/opt/b\0", vec!["", ""]),
        ("a count of 2^64 - 1", u64::MAX, vec![file, other], b"/opt/a\0/opt/b\0", vec!["", ""]),
        ("a count that just does not overflow", u64::MAX / 24 - 1, vec![file], b"/opt/a\0", vec!["", ""]),
    ] {
        let core = Core::of(X86_64);
        let list = core.file_list(count, &files, names);
        let core =
            core.note("CORE", NT_FILE, &list).load(0x1_0000, READ, &page(1)).load(0x2_0000, READ, &page(2));
        let snapshot = open(&core.build()).sound();
        let named: Vec<_> = snapshot.regions.iter().map(Region::name).collect();
        assert_eq!(named, known, "{what}");
        assert!(why(&snapshot, "names of some mapped files").contains("damaged"), "{what}");
    }
}

/// A note that says it is larger than what is there ends the notes; what came before counts.
#[test]
fn notes_that_are_cut_in_the_middle_keep_what_came_before() {
    for lie in [u32::MAX, 0x7fff_ffff, 0x1_0000] {
        let mut core = small_notes().note("CORE", 1, &[0; 400]).load(0x1_0000, READ, &page(1)).build();
        let last = core.windows(4).rposition(|bytes| bytes == 400_u32.to_le_bytes()).expect("its size");
        core[last..last + 4].copy_from_slice(&lie.to_le_bytes());
        let snapshot = open(&core).sound();
        assert_eq!(tids(&snapshot), [5], "{lie:#x}");
        assert!(why(&snapshot, "the rest of the core's notes").contains("cut off or damaged"), "{lie:#x}");
    }
}

/// Notes of others in between are passed by: other systems number theirs alike.
#[test]
fn notes_of_other_names_are_not_taken_for_the_kernel_s() {
    let core = Core::of(X86_64)
        .note("FreeBSD", 1, &[0xff; 400])
        .note("", 1, &[0xff; 400])
        .note("CORE", 0x202, &[1; 7])
        .thread(9, 0x1_0800)
        .load(0x1_0000, READ, &page(1));
    assert_eq!(tids(&open(&core.build()).sound()), [9]);
}

#[test]
fn a_thread_whose_note_is_short_has_no_stack_pointer() {
    let core =
        Core::of(X86_64).note("CORE", 1, &[3; 112]).note("CORE", 1, &[1; 20]).load(0x1_0000, READ, &page(1));
    let snapshot = open(&core.build()).sound();
    let threads: Vec<_> = snapshot.threads.iter().map(|thread| (thread.tid, thread.stack_pointer)).collect();
    assert_eq!(threads, [(0x303_0303, None)]);
}

/// The heap begins near the program, without a file, and is not the program's own zeroed data.
#[test]
fn the_heap_is_not_any_anonymous_memory() {
    let base = || {
        Core::of(X86_64)
            .auxv(&[(AT_ENTRY, 0x40_0100), (AT_RANDOM, 0x7ffc_0000_0100), (AT_SYSINFO_EHDR, 0)])
            .files(&[(0x40_0000, 0x40_1000, 0, "/opt/p")])
            .load(0x40_0000, READ | EXECUTE, &page(1))
    };
    let heap = |core: Core| {
        let snapshot = open(&core.build()).sound();
        let at = snapshot.regions.iter().find(|region| region.name() == "[heap]");
        at.map(|region| region.range.start.0)
    };
    let stack = |core: Core| core.load(0x7ffc_0000_0000, READ | WRITE, &page(2));
    assert_eq!(heap(stack(base()).load(0x41_0000, READ | WRITE, &page(3))), Some(0x41_0000));
    assert_eq!(
        heap(stack(base()).load(0x40_1000, READ | WRITE, &page(3))),
        None,
        "touches the program: its data"
    );
    assert_eq!(heap(stack(base()).load(0x41_0000, READ | EXECUTE, &page(3))), None, "not writable");
    assert_eq!(heap(stack(base()).load(0x9_4100_0000, READ | WRITE, &page(3))), None, "too far");
}

/// No list of files, as of old kernels or some tools: the program is told from its own entry, and the heap from that.
#[test]
fn a_program_without_a_list_of_files_has_a_heap_too() {
    let core = Core::of(X86_64)
        .thread(1, 0)
        .auxv(&[(AT_ENTRY, 0x40_0100)])
        .load(0x40_0000, READ | EXECUTE, &page(1))
        .load(0x40_1000, READ | WRITE, &page(1))
        .load(0x41_0000, READ | WRITE, &page(3));
    let snapshot = open(&core.build()).sound();
    let names: Vec<_> = snapshot.regions.iter().map(Region::name).collect();
    assert_eq!(names, ["[code]", "", "[heap]"]);
}

#[test]
fn landmarks_that_lie_name_nothing() {
    let core = small_notes()
        .auxv(&[(AT_ENTRY, u64::MAX), (AT_RANDOM, 1), (AT_SYSINFO_EHDR, 0xffff_ffff_ffff_ffff)])
        .load(0x1_0000, READ | WRITE, &page(1));
    let snapshot = open(&core.build()).sound();
    assert_eq!(region_at(&snapshot, 0x1_0000).name(), "");
}

#[test]
fn vss_is_the_size_of_all_regions() {
    let core = small().part(0x7f11_0000_0000, 0x100_0000, 0, b"");
    assert_eq!(open(&core.build()).sound().process.footprint.vss, Some(Bytes(0x100_a000)));
}
