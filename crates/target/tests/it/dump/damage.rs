//! Damage that was once read wrongly: each of these dumps gave a wrong answer, or none, before it was understood.

use super::elf::{Core, I386, READ, X86_64, page, small};
use super::mdmp::{self, Dump, MEMORY, MODULES, THREADS, WINDOWS};
use super::{fixture, listed, open, path_of, region_at, try_open, written};
use residue_model::{Address, Bytes, Os};
use residue_target::is_dump;
use std::io::Write;

/// Entries of `NT_FILE` without a segment become regions that overlap, or regions of no bytes.
#[test]
fn files_without_a_segment_do_not_overlap() {
    let core = Core::of(X86_64)
        .files(&[
            (0x40_0000, 0x40_3000, 0, "/a"),
            (0x40_1000, 0x40_2000, 0, "/b"),
            (0x60_0000, 0x60_0000, 0, "/c"),
        ])
        .load(0x50_0000, READ, &page(1));
    println!("{}", listed(&open(&core.build()).snapshot()));
    open(&core.build()).sound();
}

/// A signal that somebody sent (kill, abort, tgkill: `si_code` <= 0) is about no address: there stand pid and uid.
#[test]
fn a_signal_that_was_sent_is_about_no_address() {
    let snapshot = fixture("elfcore/lldb-thread_crash_linux-x86_64.core").expect("it opens").snapshot();
    let event = snapshot.dump.and_then(|dump| dump.event).expect("it crashed");
    // gdb: si_signo = 4, si_code = -6 (SI_TKILL), si_pid = 5222, si_uid = 1000
    assert_eq!(event.address, None);
}

/// Linux >= 6.9 on x86-64 places the heap up to 1 GiB behind the program (`arch_randomize_brk`).
#[test]
fn the_heap_of_a_new_kernel_is_named() {
    let core = fixture("elfcore/own-glibc2.36-leaks.core.zst").expect("it opens").snapshot();
    assert_eq!(region_at(&core, 0x55e9_0fbb_7000).name(), "[heap]");
}

/// A 32-bit address space ends at 4 GiB.
#[test]
fn a_narrow_core_has_no_wide_addresses() {
    let core = Core::of(I386).part(0xffff_f000, 0x2000, READ, &[page(1), page(2)].concat());
    let snapshot = open(&core.build()).sound();
    assert_eq!(snapshot.regions[0].range.end, Address(0x1_0000_0000));
}

/// The kernel parts arguments by spaces, the last one from nothing: `./a.out `.
#[test]
fn a_command_ends_with_its_last_argument() {
    let snapshot = fixture("elfcore/lldb-linux-x86_64.core").expect("it opens").snapshot();
    assert_eq!(snapshot.process.command.as_deref(), Some("./a.out"));
}

/// Frames one behind the other are one lz4 file: `cat a.lz4 b.lz4 | lz4 -d` gives both.
#[test]
fn lz4_frames_are_read_to_the_last() {
    let core = small().build();
    let (first, second) = core.split_at(9000);
    let pack = |bytes: &[u8]| {
        let mut packer = lz4_flex::frame::FrameEncoder::new(Vec::new());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let opened = open(&[pack(first), pack(second)].concat());
    let snapshot = opened.sound();
    println!("{:?}", snapshot.gaps);
    assert_eq!(snapshot.dump.unwrap().size, Bytes(core.len() as u64));
}

/// `zstd --long=31`: the window is larger than the decoder's default of 128 MiB. A frame made by hand: window 2^28,
/// one raw block that is the last.
#[test]
fn a_zstd_file_with_a_long_window_opens() {
    let core = small().build();
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3];
    let head = u32::try_from(core.len()).expect("a small core") << 3 | 1;
    packed.extend(&head.to_le_bytes()[..3]);
    packed.extend(&core);
    match try_open(&packed) {
        Ok(opened) => drop(opened.sound()),
        Err(error) => panic!("{error} ({:?}): {:?}", std::error::Error::source(&error), error.remedy()),
    }
}

/// A program in the current folder is no dump: `residue triage nginx` means the process.
#[test]
fn the_name_of_a_program_is_no_dump() {
    let program = Core::of(X86_64).kind(2).load(0x40_0000, READ, &page(1)).build();
    assert!(!is_dump(&path_of(&written(&program))));
}

/// 9a. One name that cannot be read costs all modules.
#[test]
fn one_damaged_name_costs_one_name() {
    let mut dump = Dump::of(mdmp::X86_64, WINDOWS).threads(&[]);
    let good = dump.string("good.exe");
    let odd = dump.units(&[0x61, 0xd800, 0x62]);
    for bad in [odd, u32::MAX, 0x7fff_0000] {
        let list = dump.module_list(&[(0x1_0000, 0x1000, good), (0x2_0000, 0x1000, bad)]);
        let snapshot = open(&dump.clone().stream(MODULES, &list).build()).sound();
        println!("{:?}", snapshot.gaps);
        assert_eq!(snapshot.modules.len(), 2, "{bad:#x}");
    }
}

/// A `CodeView` record outside the file costs all modules: in a full dump that was cut off they may stand last.
#[test]
fn a_lost_debug_record_costs_no_module() {
    let mut dump = Dump::of(mdmp::X86_64, WINDOWS).threads(&[]);
    let good = dump.string("good.exe");
    let mut list = dump.module_list(&[(0x1_0000, 0x1000, good)]);
    let cv = 4 + 24 + 52;
    list[cv..cv + 8].copy_from_slice(&[24, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]);
    let snapshot = open(&dump.stream(MODULES, &list).build()).sound();
    assert_eq!(snapshot.modules.len(), 1);
}

/// What does not say its system is not called Linux.
#[test]
fn an_unknown_system_is_not_linux() {
    let snapshot = open(&Dump::bare(mdmp::X86_64, false).build()).sound();
    assert_eq!(snapshot.machine.os, Os::Other);
}

/// A list whose count lies gives what it holds (as the two memory lists do); now all threads are lost.
#[test]
fn a_thread_list_that_lies_gives_the_threads_it_has() {
    let whole = mdmp::small();
    let mut bytes = whole.build();
    let at = whole.place(THREADS);
    bytes[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    let snapshot = open(&bytes).sound();
    println!("{:?}", snapshot.gaps);
    assert_eq!(snapshot.threads.len(), 2);
}

/// Of two streams of one kind dbghelp (and the oracle) take the first; the minidump crate takes the last.
#[test]
fn of_two_streams_the_first_counts() {
    let dump = Dump::of(mdmp::X86_64, WINDOWS).modules(&[]).threads(&[]);
    let dump = dump.memory(&[(0x1_0000, &[1; 16])]).memory(&[(0x2_0000, &[2; 16])]);
    let opened = open(&dump.build());
    assert_eq!(opened.read(0x1_0000, 4), [1; 4]);
    let _ = MEMORY;
}

/// A region that is cut because another begins before it keeps its place in its file.
#[test]
fn a_region_that_is_cut_keeps_its_offset() {
    let maps = b"10000-13000 r-xp 00000000 08:01 7 /a\n11000-14000 r-xp 00005000 08:01 8 /b\n";
    let dump = Dump::of(mdmp::X86_64, mdmp::LINUX).modules(&[]).threads(&[]).stream(mdmp::LINUX_MAPS, maps);
    let snapshot = open(&dump.build()).sound();
    assert_eq!(snapshot.regions[1].offset, Bytes(0x7000), "{}", listed(&snapshot));
}

/// Panic, "attempt to add with overflow", minidump/memory.rs `held.unlisted +=` (found by the fuzz target): both
/// memory lists lie, the one of 64 bits with 2^64 - 1.
#[test]
fn counts_that_lie_in_both_lists_do_not_overflow() {
    let whole = mdmp::small().memory(&[(0x77_0000, &[1; 64])]);
    let mut bytes = whole.build();
    let (short, long) = (whole.place(MEMORY), whole.place(mdmp::MEMORY64));
    bytes[short..short + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes[long..long + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    open(&bytes).sound();
}
