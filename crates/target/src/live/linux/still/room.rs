//! Where the copy goes, and what it will cost.

use std::time::Duration;

use memmap2::MmapMut;
use residue_model::{Bytes, Process};

use crate::live::linux::{ProcDir, staging};
use crate::{Error, ErrorKind, Estimate, Result, Stillness};

/// How fast a stopped process is read: less than half of what an idle machine did.
const READ_BYTES_A_SECOND: u64 = 3 << 30;

/// Page tables that a fork copies: for each of its small pages, what a slow machine took.
const FORKED_BYTES_A_SECOND: u64 = 10 << 30;

/// Registers, regions and page tables of a process of ordinary size.
const BASE: Duration = Duration::from_millis(5);

/// One thread more to be stopped.
const THREAD: Duration = Duration::from_micros(50);

/// Beyond what the counters say: they lag, data segments count as files, and the process grows.
const MORE: Bytes = Bytes::mib(32);

/// What holding a process still will cost.
pub(super) fn estimate(process: &Process, how: Stillness<'_>) -> Estimate {
    let footprint = &process.footprint;
    let resident = footprint.anon.or(footprint.rss);
    let size: Bytes = [resident, footprint.shmem, footprint.swap].into_iter().flatten().sum();
    let threads = u32::try_from(process.threads.unwrap_or_default()).unwrap_or(u32::MAX);
    let at = |speed: u64| BASE + THREAD * threads + Duration::from_secs_f64(size.0 as f64 / speed as f64);
    let stopped = match how {
        Stillness::Stopped => at(READ_BYTES_A_SECOND),
        Stillness::Running | Stillness::Held(_) => Duration::ZERO,
        Stillness::Forked => at(FORKED_BYTES_A_SECOND),
    };
    Estimate { size, stopped, staging: size + MORE }
}

/// Takes room for a copy, in memory that is there: a page that faults while the target stands would make it wait.
///
/// # Errors
/// When that would take nearly all that the machine, or our control group, has left.
pub(super) fn take(proc_dir: &ProcDir, process: &Process, size: Bytes) -> Result<MmapMut> {
    let headroom = staging::headroom(proc_dir);
    // Not the last quarter: the one who examines the copy needs some, and others too.
    if size.0 > headroom.0 / 4 * 3 {
        let pid = process.pid;
        let what = format!("not enough memory for a copy of process {pid} ({})", process.name);
        return Err(Error::new(ErrorKind::Unsupported, what).help(format!(
            "the copy takes {size}, and {headroom} are left here. Write a core, and examine that: residue dump {pid} -o FILE"
        )));
    }
    staging::populated(size)
}

/// The same for a process that turned out to be larger.
pub(super) fn larger(size: Bytes) -> Bytes {
    size + Bytes(size.0 / 16) + MORE
}
