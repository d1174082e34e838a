//! Where copied memory waits to be written.
//!
//! The target stands only while it is read, and reading is faster than any disk. Measured with 2 GiB of small pages on
//! two processors (Linux 6.18, ext4; three runs and more each), the target stands for
//!
//! - 0.84 to 3.6 s when one thread reads and writes in turn;
//! - 0.9 to 1.3 s when it reads straight into the mapped output file, whose pages fault one by one; 0.45 to 0.6 s when
//!   they are made before, but then zeros take room on the disk too, and a full disk kills the writer with SIGBUS;
//! - 0.53 to 0.77 s with a reader, a writer and 64 MiB between them, and 2.4 to 3.2 s once other work keeps the processors
//!   or the disk busy: the reader waits for the writer;
//! - 0.46 to 0.53 s with room for all of it, and 0.21 to 0.35 s with two readers and a writer that waits for its turn
//!   until the target runs again.
//!
//! So the copy takes as much room as the machine can spare, in pages that are there before the target is stopped (huge
//! ones where there are any: 2 GiB of them take 0.3 s to make, of small ones 0.7 s). Only what has no room is written
//! while the target stands.

use memmap2::{Advice, MmapMut};
use residue_model::{Bytes, ProcessId};

use crate::live::linux::{ProcDir, limits, system};
use crate::{Error, Result};

/// What is handed over at once.
pub(super) const CHUNK: usize = 4 * 1024 * 1024;

/// With fewer chunks the reader and the writer wait for each other.
const FEWEST: usize = 4;

/// Chunks beyond those of a process that stays as it is.
const MORE: u64 = 4;

/// The part of the memory left on this machine, and in our control group, that is taken.
const SHARE: u64 = 4;

/// How much room to make for a copy of this size.
pub(super) fn room(proc_dir: &ProcDir, size: Bytes, wanted: Option<Bytes>) -> Bytes {
    let spare = wanted.unwrap_or_else(|| Bytes(headroom(proc_dir).0 / SHARE));
    // More than it takes: the size is told before the target stops, and it still grows.
    let chunks = |size: Bytes| size.0.div_ceil(CHUNK as u64);
    let count = (chunks(size) + MORE).min(chunks(spare)).max(FEWEST as u64);
    Bytes(count * CHUNK as u64)
}

/// How much memory we can take before we or others are short of it.
pub(super) fn headroom(proc_dir: &ProcDir) -> Bytes {
    let system = system(proc_dir);
    let ours = limits(proc_dir, ProcessId(std::process::id()), &system, &mut Vec::new());
    ours.memory.iter().filter_map(residue_model::Limit::headroom).min().unwrap_or_default()
}

/// Takes the room, in memory that is there: a page that faults while the target stands would make it wait.
pub(super) fn take(room: Bytes) -> Result<MmapMut> {
    populated(room).or_else(|_| populated(Bytes((FEWEST * CHUNK) as u64)))
}

/// Memory of this size that is there, in huge pages where the machine has some.
pub(super) fn populated(size: Bytes) -> Result<MmapMut> {
    let size = usize::try_from(size.0).unwrap_or(usize::MAX);
    let mut memory = MmapMut::map_anon(size).map_err(|error| Error::reading("memory for the copy", error))?;
    let _ = memory.advise(Advice::HugePage);
    // Before Linux 5.14 there is no such advice.
    if memory.advise(Advice::PopulateWrite).is_err() {
        memory.iter_mut().step_by(4096).for_each(|byte| *byte = 0);
    }
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_by_what_is_needed_and_by_what_is_wanted() {
        let proc_dir = ProcDir::open().expect("tests run where /proc is mounted");
        let chunk = CHUNK as u64;
        assert_eq!(room(&proc_dir, Bytes(1), Some(Bytes::gib(1))), Bytes((1 + MORE) * chunk));
        assert_eq!(room(&proc_dir, Bytes(10 * chunk), Some(Bytes::gib(1))), Bytes((10 + MORE) * chunk));
        assert_eq!(room(&proc_dir, Bytes::gib(9), Some(Bytes(20 * chunk))), Bytes(20 * chunk));
        assert!(room(&proc_dir, Bytes::gib(1 << 20), None) <= Bytes(headroom(&proc_dir).0 / 2));
    }
}
