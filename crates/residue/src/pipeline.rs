//! The flow: a target is opened, read into a snapshot and a series, judged, and handed to the report.

use std::ops::ControlFlow;
use std::path::Path;

use residue_analysis::growth::judge;
use residue_analysis::{Depth, Diagnosis, Diff, DiffRegion, Inside, Map, Watched};
use residue_model::{Gap, Limits, ProcessId, Snapshot};
use residue_target::live::linux::{Care, ProcDir, Process, Sampler, find, limits, system};
use residue_target::{Error as TargetError, ErrorKind, Target, is_dump, open_dump};

use crate::sampling::{Plan, Progress, sample};
use crate::search::threads;
use crate::{Interrupt, Result};

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
    if is_dump(word) {
        return Ok(open_dump(word, progress)?);
    }
    match Process::find(word, options.care) {
        Ok(process) => Ok(Box::new(process)),
        // Whoever names a file wants to know what is wrong with it.
        Err(error) if error.kind() == ErrorKind::NotFound && is_path(word) => Ok(open_dump(word, progress)?),
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
    let snapshot = target.snapshot()?;
    // Only a dump is looked into: asking a live process for its memory can bring pages back from swap.
    match target.memory() {
        Ok(memory) if snapshot.dump.is_some() => Ok(Map::with(snapshot, memory)),
        _ => Ok(Map::of(snapshot)),
    }
}

/// What changed from earlier regions to a map.
pub fn diff(earlier: &[DiffRegion], map: &Map) -> Diff {
    let later: Vec<DiffRegion> = map.snapshot.regions.iter().map(DiffRegion::from).collect();
    Diff::of(earlier, &later)
}

/// Watches processes and judges each.
///
/// # Errors
/// When a target cannot be found or is a dump, or `/proc` not be read any more.
pub fn watch(
    targets: &[String],
    plan: &Plan,
    interrupt: &Interrupt,
    progress: impl FnMut(Progress<'_>),
) -> Result<(Vec<Watched>, Vec<Gap>)> {
    let proc_dir = ProcDir::open()?;
    let pids = targets.iter().map(|target| alive(&proc_dir, target)).collect::<Result<Vec<_>>>()?;
    let samplers = samplers(&pids)?;
    let (series, mut gaps) = sample(samplers, plan, interrupt, progress)?;
    // At the end: what is left until a limit is counted from the last sample.
    let system = system(&proc_dir);
    let bounds: Vec<Limits> = pids.iter().map(|&pid| limits(&proc_dir, pid, &system, &mut gaps)).collect();
    let judged = |(series, limits)| Watched { verdict: judge(&series, &limits), series };
    Ok((series.into_iter().zip(bounds).map(judged).collect(), gaps))
}

/// A process that can be looked at again and again.
fn alive(proc_dir: &ProcDir, word: &str) -> Result<ProcessId> {
    if is_dump(word) {
        let error =
            TargetError::new(ErrorKind::Unsupported, format!("{word} is a dump: it shows one moment"));
        return Err(error.help(format!("watch a running process; for a dump: residue triage {word}")).into());
    }
    Ok(find(proc_dir, word)?)
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
    if before.dump.is_some() {
        return autopsy(target, interrupt, progress);
    }
    let pid = before.process.pid;
    let (mut series, mut gaps) = sample(samplers(&[pid])?, plan, interrupt, progress)?;
    let series = series.remove(0);
    let snapshot = at_the_end(target, before, &mut gaps)?;
    let map = Map::of(snapshot);
    let inside = match target.memory() {
        Ok(memory) if !series.ended => {
            Inside::of(&map, memory, Depth::Sampled, 1, &mut |_| ControlFlow::Continue(()))
        }
        Ok(_) => Inside::default(),
        Err(error) => {
            gaps.push(Gap::new("what is in memory", reason(&error)));
            Inside::default()
        }
    };
    Ok(Diagnosis::of(map, series, inside, gaps))
}

/// How a process stands after it was watched; how it stood before, when that cannot be read any more.
fn at_the_end(target: &dyn Target, before: Snapshot, gaps: &mut Vec<Gap>) -> Result<Snapshot> {
    let why = match target.snapshot() {
        Ok(after) if after.process.start_ticks == before.process.start_ticks => return Ok(after),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => error.to_string(),
        _ => "the process ended".into(),
    };
    gaps.push(Gap::new("the address space at the end", format!("{why}; shown is how it stood at the start")));
    Ok(before)
}

/// A dump, judged by structure and content.
fn autopsy(
    target: &dyn Target,
    interrupt: &Interrupt,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<Diagnosis> {
    let memory = target.memory()?;
    let map = map(target)?;
    let inside = Inside::of(&map, memory, Depth::Counted, threads(), &mut |more| {
        progress(Progress::Searched(more));
        if interrupt.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let gaps = if interrupt.is_set() {
        vec![Gap::new("how often telling strings stand in memory", "interrupted while they were counted")]
    } else {
        Vec::new()
    };
    Ok(Diagnosis::of_dump(map, inside, gaps))
}

fn reason(error: &TargetError) -> String {
    error.remedy().map_or_else(|| error.to_string(), |help| format!("{error}: {help}"))
}

fn samplers(pids: &[ProcessId]) -> Result<Vec<Sampler>> {
    pids.iter().map(|&pid| Ok(Sampler::new(ProcDir::open()?, pid)?)).collect()
}
