//! What of a stopped process is there to be copied.

use std::io;

use residue_model::{Address, Bytes, Gap, ProcessId, Range};
use rustix::fs::{SeekFrom, seek};

use super::plan::{Fate, Parts, Plan, joined, leave_gigantic, parts};
use super::treatment::{Treatment, Wanted};
use crate::live::linux::ProcDir;
use crate::live::linux::map::{Map, Place, WishList};
use crate::live::linux::pagemap::{Pagemap, Stretch, Which};
use crate::{Error, Result};

/// Looks at the page table of a stopped process.
pub(super) struct Survey<'a> {
    proc_dir: &'a ProcDir,
    pid: ProcessId,
    pagemap: Pagemap,
    page_size_bytes: u64,
    plan: Plan,
    /// Asked to be left out.
    excluded: Bytes,
}

/// The layout of the core of a process that stands.
///
/// # Errors
/// When its page table may not be read.
pub(super) fn survey(
    proc_dir: &ProcDir,
    pid: ProcessId,
    map: &Map,
    wishes: &WishList,
    wanted: Wanted,
) -> Result<Plan> {
    let pagemap = Pagemap::open(proc_dir, pid)
        .map_err(|error| Error::reading(format!("/proc/{pid}/pagemap"), error))?;
    let page_size_bytes = rustix::param::page_size() as u64;
    let (plan, excluded) = (Plan::default(), Bytes::ZERO);
    let mut survey = Survey { proc_dir, pid, pagemap, page_size_bytes, plan, excluded };
    for place in map.places() {
        let wish = wishes.at(place.range.start);
        let treatment = Treatment::of(&place, wish, wanted);
        if wish.not_dumped && !wish.device && treatment == Treatment::Leave {
            survey.excluded += place.range.size();
        }
        let parts = survey.parts(&place, treatment);
        survey.plan.add(&place, &parts);
    }
    Ok(survey.finish())
}

impl Survey<'_> {
    fn finish(mut self) -> Plan {
        if self.excluded > Bytes::ZERO {
            let why = "the program asks that dumps leave it out (MADV_DONTDUMP)";
            self.gap(&format!("{} bytes", self.excluded.0), why);
        }
        self.plan
    }

    fn gap(&mut self, what: &str, why: &str) {
        self.plan.gaps.push(Gap::new(format!("{what} of process {}", self.pid), why));
    }

    fn parts(&mut self, place: &Place<'_>, treatment: Treatment) -> Parts {
        match treatment {
            Treatment::Leave => parts(place.range, &[], Fate::Left),
            Treatment::Whole => parts(place.range, &[(place.range, Fate::Copied)], Fate::Left),
            Treatment::Sparse => self.sparse(place),
            Treatment::Present => parts(place.range, &self.pages(place, Which::Touched), Fate::Left),
            Treatment::Modified { head } => parts(place.range, &self.modified(place, head), Fate::Left),
            Treatment::Shared => self.shared(place),
        }
    }

    fn sparse(&mut self, place: &Place<'_>) -> Parts {
        let runs = match self.pagemap.touched(place.range, Which::Touched) {
            Ok(found) => fates(&found),
            // Whatever the page table does not say can still be read, unless that would take for ever.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => vec![(place.range, Fate::Copied)],
            Err(error) => return self.unknown(place, &error),
        };
        let mut parts = parts(place.range, &runs, Fate::Zero);
        let left = leave_gigantic(&mut parts);
        if left > Bytes::ZERO {
            let what = format!("{} untouched bytes of the region at {}", left.0, place.range.start);
            self.gap(&what, "left out so that the core does not look that large: all of them are zero");
        }
        parts
    }

    fn unknown(&mut self, place: &Place<'_>, error: &io::Error) -> Parts {
        let why = format!("the kernel does not say which of its pages are there: {error}");
        self.gap(&format!("the region at {} ({} bytes)", place.range.start, place.size()), &why);
        parts(place.range, &[], Fate::Left)
    }

    fn pages(&mut self, place: &Place<'_>, which: Which) -> Parts {
        match self.pagemap.touched(place.range, which) {
            Ok(found) => fates(&found),
            Err(error) => {
                self.unknown(place, &error);
                Parts::new()
            }
        }
    }

    fn modified(&mut self, place: &Place<'_>, head: bool) -> Parts {
        let start = place.range.start;
        let mut runs = self.pages(place, Which::Modified);
        if head && runs.first().is_none_or(|(run, _)| run.start > start) {
            let end = Address(start.0 + self.page_size_bytes).min(place.range.end);
            runs.insert(0, (Range { start, end }, Fate::Copied));
        }
        // Only what may be read: joining reads pages that nobody touched.
        if place.protection.read { joined(&runs) } else { runs }
    }

    /// The page table names only what this process has touched; others may have written more, and a read of what nobody
    /// has written would take memory for it. The file behind the memory knows, but only root may open it.
    fn shared(&mut self, place: &Place<'_>) -> Parts {
        if let Ok(runs) = held_by_file(self.proc_dir, self.pid, place) {
            return parts(place.range, &runs, Fate::Zero);
        }
        let parts = parts(place.range, &self.pages(place, Which::Touched), Fate::Left);
        if parts.iter().any(|(_, fate)| *fate == Fate::Left) {
            self.gap(
                &format!("shared memory at {} that the process has not touched", place.range.start),
                "others may have written it; only root can see where",
            );
        }
        parts
    }
}

fn fates(found: &[Stretch]) -> Parts {
    let fate = |is_guard| if is_guard { Fate::Left } else { Fate::Copied };
    found.iter().map(|stretch| (stretch.range, fate(stretch.is_guard))).collect()
}

/// Where the file behind a region holds something, and where it has ended: there is nothing then, not even zeros.
fn held_by_file(proc_dir: &ProcDir, pid: ProcessId, place: &Place<'_>) -> io::Result<Parts> {
    let (start, end) = (place.range.start.0, place.range.end.0);
    let file = proc_dir.open_at(&format!("{pid}/map_files/{start:x}-{end:x}"))?;
    let size = file.metadata()?.len().next_multiple_of(rustix::param::page_size() as u64);
    let (from, to) = (place.offset.0, place.offset.0 + place.size());
    let range = |first: u64, last: u64| Range {
        start: Address(start + (first.clamp(from, to) - from)),
        end: Address(start + (last.clamp(from, to) - from)),
    };
    let (mut runs, mut at) = (Parts::new(), from);
    while at < to.min(size) {
        let data = match seek(&file, SeekFrom::Data(at)) {
            // Nothing behind this point.
            Err(rustix::io::Errno::NXIO) => break,
            found => found?,
        };
        at = seek(&file, SeekFrom::Hole(data))?;
        if data < to {
            runs.push((range(data, at), Fate::Copied));
        }
    }
    runs.push((range(size, to), Fate::Left));
    Ok(runs)
}
