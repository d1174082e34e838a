//! Minidumps that others wrote: Windows, Breakpad and Crashpad on Linux and macOS.
//!
//! Numbers come from a listing by a parser of its own, in Python; sizes without a list of regions are its union of
//! module and memory ranges.

use std::collections::BTreeMap;

use minidump::{Minidump, MinidumpMemoryInfoList};
use residue_model::{Address, Bytes, Os, Pages, Snapshot, Source};

use super::{fixture, tids, why};
use crate::fixtures;

/// System, size of all regions, how much of it is in the file, threads, modules with unloaded ones, lines of maps.
type Expected = (&'static str, Os, u64, u64, &'static [u32], usize, usize);

const MINIDUMPS: [Expected; 16] = [
    ("breakpad-linux_executable_heap.dmp", Os::Linux, 15_282_176, 12_544, &[20_520], 8, 35),
    ("breakpad-linux_inside_module_exe_region1.dmp", Os::Linux, 15_286_272, 27_990, &[144_260], 8, 35),
    ("breakpad-linux_write_to_under_4k.dmp", Os::Linux, 15_286_272, 16_640, &[110_993], 8, 35),
    (
        "breakpad-thread_name_list.dmp",
        Os::Windows,
        13_153_392,
        6256,
        &[6564, 3296, 3164, 11_960, 8820, 10_976],
        17,
        0,
    ),
    (
        "breakpad-tiny-exe-fastfail.dmp",
        Os::Windows,
        28_183_272,
        85_224,
        &[24_440, 36_104, 26_620, 34_828],
        21,
        0,
    ),
    (
        "breakpad-tiny-exe-with-cet-xsave-x86.dmp",
        Os::Windows,
        15_538_180,
        10_756,
        &[59_444, 159_156, 96_548],
        19,
        0,
    ),
    ("breakpad-tiny-exe-with-cet-xsave.dmp", Os::Windows, 2_220_599_005_184, 50_800, &[1468], 26, 0),
    ("lldb-fizzbuzz_no_heap.dmp", Os::Windows, 5_789_980, 2588, &[8992], 6, 0),
    ("lldb-linux-x86_64.dmp", Os::Linux, 15_286_272, 12_544, &[16_001], 8, 35),
    ("lldb-regions-memlist64.dmp", Os::MacOs, 48, 48, &[], 0, 0),
    ("lldb-windows-sigsegv.dmp", Os::Windows, 5_249_614, 96_342, &[10_860], 4, 0),
    (
        "rustminidump-invalid-parameter.dmp",
        Os::Windows,
        32_677_856,
        25_568,
        &[5896, 4944, 14_112, 11_744, 12_044, 13_188],
        31,
        0,
    ),
    ("rustminidump-linux-mini.dmp", Os::Linux, 15_921_152, 12_544, &[1304], 8, 35),
    (
        "rustminidump-pipeline-inlines-macos-segv.dmp",
        Os::MacOs,
        7_091_936,
        92_128,
        &[4611, 5379, 5635, 10_499, 10_243, 9987, 9731, 5891, 9475, 9219, 8963],
        47,
        0,
    ),
    ("rustminidump-simple-crashpad.dmp", Os::MacOs, 4_883_728, 5392, &[927_532], 40, 0),
    ("rustminidump-test.dmp", Os::Windows, 6_534_652, 5884, &[3060, 4544], 13, 0),
];

/// Made by others to break parsers: counts, places and sizes that lie.
const DAMAGED: [&str; 2] = ["rustminidump-invalid-range.dmp", "rustminidump-invalid-record-count.dmp"];

const LISTED: &str = "breakpad-tiny-exe-with-cet-xsave.dmp";

fn snapshot(name: &str) -> Snapshot {
    fixture(&format!("minidump/{name}")).unwrap_or_else(|error| panic!("{error}")).sound()
}

#[test]
fn a_minidump_has_the_memory_threads_and_modules_that_its_streams_list() {
    for (name, os, size, saved, threads, modules, maps) in MINIDUMPS {
        let snapshot = snapshot(name);
        assert_eq!((snapshot.machine.os, snapshot.source), (os, Source::Minidump), "{name}");
        assert_eq!(snapshot.process.footprint.vss, Some(Bytes(size)), "{name}");
        assert_eq!(snapshot.dump.as_ref().map(|dump| dump.saved), Some(Bytes(saved)), "{name}");
        assert_eq!(tids(&snapshot), threads, "{name}");
        assert_eq!(snapshot.modules.len(), modules, "{name}");
        if maps > 0 {
            assert_eq!(snapshot.regions.len(), maps, "{name}");
        } else if name != LISTED {
            assert!(why(&snapshot, "the list of regions").contains("derived"), "{name}");
        }
    }
}

#[test]
fn every_minidump_of_the_fixtures_is_compared() {
    let mut known: Vec<_> = MINIDUMPS.iter().map(|(name, ..)| *name).chain(DAMAGED).collect();
    known.sort_unstable();
    let known: Vec<_> = known.iter().map(|name| format!("dumps/minidump/{name}")).collect();
    assert_eq!(fixtures::names("dumps/minidump", |_| true), known);
}

#[test]
fn a_damaged_minidump_gives_no_region_and_says_why() {
    for name in DAMAGED {
        let snapshot = snapshot(name);
        assert_eq!(
            (snapshot.regions.len(), snapshot.threads.len(), snapshot.modules.len()),
            (0, 0, 0),
            "{name}"
        );
        for what in ["all memory", "the list of regions", "the operating system and processor", "threads"] {
            assert!(!why(&snapshot, what).is_empty(), "{name}: {what}");
        }
    }
}

/// What is free is no region, and nothing else is left out: the oracle counted 557 entries, 127 of them free.
#[test]
fn regions_are_what_virtual_query_said_of_all_that_is_not_free() {
    let snapshot = snapshot(LISTED);
    assert_eq!(snapshot.regions.len(), 430);
    let sum = |passes: &dyn Fn(Pages) -> bool| {
        let of = snapshot.regions.iter().filter(|region| region.pages.is_some_and(passes));
        of.fold((0, 0), |(count, bytes), region| (count + 1, bytes + region.size().0))
    };
    let committed = |kind| move |pages: Pages| pages.state == 0x1000 && pages.kind == Some(kind);
    assert_eq!(sum(&|pages| pages.state == 0x1000), (363, 85_684_224));
    assert_eq!(sum(&|pages| pages.state == 0x2000), (67, 2_220_513_320_960));
    assert_eq!(sum(&committed(Pages::PRIVATE)), (160, 1_294_336));
    assert_eq!(sum(&committed(Pages::MAPPED)), (52, 52_707_328));
    assert_eq!(sum(&committed(Pages::IMAGE)), (151, 31_682_560));
}

/// The `minidump` crate, asked directly, says the same of each: place, state, type, protection.
#[test]
fn regions_agree_with_another_reader_one_by_one() {
    let bytes = fixtures::read(&format!("dumps/minidump/{LISTED}"));
    let dump = Minidump::read(bytes.as_slice()).expect("the oracle reads it");
    let list: MinidumpMemoryInfoList<'_> = dump.get_stream().expect("it has a list");
    let mut expected = BTreeMap::new();
    for raw in list.iter().map(|info| &info.raw).filter(|raw| raw.state != 0x1_0000) {
        let entry = (raw.region_size, raw.allocation_base, raw.state, raw._type, raw.protection);
        expected.insert(raw.base_address, entry);
    }
    let mut read = BTreeMap::new();
    for region in &snapshot(LISTED).regions {
        let pages = region.pages.expect("Windows told");
        let (kind, protect) = (pages.kind.expect("told"), pages.protect.expect("told"));
        let entry = (region.size().0, region.allocation_base.0, pages.state, kind, protect);
        read.insert(region.range.start.0, entry);
    }
    assert_eq!(read, expected);
}

#[test]
fn a_module_names_the_regions_of_its_image() {
    let snapshot = snapshot(LISTED);
    let program = &snapshot.modules[0];
    assert_eq!(
        (&*program.name, program.range.start),
        ("C:\\src\\crashpad\\tiny.exe", Address(0x7ff7_78bd_0000))
    );
    let named: Vec<_> = snapshot.regions.iter().filter(|region| region.name() == &*program.name).collect();
    assert!(named.iter().all(|region| region.allocation_base == program.range.start && !named.is_empty()));
    let unloaded: Vec<_> = snapshot.modules.iter().filter(|module| module.unloaded).collect();
    assert_eq!(unloaded.len(), 1);
}

#[test]
fn threads_have_the_names_that_their_program_gave_them() {
    let snapshot = snapshot("breakpad-thread_name_list.dmp");
    let names: Vec<_> = snapshot.threads.iter().map(|thread| (thread.tid, thread.name.as_str())).collect();
    let expected = [
        (6564, "main thread"),
        (3296, ""),
        (3164, ""),
        (11_960, ""),
        (8820, "sleep thread"),
        (10_976, "overflow thread"),
    ];
    assert_eq!(names, expected);
}

/// It has no stream that says so: only `/proc/PID/status`, which came along.
#[test]
fn a_dump_of_a_linux_process_knows_its_number_and_command() {
    let process = snapshot("rustminidump-linux-mini.dmp").process;
    assert_eq!((process.pid.0, process.name.as_str()), (1304, "crash"));
    assert_eq!(process.command.as_deref(), Some("./crash"));
}
