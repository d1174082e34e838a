//! Cores and minidumps: real ones that others wrote, and ones built here apart from the reader.

mod cores;
#[cfg(target_os = "linux")]
mod damage;
mod elf;
mod elf_core;
#[cfg(target_os = "linux")]
mod gcore;
mod mdmp;
mod minidump;
mod minidumps;
pub(crate) mod mutated;
mod packed;
mod refused;
mod seeds;

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;

use residue_model::{Address, Bytes, Memory, Region, Snapshot};
use residue_target::{Result, Target, open_dump};
use tempfile::NamedTempFile;

/// An opened dump and the file that it stands in.
struct Opened {
    target: Box<dyn Target>,
    path: String,
    _file: Option<NamedTempFile>,
}

/// Opens bytes as a file.
fn open(bytes: &[u8]) -> Opened {
    try_open(bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn try_open(bytes: &[u8]) -> Result<Opened> {
    let file = written(bytes);
    let path = path_of(&file);
    let target = open_dump(&path, &mut |_, _| {})?;
    Ok(Opened { target, path, _file: Some(file) })
}

/// Opens a file of `fixtures/dumps`.
fn fixture(name: &str) -> Result<Opened> {
    let path = format!("{}/../../fixtures/dumps/{name}", env!("CARGO_MANIFEST_DIR"));
    let target = open_dump(&path, &mut |_, _| {})?;
    Ok(Opened { target, path, _file: None })
}

fn written(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("there is room for a temporary file");
    file.write_all(bytes).expect("there is room for a temporary file");
    file
}

fn path_of(file: &NamedTempFile) -> String {
    file.path().to_str().expect("a plain path").to_owned()
}

impl Opened {
    fn snapshot(&self) -> Snapshot {
        self.target.snapshot().expect("a dump does not change")
    }

    fn memory(&self) -> &dyn Memory {
        self.target.memory().expect("a dump has memory")
    }

    /// As much in a row as can be read of so many bytes.
    fn read(&self, address: u64, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        let read = self.memory().read(Address(address), &mut bytes);
        bytes.truncate(read);
        bytes
    }

    /// Checks what holds of every dump, whole or damaged, and gives its snapshot.
    #[track_caller]
    fn sound(&self) -> Snapshot {
        let snapshot = self.snapshot();
        let dump = snapshot.dump.as_ref().expect("a dump says that it is one");
        assert_eq!(dump.file, self.path);
        let mut end = Address(0);
        let (mut saved, mut window) = (Bytes::ZERO, Vec::new());
        for region in &snapshot.regions {
            assert!(region.range.start >= end && region.size() > Bytes::ZERO, "{}", listed(&snapshot));
            end = region.range.end;
            let held = region.saved.expect("a dump knows what it holds");
            let (mut read, mut at) = (0, region.range.start);
            let walked = self.memory().walk(region.range, &mut window, &mut |start, piece| {
                assert!(start >= at && !piece.is_empty());
                at = Address(start.0 + piece.len() as u64);
                assert!(at <= region.range.end);
                read += piece.len() as u64;
                ControlFlow::Continue(())
            });
            assert_eq!((walked, Bytes(read)), (ControlFlow::Continue(()), held));
            assert!(!region.name().chars().any(char::is_control));
            saved += held;
        }
        assert!(saved <= snapshot.process.footprint.vss.expect("regions have sizes"));
        assert_eq!(saved, dump.saved, "regions leave out memory that the dump holds");
        assert_eq!(snapshot.process.maps, Some(snapshot.regions.len() as u64));
        snapshot
    }
}

/// Regions as lines to compare: `START-END rwxp SAVED NAME`.
fn listed(snapshot: &Snapshot) -> String {
    let mut list = String::new();
    for region in &snapshot.regions {
        let Region { range, protection, saved, .. } = region;
        let saved = saved.unwrap_or_default().0;
        let line = format!("{:x}-{:x} {protection} {saved:#x} {}", range.start.0, range.end.0, region.name());
        writeln!(list, "{}", line.trim_end()).expect("a string takes everything");
    }
    list
}

/// The reason of the gap that tells of something.
#[track_caller]
fn why<'a>(snapshot: &'a Snapshot, what: &str) -> &'a str {
    let gap = snapshot.gaps.iter().find(|gap| gap.what == what);
    &gap.unwrap_or_else(|| panic!("no gap says {what:?}: {:#?}", snapshot.gaps)).why
}

fn tids(snapshot: &Snapshot) -> Vec<u32> {
    snapshot.threads.iter().map(|thread| thread.tid).collect()
}

fn region_at(snapshot: &Snapshot, address: u64) -> &Region {
    let found = snapshot.regions.iter().find(|region| region.range.contains(Address(address)));
    found.unwrap_or_else(|| panic!("no region at {address:#x}:\n{}", listed(snapshot)))
}
