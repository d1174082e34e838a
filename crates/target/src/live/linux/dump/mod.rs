//! Writes the core of a running process, which goes on afterwards.
//!
//! The process stands only while its memory is copied. A thread of its own stops it, reads it and lets it go
//! (`capture`); meanwhile the caller's thread writes what was read, as fast as the disk takes it (`staging` says why).
//! Nothing is synced to the disk: a machine that loses its power may lose the core.
//! The core is one that debuggers read: an ELF file with the kernel's notes, sparse where memory was never touched.
//! What was not saved has less in the file than in memory, and never shows as zeros.

mod capture;
pub(super) mod copy;
mod elf;
mod estimate;
pub(super) mod machine;
mod notes;
mod plan;
mod sparse;
mod status;
mod survey;
pub(super) mod treatment;
mod writer;

use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use residue_model::{Bytes, ProcessId};

use super::ProcDir;
use super::snapshot::identify;
use super::staging;
use crate::live::output::Place;
use crate::{DumpProgress, Dumped, Error, ErrorKind, Result};

use capture::{Captured, Job};
use copy::Ends;
use treatment::Wanted;
use writer::Writer;

pub use estimate::estimate;

/// More readers are faster, but not much: they wait for the same memory.
const READERS: usize = 2;

/// What goes into a core, and how it is written.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "four independent switches, as a command line has them")]
pub struct DumpOptions<'a> {
    /// Files too, as far as they can be read: text and shared mappings. Otherwise only what a process changed of them.
    pub all_files: bool,
    /// Also what the program asks to leave out of dumps (`MADV_DONTDUMP`): secrets, or memory of no interest.
    pub excluded: bool,
    /// Compress it with zstd once the process runs again.
    pub compress: bool,
    /// Replace a file that is there.
    pub force: bool,
    /// How much memory the copy may take; a quarter of what is left unless told. The more, the less the process waits
    /// for the disk.
    pub staging: Option<Bytes>,
    /// Asked several times a second: whether to stop. The process runs on and no file is left.
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Default for DumpOptions<'_> {
    fn default() -> Self {
        DumpOptions {
            all_files: false,
            excluded: false,
            compress: false,
            force: false,
            staging: None,
            interrupted: &|| false,
        }
    }
}

/// Writes the core of a process to a new file.
///
/// # Errors
/// When the process is gone, has no memory, may not be stopped or read, or is traced already; when the file exists, does
/// not fit or cannot be written; when the caller asks to stop. In each case the process runs on as it did before, and no
/// file is left.
pub fn dump(
    proc_dir: &ProcDir,
    pid: ProcessId,
    options: &DumpOptions<'_>,
    path: &Path,
    progress: &mut dyn FnMut(DumpProgress),
) -> Result<Dumped> {
    if pid.0 == std::process::id() {
        return Err(Error::new(ErrorKind::Unsupported, "a process cannot stop itself to be read"));
    }
    let process = identify(proc_dir, pid)?.process;
    let cost = estimate(proc_dir, pid, options)?;
    let place = Place::of(path, options.force, cost.size)?;
    progress(DumpProgress::Estimated(cost));
    let draft = if options.compress { place.nameless()? } else { place.draft()? };
    let mut staging = staging::take(cost.staging)?;
    let wanted = Wanted { all_files: options.all_files, excluded: options.excluded };
    // Each reader may hold a chunk that is not full.
    let room = Bytes(staging.len() as u64) - Bytes((READERS * staging::CHUNK) as u64);
    let readers = thread::available_parallelism().map_or(1, NonZero::get).min(READERS);
    let job = Job { proc_dir, process: &process, wanted, staging: room, readers };
    let interrupted = options.interrupted;
    let mut writer = Writer { place: &place, draft: &draft, interrupted, progress, staging: room };

    let captured = thread::scope(|scope| {
        let (to_writer, events) = channel();
        let (to_reader, free) = channel();
        for chunk in staging.chunks_mut(staging::CHUNK) {
            // The other end is right here: it cannot be gone yet.
            let _ = to_reader.send(chunk);
        }
        let ends = Ends { events: to_writer, free: Mutex::new(free) };
        let reader = scope.spawn(move || job.capture(&ends));
        // The writer takes its ends with it: when it fails, the reader finds nobody and lets the process go.
        let written = writer.write(events, to_reader);
        let captured = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(captured)
    })?;
    drop(staging);
    writer.finish(&captured)?;
    let finished = if options.compress { writer.compress()? } else { draft };
    let Captured { saved, regions, threads, stopped, mut gaps, .. } = captured;
    gaps.extend(finished.exposed());
    let (file_size, disk) = place.take(finished)?;
    Ok(Dumped { saved, file_size, disk, regions, threads, stopped, estimate: cost.stopped, gaps })
}
