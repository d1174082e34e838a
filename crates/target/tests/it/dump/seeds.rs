//! Where the fuzz targets `elf_core` and `minidump` begin: small dumps of every kind, kept in `fixtures/`.

use std::{env, fs};

use super::elf::{
    AARCH64, ARM, AT_ENTRY, AT_RANDOM, AT_SYSINFO_EHDR, Core, EXECUTE, I386, Machine, PPC, READ, S390X,
    WRITE, X86_64,
};
use super::mdmp::{self, Dump, Info, LINUX, LINUX_MAPS, MACOS, MISC, WINDOWS};
use super::open;

/// Set, the seeds are written anew: `RESIDUE_BLESS=1 cargo test -p residue-target seeds`.
const BLESS: &str = "RESIDUE_BLESS";

/// Every note and kind of segment, in as few bytes as the structures allow.
fn core(machine: Machine) -> Core {
    let stack = if machine.wide { 0x7ffc_0000_0000 } else { 0xbffc_0000 };
    Core::of(machine)
        .thread(3, stack + 8)
        .process(2, 7, "seed", "./seed")
        .signal(11, 0x10)
        .auxv(&[(AT_ENTRY, 0x1_0010), (AT_RANDOM, stack + 32), (AT_SYSINFO_EHDR, stack + 0x2000)])
        .files(&[(0x1_0000, 0x1_2000, 0, "/seed"), (0x2_0000, 0x2_1000, 1, "/lib/so (deleted)")])
        .thread(2, stack + 16)
        .part(0x1_0000, 0x1000, READ | EXECUTE, &[0x7f; 32])
        .part(0x1_1000, 0x1000, READ | WRITE, b"")
        .load(0x1_4000, READ | WRITE, &[0x48; 64])
        .part(0x3_0000, 0x1000, 0, b"")
        .load(stack, READ | WRITE, &[0x57; 64])
        .load(stack + 0x2000, READ | EXECUTE, &[0xd5; 16])
}

pub(super) fn windows() -> Dump {
    let info = |start, size, state, protect, kind| Info { start, size, base: 0x1_0000, state, protect, kind };
    Dump::of(mdmp::X86_64, WINDOWS)
        .misc(7)
        .modules(&[(0x1_0000, 0x2000, "a.exe"), (0x5_0000, 0x1000, "b\\wow64.dll")])
        .unloaded(&[(0x9_0000, 0x1000, "c")])
        .threads(&[(1, 0x30_0000, Some(0x2_0008))])
        .thread_names(&[(1, "main")])
        .exception(1, 0xc000_0005, 0x10)
        .memory_info(&[
            info(0, 0x1_0000, 0x1_0000, 1, 0),
            info(0x1_0000, 0x1000, 0x1000, 0x20, 0x100_0000),
            info(0x2_0000, 0x1000, 0x1000, 0x104, 0x2_0000),
            info(0x2_1000, 0x1000, 0x2000, 0, 0x4_0000),
        ])
        .memory(&[(0x1_0000, &[0x4d; 32])])
        .memory64(&[(0x2_0000, &[0x57; 32]), (0x8_0000, &[0x99; 16])])
}

pub(super) fn linux(cpu: mdmp::Cpu, big_endian: bool) -> Dump {
    let maps = b"10000-11000 r-xp 0 08:01 5 /seed\n20000-22000 rw-p 0 00:00 0 [heap]\n";
    Dump::in_order(cpu, LINUX, big_endian)
        .stream(MISC, &[24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .modules(&[(0x1_0000, 0x1000, "/seed")])
        .threads(&[(5, 0, Some(0x2_0010)), (6, 0, None)])
        .exception(5, 11, 0x10)
        .stream(LINUX_MAPS, maps)
        .stream(0x4767_0004, b"Name:\tseed\nPid:\t5\n")
        .stream(0x4767_0006, b"./seed\0--once\0")
        .memory(&[(0x2_0000, &[0x48; 48]), (0x9_0000, &[1; 16])])
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let core = |machine| core(machine).build();
    let macos = Dump::of(mdmp::ARM64, MACOS).modules(&[(0x1_0000, 0x2000, "/seed")]);
    vec![
        ("elf_core/x86-64.core", core(X86_64)),
        ("elf_core/i386.core", core(I386)),
        ("elf_core/arm.core", core(ARM)),
        ("elf_core/aarch64.core", core(AARCH64)),
        ("elf_core/s390x.core", core(S390X)),
        ("elf_core/ppc.core", core(PPC)),
        ("elf_core/extended.core", Core::of(X86_64).extended().thread(1, 8).load(0, READ, &[1; 16]).build()),
        ("minidump/windows-x86-64.dmp", windows().build()),
        ("minidump/linux-x86.dmp", linux(mdmp::X86, false).build()),
        ("minidump/linux-arm-big-endian.dmp", linux(mdmp::ARM, true).build()),
        ("minidump/macos-arm64.dmp", macos.memory(&[(0x1_0800, &[1; 64])]).build()),
    ]
}

/// They open without a complaint: a seed that is refused at its header leads a fuzzer nowhere.
#[test]
fn seeds_of_the_fuzz_targets_are_whole() {
    for (name, bytes) in seeds() {
        let snapshot = open(&bytes).sound();
        let damaged =
            snapshot.gaps.iter().find(|gap| gap.why.contains("damaged") || gap.why.contains("cut off"));
        assert_eq!(damaged, None, "{name}");
        assert!(bytes.len() < 8192, "{name}: {} bytes", bytes.len());
    }
}

#[test]
fn seeds_of_the_fuzz_targets_are_those_that_are_built_here() {
    let folder = format!("{}/../../fixtures", env!("CARGO_MANIFEST_DIR"));
    for (name, bytes) in seeds() {
        let path = format!("{folder}/{name}");
        if env::var_os(BLESS).is_some() {
            fs::write(&path, &bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        let kept = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(kept == bytes, "{name} differs from what is built: set {BLESS}=1 to write it anew");
    }
}
