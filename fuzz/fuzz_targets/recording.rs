//! A recording from a stranger: it is read or refused, holds memory that its size pays for, and is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_capture::file;
use residue_fuzz::Bounded;
use residue_recording::file::{MAGIC, Row, Start, VERSION};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|bytes: &[u8]| {
    let _ = file::read(bytes, "as it is");
    // The rows themselves, which would hardly ever be met through their packing.
    let packed = zstd::encode_all(bytes, 1).expect("memory takes all");
    let start = Start {
        magic: u64::from_le_bytes(MAGIC),
        version: VERSION,
        spare: 0,
        packed: packed.len() as u64,
        size: bytes.len() as u64,
    };
    let mut whole = vec![0; Start::SIZE];
    start.write(&mut whole);
    whole.extend_from_slice(&packed);
    let Ok(recording) = file::read(&whole[..], "packed") else { return };
    for sums in &recording.stacks {
        assert!(recording.calls.frames(sums.stack).count() < recording.calls.nodes.len());
    }
    let again = file::read(&file::bytes(&recording)[..], "again").expect("what was read can be written and read");
    assert_eq!(again, recording);
});
