//! What happens while the target stands, all in one thread: the kernel knows a tracer by its thread, and lets go of what
//! it traced when that thread ends, however it ends.

use std::time::Duration;

use residue_model::{Bytes, Gap, Process, ProcessId, Range};

use super::copy::{Ends, Event, copy, hurry};
use super::elf::{Layout, front_size, program_header_size};
use super::plan::{Segment, without};
use super::survey::survey;
use super::treatment::Wanted;
use super::{notes, status};
use crate::live::linux::ProcDir;
use crate::live::linux::freeze::{Frozen, traced};
use crate::live::linux::map::{Map, WishList};
use crate::live::linux::snapshot::{ended, explain, still_runs};
use crate::{Error, ErrorKind, Result};

/// Program headers to spare for what cannot be read: each such place splits a segment.
const SPARE_HEADERS: u64 = 1024;

/// What was captured beside the memory, which has gone to the writer.
pub(super) struct Captured {
    pub(super) layout: Layout,
    pub(super) notes: Vec<u8>,
    pub(super) segments: Vec<Segment>,
    /// Where the last segment ends in the file.
    pub(super) end: u64,
    pub(super) saved: Bytes,
    pub(super) regions: usize,
    pub(super) threads: usize,
    pub(super) stopped: Duration,
    pub(super) gaps: Vec<Gap>,
}

/// What must be known before the target is stopped.
pub(super) struct Job<'a> {
    pub(super) proc_dir: &'a ProcDir,
    pub(super) process: &'a Process,
    pub(super) wanted: Wanted,
    /// How much can be copied before any of it is written.
    pub(super) staging: Bytes,
    /// How many may read at once.
    pub(super) readers: usize,
}

impl Job<'_> {
    /// Stops the target, captures it, and lets it run on.
    ///
    /// # Errors
    /// When it cannot be stopped or read, or ends meanwhile, or the writer does.
    pub(super) fn capture(&self, ends: &Ends<'_>) -> Result<Captured> {
        let pid = self.process.pid;
        if let Some(traced) = traced(self.proc_dir, pid) {
            return Err(traced);
        }
        let wishes = WishList::read(self.proc_dir, pid).map_err(|error| explain(error, self.process))?;
        hurry();
        let frozen = Frozen::stop(self.proc_dir, pid).map_err(|error| self.explained(error))?;
        ends.tell(Event::Stopped)?;
        let mut captured = self.captured(&frozen, &wishes, ends).map_err(|error| self.explained(error))?;
        captured.gaps.extend(frozen.gaps());
        // Killed meanwhile, its memory may have gone before it was copied.
        if !still_runs(self.proc_dir, pid, self.process.start_ticks) {
            return Err(ended(self.process));
        }
        captured.stopped = frozen.resume();
        ends.tell(Event::Resumed(captured.stopped))?;
        Ok(captured)
    }

    fn captured(&self, frozen: &Frozen<'_>, wishes: &WishList, ends: &Ends<'_>) -> Result<Captured> {
        let (proc_dir, pid) = (self.proc_dir, self.process.pid);
        let page_size_bytes = rustix::param::page_size() as u64;
        let (machine, threads) = status::threads(frozen, pid)?;
        let map = Map::read(proc_dir, pid)?;
        let mut plan = survey(proc_dir, pid, &map, wishes, self.wanted)?;
        let identity = status::Identity::read(proc_dir, pid);
        let notes = notes::notes(machine, &identity, &threads, &map, page_size_bytes);

        let headers = u64::from(front_size(machine));
        let most = 1 + 2 * plan.segments.len() as u64 + SPARE_HEADERS;
        let notes_at = headers + most * u64::from(program_header_size(machine));
        let layout = Layout { machine, headers, notes: (notes_at, notes.len() as u64) };
        let end = plan.place((notes_at + notes.len() as u64).next_multiple_of(page_size_bytes));
        if !machine.is_64_bit() && end > u64::from(u32::MAX) {
            let what = format!("the core of process {pid} would be {end} bytes");
            return Err(Error::new(ErrorKind::Unsupported, what)
                .help("the core of a 32-bit process cannot be larger than 4 GiB"));
        }
        ends.tell(Event::Planned(plan.size()))?;
        // When not all of it fits, the writer is what is waited for, and a second reader would only take its processor.
        let readers = if plan.size() <= self.staging { self.readers } else { 1 };
        let unreadable = copy(proc_dir, pid, &plan.pieces, ends, readers)?;
        let lost: Bytes = unreadable.iter().map(|range| range.size()).sum();
        plan.gaps.extend(lost_pages(pid, &unreadable, lost));
        Ok(Captured {
            layout,
            notes,
            segments: without(&plan.segments, &unreadable),
            end,
            saved: plan.size() - lost,
            regions: map.len(),
            threads: threads.len(),
            stopped: Duration::ZERO,
            gaps: plan.gaps,
        })
    }

    fn explained(&self, error: Error) -> Error {
        // One that names the tracer says more than the help for missing rights.
        if error.remedy().is_some() { error } else { explain(error, self.process) }
    }
}

fn lost_pages(pid: ProcessId, unreadable: &[Range], lost: Bytes) -> Option<Gap> {
    let first = unreadable.first()?;
    let what = format!(
        "{} bytes of process {pid} in {} places, the first at {}",
        lost.0,
        unreadable.len(),
        first.start
    );
    Some(Gap::new(what, "the kernel cannot read them: guard pages, or a file cut behind its mapping"))
}
