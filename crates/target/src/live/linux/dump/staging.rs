//! Where copied memory waits to be written.
//!
//! The target stands only while it is read, and reading is faster than any disk. Measured with 2 GiB on two processors
//! (Linux 6.18, ext4; five runs; seconds that the target stands): one thread that reads and writes in turn 0.84–3.6; straight into
//! the mapped output file 0.9–1.3, since each page faults, or 0.45–0.6 with its pages made before, which takes the room on
//! disk for zeros too and kills the writer with SIGBUS when there is none; a reader and a writer with 64 MiB between them
//! 0.53–0.77, until the kernel makes the writer wait for the disk; with room for all of it 0.46–0.53, whatever the disk
//! does. So: as much room as the machine can spare, made before the target is stopped, of huge pages where there are any
//! (making 2 GiB of them takes 0.3 s, of small ones 0.7 s).

use memmap2::{Advice, MmapMut};
use residue_model::{Bytes, ProcessId};

use crate::live::linux::{ProcDir, limits, system};
use crate::{Error, Result};

/// What is handed over at once.
pub(super) const CHUNK: usize = 4 * 1024 * 1024;

/// With fewer chunks the reader and the writer wait for each other.
const FEWEST: u64 = 4;

/// The part of the memory left on this machine, and in our control group, that is taken.
const SHARE: u64 = 4;

/// How much room to make for a copy of this size.
pub(super) fn room(proc_dir: &ProcDir, size: Bytes, wanted: Option<Bytes>) -> Bytes {
    let spare = wanted.unwrap_or_else(|| Bytes(headroom(proc_dir).0 / SHARE));
    // One more than it takes: the size is told before the target stops, and it still grows.
    let chunks = |size: Bytes| size.0.div_ceil(CHUNK as u64);
    let count = (chunks(size) + 1).min(chunks(spare)).max(FEWEST);
    Bytes(count * CHUNK as u64)
}

/// How much memory we can take before we or others are short of it.
fn headroom(proc_dir: &ProcDir) -> Bytes {
    let system = system(proc_dir);
    let ours = limits(proc_dir, ProcessId(std::process::id()), &system, &mut Vec::new());
    ours.memory.iter().filter_map(residue_model::Limit::headroom).min().unwrap_or_default()
}

/// Takes the room, in memory that is there: a page that faults while the target stands would make it wait.
pub(super) fn take(room: Bytes) -> Result<MmapMut> {
    let size = usize::try_from(room.0).unwrap_or(usize::MAX);
    let fewest = FEWEST as usize * CHUNK;
    let mut staging = MmapMut::map_anon(size)
        .or_else(|_| MmapMut::map_anon(fewest))
        .map_err(|error| Error::reading("memory for the copy", error))?;
    let _ = staging.advise(Advice::HugePage);
    // Before Linux 5.14 there is no such advice.
    if staging.advise(Advice::PopulateWrite).is_err() {
        staging.iter_mut().step_by(4096).for_each(|byte| *byte = 0);
    }
    Ok(staging)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_by_what_is_needed_and_by_what_is_wanted() {
        let proc_dir = ProcDir::open().expect("tests run where /proc is mounted");
        let chunk = CHUNK as u64;
        assert_eq!(room(&proc_dir, Bytes(1), Some(Bytes::gib(1))), Bytes(FEWEST * chunk));
        assert_eq!(room(&proc_dir, Bytes(10 * chunk), Some(Bytes::gib(1))), Bytes(11 * chunk));
        assert_eq!(room(&proc_dir, Bytes::gib(9), Some(Bytes(20 * chunk))), Bytes(20 * chunk));
        assert!(room(&proc_dir, Bytes::gib(1 << 20), None) <= Bytes(headroom(&proc_dir).0 / 2));
    }
}
