//! A core of a program that we started, written by gdb: what it shows is compared with the kernel's own list and with
//! what the program says of its memory.

use std::fs;
use std::process::Command;

use residue_model::{Address, Bytes, Protection, Region};
use residue_target::open_dump;
use residue_target::procfs::maps;
use residue_testkit::{Program, Running};
use tempfile::TempDir;

use super::{Opened, region_at};

/// The program, its regions just before, its core.
struct Dumped {
    program: Running,
    maps: Vec<Region>,
    core: Opened,
    _folder: TempDir,
}

fn dumped(name: &str) -> Dumped {
    let program = Program::build(name).spawn(&[]);
    let folder = tempfile::tempdir().expect("there is room");
    let prefix = folder.path().join("core");
    let text = fs::read(format!("/proc/{}/maps", program.pid())).expect("it runs");
    let mut listed = Vec::new();
    maps::read(text.as_slice(), &mut listed).expect("the kernel wrote it");
    let gcore = Command::new("gcore").arg("-o").arg(&prefix).arg(program.pid().to_string()).output();
    let gcore = gcore.expect("gdb is installed");
    assert!(gcore.status.success(), "{}", String::from_utf8_lossy(&gcore.stderr));
    let path = format!("{}.{}", prefix.display(), program.pid());
    let target = open_dump(&path, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error}"));
    Dumped { program, maps: listed, core: Opened { target, path, _file: None }, _folder: folder }
}

/// gdb leaves out what the kernel shows of itself, counts everything as readable, and gives what stands in files
/// anyway only a name, which has no protection.
fn as_gdb_has_it(region: &Region, saved: bool) -> Protection {
    let kept = if saved { region.protection } else { Protection::default() };
    Protection { read: true, shared: false, ..kept }
}

/// Names that a core does not keep. The kernel's own names have to be found again from other traces.
fn is_lost(name: &str) -> bool {
    name.starts_with("[anon")
}

#[test]
fn a_core_by_gdb_has_the_regions_that_the_kernel_lists() {
    let Dumped { maps, core, .. } = dumped("layout");
    let snapshot = core.sound();
    let listed: Vec<_> = maps.iter().filter(|region| !region.name().starts_with("[vvar")).collect();
    assert!(listed.len() > 40, "{} regions are no test", listed.len());
    assert_eq!(snapshot.regions.len(), listed.len(), "{}", super::listed(&snapshot));
    for (read, listed) in snapshot.regions.iter().zip(listed) {
        assert_eq!(read.range, listed.range);
        if !is_lost(listed.name()) {
            assert_eq!((read.name(), read.deleted), (listed.name(), listed.deleted), "{:?}", read.range);
        }
        let saved = read.saved.is_some_and(|saved| saved == read.size());
        assert!(saved || read.saved == Some(Bytes::ZERO), "{:?}", read.range);
        let protection = Protection { shared: false, ..read.protection };
        // The page of the kernel that may only be executed is shown as gdb can read it.
        if read.name() != "[vsyscall]" {
            assert_eq!(protection, as_gdb_has_it(listed, saved), "{:?} {}", read.range, read.name());
        }
        if read.protection.shared {
            assert!(listed.protection.shared, "{}", read.name());
        }
        if listed.name().starts_with('/') {
            assert_eq!(read.offset, listed.offset, "{}", read.name());
        }
    }
}

/// Every number here was told by the program itself.
#[test]
fn memory_in_a_core_is_what_the_program_wrote() {
    let Dumped { program, core, .. } = dumped("layout");
    let all = |name: &str, size: &str| {
        let size = usize::try_from(program.number(size)).expect("it fits into our own memory, too");
        let bytes = core.read(program.number(name), size);
        assert_eq!(bytes.len(), size, "{name}");
        bytes
    };
    assert!(all("heap_block", "heap_block_bytes").iter().all(|&byte| byte == 0x48));
    assert_eq!(core.read(program.number("data_here"), 17), b"a word in .data\0\0");
    for (name, size) in [
        ("anon_64k", "anon_64k_bytes"),
        ("anon_256k", "anon_256k_bytes"),
        ("committed", "committed_bytes"),
        ("sysv", "sysv_bytes"),
    ] {
        let is_touched = |page: &[u8]| page[0] == 1 && page[1..].iter().all(|&byte| byte == 0);
        assert!(all(name, size).chunks(4096).all(is_touched), "{name}");
    }
    let pages = all("anon_8m", "anon_8m_bytes").chunks(4096).filter(|page| page[0] == 1).count();
    assert_eq!(4096 * pages as u64, program.number("anon_8m_touched"));
}

#[test]
fn threads_in_a_core_stand_on_their_stacks() {
    let Dumped { program, core, .. } = dumped("layout");
    let snapshot = core.sound();
    assert_eq!(snapshot.threads.len() as u64, program.number("threads"));
    let stack_of = |tid: u64| {
        let thread =
            snapshot.threads.iter().find(|thread| u64::from(thread.tid) == tid).expect("it was told");
        let pointer = thread.stack_pointer.expect("x86-64 and arm tell it");
        (thread.is_main, region_at(&snapshot, pointer.0))
    };
    let (is_main, stack) = stack_of(u64::from(program.pid()));
    assert!(is_main && stack.range.contains(Address(program.number("stack_here"))));
    assert_eq!(stack.name(), "[stack]");
    for name in ["worker0", "worker1", "worker2", "custom"] {
        let (is_main, stack) = stack_of(program.number(&format!("{name}_tid")));
        let told = (program.number(&format!("{name}_stack")), program.number(&format!("{name}_stack_bytes")));
        assert_eq!((stack.range.start.0, stack.size().0, is_main), (told.0, told.1, false), "{name}");
    }
    assert_eq!(region_at(&snapshot, program.number("vdso")).name(), "[vdso]");
    assert_eq!(
        (u64::from(snapshot.process.pid.0), snapshot.process.name.as_str()),
        (u64::from(program.pid()), "layout")
    );
}
