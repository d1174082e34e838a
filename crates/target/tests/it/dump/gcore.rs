//! A core of a program that we started, written by gdb: what it shows is compared with the kernel's own list and with
//! what the program says of its memory.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use residue_model::{Address, Memory, Region, Snapshot, Thread};
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

fn dumped(name: &str, arguments: &[&str]) -> Dumped {
    let program = Program::build(name).spawn(arguments);
    let folder = tempfile::tempdir().expect("there is room");
    let prefix = folder.path().join("core");
    let text = fs::read(format!("/proc/{}/maps", program.pid())).expect("it runs");
    let mut listed = Vec::new();
    maps::read(text.as_slice(), &mut listed).expect("the kernel wrote it");
    let gcore = Command::new("gcore").arg("-o").arg(&prefix).arg(program.pid().to_string()).output();
    let gcore = gcore.expect("gdb is installed: cargo xtask setup");
    assert!(gcore.status.success(), "{}", String::from_utf8_lossy(&gcore.stderr));
    let path = format!("{}.{}", prefix.display(), program.pid());
    let target = open_dump(&path, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error}"));
    Dumped { program, maps: listed, core: Opened { target, path, _file: None }, _folder: folder }
}

#[test]
fn explore() {
    let d = dumped("layout", &[]);
    let s = d.core.sound();
    print!("{}", super::listed(&s));
    println!("{:#?}", s.gaps);
    println!("{:?} {:?}", s.process, s.threads);
    for r in &d.maps {
        println!("MAP {:x}-{:x} {} {}", r.range.start.0, r.range.end.0, r.protection, r.name());
    }
    println!("{:?}", d.program.facts());
}
