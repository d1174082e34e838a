//! What holds of every dump that opens, whatever its bytes.

use std::fs::File;
use std::io::{Seek, Write};
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;

use residue_model::{Address, Bytes, Memory, Snapshot};
use residue_target::open_dump;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::is_printable;

/// Opens bytes as a file that lives in memory only, and looks at all that it shows.
pub fn check(bytes: &[u8]) {
    let mut file = File::from(memfd_create("dump", MemfdFlags::CLOEXEC).expect("there is room for a file"));
    file.write_all(bytes).expect("there is room for a file");
    file.rewind().expect("it is a file");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    match open_dump(&path, &mut |_, _| {}) {
        Ok(target) => {
            let snapshot = target.snapshot().expect("a dump does not change");
            holds_together(&snapshot, target.memory().expect("a dump has memory"), bytes.len() as u64);
        }
        Err(error) => {
            assert!(error.to_string().contains(&path) && is_printable(&error.to_string()));
            assert!(error.remedy().is_some());
        }
    }
}

/// Regions are in order, and what they say that the dump holds of them is what can be read.
fn holds_together(snapshot: &Snapshot, memory: &dyn Memory, length: u64) {
    let dump = snapshot.dump.as_ref().expect("a dump says that it is one");
    assert_eq!(dump.size, Bytes(length));
    let (mut end, mut saved, mut window) = (Address(0), Bytes::ZERO, Vec::new());
    for region in &snapshot.regions {
        assert!(region.range.start >= end && region.size() > Bytes::ZERO, "{region:?} begins before {end}");
        end = region.range.end;
        let (mut read, mut at) = (0, region.range.start);
        let walked = memory.walk(region.range, &mut window, &mut |start, piece| {
            assert!(start >= at && !piece.is_empty());
            at = Address(start.0 + piece.len() as u64);
            assert!(at <= region.range.end);
            read += piece.len() as u64;
            ControlFlow::Continue(())
        });
        assert_eq!((walked, Some(Bytes(read))), (ControlFlow::Continue(()), region.saved));
        assert!(is_printable(region.name()));
        saved += Bytes(read);
    }
    assert_eq!(saved, dump.saved);
    assert!(Some(saved) <= snapshot.process.footprint.vss);
    names_are_printable(snapshot);
}

fn names_are_printable(snapshot: &Snapshot) {
    let process = &snapshot.process;
    let event = snapshot.dump.as_ref().and_then(|dump| dump.event.as_ref());
    let texts = [&process.command, &snapshot.machine.os_version, &snapshot.machine.cpu];
    assert!(is_printable(&process.name) && texts.into_iter().flatten().all(|text| is_printable(text)));
    assert!(event.is_none_or(|event| is_printable(&event.name)));
    assert!(snapshot.threads.iter().all(|thread| is_printable(&thread.name)));
    for module in &snapshot.modules {
        assert!(is_printable(&module.name) && module.range.start < module.range.end);
        assert!(module.version.as_deref().is_none_or(is_printable));
    }
    assert!(snapshot.gaps.iter().all(|gap| is_printable(&gap.what) && is_printable(&gap.why)));
}
