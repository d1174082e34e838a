//! The flow: a target is opened, read into a snapshot and a series, judged, and handed to the report.

use std::ops::ControlFlow;
use std::path::Path;

use residue_analysis::{Depth, Diagnosis, Diff, DiffRegion, Inside, Map, RegionFilter};
use residue_model::{DumpFormat, Gap, Memory, Snapshot};
use residue_target::{Care, ErrorKind, Target, is_dump, open_dump};

#[cfg(not(any(target_os = "linux", windows)))]
use crate::elsewhere::{diagnose, process};
#[cfg(any(target_os = "linux", windows))]
use crate::live::{diagnose, process};
use crate::search::threads;
use crate::understood::understood;
use crate::{Interrupt, Plan, Progress, Result};

/// How a process is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much it may be made to wait.
    pub care: Care,
}

impl Default for Options {
    fn default() -> Options {
        Options { care: Care::DEFAULT }
    }
}

/// Opens what a word means: a pid, the name of just one process, a core or a minidump. A number is always a pid;
/// otherwise a file counts before a name, if its first bytes say that it is a dump.
///
/// `progress` is told how much of a packed dump has been unpacked: bytes read, of how many.
///
/// # Errors
/// When it means nothing, several processes, or a file that is no dump.
pub fn open(word: &str, options: &Options, progress: &mut dyn FnMut(u64, u64)) -> Result<Box<dyn Target>> {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number && is_dump(word) {
        return Ok(open_dump(word, progress)?);
    }
    match process(word, options.care) {
        Ok(process) => Ok(process),
        // Whoever names a file wants to know what is wrong with it.
        Err(error) if error.kind() == ErrorKind::NotFound && !is_number && is_path(word) => {
            Ok(open_dump(word, progress)?)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_path(word: &str) -> bool {
    word.contains('/') || Path::new(word).exists()
}

/// The address space of a target, understood.
///
/// # Errors
/// When it cannot be read.
pub fn map(target: &dyn Target) -> Result<Map> {
    understood(target, target.snapshot()?)
}

/// The same for those who look for something: with counters only where the filter asks for them, since a live process
/// waits while they are read.
///
/// # Errors
/// When it cannot be read.
pub fn map_for(target: &dyn Target, filter: &RegionFilter) -> Result<Map> {
    understood(target, if filter.needs_counters() { target.snapshot()? } else { target.layout()? })
}

/// What changed from earlier regions to a map.
pub fn diff(earlier: &[DiffRegion], map: &Map) -> Diff {
    let later: Vec<DiffRegion> = map.snapshot.regions.iter().map(DiffRegion::from).collect();
    Diff::of(earlier, &later)
}

/// The whole diagnosis of a target: a process is watched, mapped and judged; a dump is judged by what is in it.
///
/// A process that ends meanwhile is judged by what was seen until then.
///
/// # Errors
/// When the target cannot be found or read.
pub fn triage(
    target: &dyn Target,
    plan: &Plan,
    interrupt: &Interrupt,
    progress: impl FnMut(Progress<'_>),
) -> Result<Diagnosis> {
    let before = target.snapshot()?;
    if before.dump.as_ref().is_some_and(|dump| dump.format == DumpFormat::Observation) {
        // It holds a few words of memory, which tell nothing of what is in the rest.
        return Ok(Diagnosis::of_dump(Map::with(before, target.memory()?), Inside::default(), Vec::new()));
    }
    if target.is_dump() {
        return Ok(autopsy(before, target.memory()?, interrupt, progress));
    }
    diagnose(target, before, plan, interrupt, progress)
}

/// A dump, judged by structure and content.
fn autopsy(
    snapshot: Snapshot,
    memory: &dyn Memory,
    interrupt: &Interrupt,
    mut progress: impl FnMut(Progress<'_>),
) -> Diagnosis {
    let map = Map::with(snapshot, memory);
    let inside = Inside::of(&map, memory, Depth::Counted, threads(), &mut |more| {
        progress(Progress::Searched(more));
        if interrupt.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let gaps = if interrupt.is_set() {
        vec![Gap::new("how often telling strings stand in memory", "interrupted while they were counted")]
    } else {
        Vec::new()
    };
    Diagnosis::of_dump(map, inside, gaps)
}
