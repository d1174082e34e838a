//! A capture from a stranger: it ends, holds little memory, and says the same plain and in gzip.
#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use residue_fuzz::{Bounded, is_printable};
use residue_target::capture::{Archive, replay};
use residue_target::{Census, File, Files, Result};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|bytes: &[u8]| {
    let plain = census(bytes, Files::all());
    if let Ok(census) = &plain {
        for process in &census.processes {
            assert!(is_printable(&process.name));
            assert!(process.user.as_deref().is_none_or(is_printable));
            assert!(process.command.as_deref().is_none_or(is_printable));
        }
    }
    let _ = census(bytes, Files::default().with(File::Rollup));
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = census(&gzip(bytes), Files::all());
        assert_eq!(rows(&packed), rows(&plain));
    }
    // The mutator breaks a tar's checksums sooner than it reaches what stands inside: one that is whole, too.
    let _ = census(&wrapped(bytes), Files::all());
});

fn census(bytes: &[u8], files: Files) -> Result<Census> {
    replay(|| Ok(bytes), files, &|_| true, &mut |_, record| !record.name.ends_with(b"]"))
}

fn rows(census: &Result<Census>) -> Option<(String, usize)> {
    census.as_ref().ok().map(|census| (format!("{:?}", census.processes), census.gaps.len()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::none());
    packer.write_all(bytes).expect("memory takes everything");
    packer.finish().expect("memory takes everything")
}

/// An archive whose members hold the input, cut at NUL bytes: each file of a process in turn.
fn wrapped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut archive = Archive::new(&mut packed, false);
    for (index, part) in bytes.split(|&byte| byte == 0).take(64).enumerate() {
        let file = File::ALL[index % File::ALL.len()].name();
        let path = format!("{}/{file}", 1 + index / File::ALL.len());
        archive.add(&path, part).expect("memory takes everything");
    }
    archive.add("meminfo", bytes).expect("memory takes everything");
    archive.finish().expect("memory takes everything");
    packed
}
