//! The small files: each is read from any bytes, and says only what is printable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{is_printable, lines};
use residue_model::{Bytes, ProcessId};
use residue_target::procfs::cgroup::Membership;
use residue_target::procfs::{cgroup, iomem, limits, meminfo, printable, statm, status, sysvipc};
use residue_target::{Draft, File};

fuzz_target!(|text: &[u8]| {
    let status = status::parse(text);
    if let Some(rss) = status.rss {
        assert!(rss.0 % 1024 == 0 || rss == Bytes(u64::MAX));
    }
    meminfo::parse(text);
    limits::parse(text);
    let _ = statm::parse(text);
    let (installed, kernel_image) = iomem::parse(text);
    assert!(installed != Some(Bytes::ZERO) && kernel_image != Some(Bytes::ZERO));
    if let Some(Membership::Unified(path) | Membership::Memory(path)) = cgroup::parse(text) {
        assert!(is_printable(&path));
    }
    assert!(sysvipc::parse(text).len() < lines(text).len().max(1));
    assert!(is_printable(&printable(text)));

    let mut draft = Draft::new(ProcessId(1), 4096);
    for file in File::ALL.into_iter().filter(|file| !matches!(file, File::Maps | File::Smaps)) {
        let _ = draft.take(file, text);
    }
    assert!(is_printable(&draft.process.name));
    assert!(draft.process.command.as_deref().is_none_or(is_printable));
});
