//! What a core will cost, told before anything is stopped.

use std::time::Duration;

use residue_model::{Bytes, Footprint, ProcessId};

use super::DumpOptions;
use crate::live::linux::ProcDir;
use crate::live::linux::snapshot::identify;
use crate::live::linux::staging;
use crate::{Estimate, Result};

/// How fast a stopped process is read, and a core written once there is no more room to put it: less than half of what an
/// idle machine did, and what one did whose processors were all taken.
const READ_BYTES_A_SECOND: u64 = 3 << 30;
const WRITTEN_BYTES_A_SECOND: u64 = 1 << 30;

/// Registers, regions and page tables of a process of ordinary size.
const BASE: Duration = Duration::from_millis(5);

/// One thread more to be stopped.
const THREAD: Duration = Duration::from_micros(50);

/// What a core of this process would cost.
///
/// # Errors
/// When there is no such process, or it has no memory.
pub fn estimate(proc_dir: &ProcDir, pid: ProcessId, options: &DumpOptions<'_>) -> Result<Estimate> {
    let draft = identify(proc_dir, pid)?;
    let size = size(&draft.process.footprint, options);
    let staging = staging::room(proc_dir, size, options.staging);
    let threads = u32::try_from(draft.process.threads.unwrap_or_default()).unwrap_or(u32::MAX);
    let seconds = |size: Bytes, speed: u64| Duration::from_secs_f64(size.0 as f64 / speed as f64);
    let stopped = BASE
        + THREAD * threads
        + seconds(size.min(staging), READ_BYTES_A_SECOND)
        + seconds(size - staging, WRITTEN_BYTES_A_SECOND);
    Ok(Estimate { size, stopped, staging })
}

/// What is in memory or swapped out and will be copied, as the kernel's counters say. Of files it is a lower bound: what
/// of them is not in memory will be read too.
fn size(footprint: &Footprint, options: &DumpOptions<'_>) -> Bytes {
    let files = footprint.file.filter(|_| options.all_files);
    // Before Linux 4.5 the kinds are not told apart.
    let resident = footprint.anon.or(footprint.rss);
    [resident, footprint.shmem, footprint.swap, files].into_iter().flatten().sum()
}
