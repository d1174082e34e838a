//! The flow: a target is opened, read into a snapshot and a series, judged, and handed to the report.

use residue_analysis::growth::judge;
use residue_analysis::{Diagnosis, Diff, DiffRegion, Map, Watched};
use residue_model::{Gap, Limits, ProcessId};
use residue_target::ErrorKind;
use residue_target::live::linux::{Care, ProcDir, Sampler, find, limits, snapshot, system};

use crate::sampling::{Plan, Progress, sample};
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

/// The address space of a process, understood. `target` is a pid or the name of just one process.
///
/// # Errors
/// When the target cannot be found or read.
pub fn map(target: &str, options: &Options) -> Result<Map> {
    let proc_dir = ProcDir::open()?;
    let pid = find(&proc_dir, target)?;
    Ok(Map::of(snapshot(&proc_dir, pid, options.care)?))
}

/// What changed from earlier regions to a map.
pub fn diff(earlier: &[DiffRegion], map: &Map) -> Diff {
    let later: Vec<DiffRegion> = map.snapshot.regions.iter().map(DiffRegion::from).collect();
    Diff::of(earlier, &later)
}

/// Watches processes and judges each.
///
/// # Errors
/// When a target cannot be found, or `/proc` not be read any more.
pub fn watch(
    targets: &[String],
    plan: &Plan,
    interrupt: &Interrupt,
    progress: impl FnMut(Progress<'_>),
) -> Result<(Vec<Watched>, Vec<Gap>)> {
    let proc_dir = ProcDir::open()?;
    let pids =
        targets.iter().map(|target| find(&proc_dir, target)).collect::<std::result::Result<Vec<_>, _>>()?;
    let samplers = samplers(&pids)?;
    let (series, mut gaps) = sample(samplers, plan, interrupt, progress)?;
    // At the end: what is left until a limit is counted from the last sample.
    let system = system(&proc_dir);
    let bounds: Vec<Limits> = pids.iter().map(|&pid| limits(&proc_dir, pid, &system, &mut gaps)).collect();
    let judged = |(series, limits)| Watched { verdict: judge(&series, &limits), series };
    Ok((series.into_iter().zip(bounds).map(judged).collect(), gaps))
}

/// The whole diagnosis of one process: watched, mapped, judged.
///
/// A process that ends meanwhile is judged by what was seen until then.
///
/// # Errors
/// When the target cannot be found or read.
pub fn triage(
    target: &str,
    options: &Options,
    plan: &Plan,
    interrupt: &Interrupt,
    progress: impl FnMut(Progress<'_>),
) -> Result<Diagnosis> {
    let proc_dir = ProcDir::open()?;
    let pid = find(&proc_dir, target)?;
    let before = snapshot(&proc_dir, pid, options.care)?;
    let (mut series, mut gaps) = sample(samplers(&[pid])?, plan, interrupt, progress)?;
    let series = series.remove(0);
    let why = match snapshot(&proc_dir, pid, options.care) {
        Ok(after) if after.process.start_ticks == before.process.start_ticks => {
            return Ok(Diagnosis::of(Map::of(after), series, gaps));
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => error.to_string(),
        _ => "the process ended".into(),
    };
    gaps.push(Gap::new("the address space at the end", format!("{why}; shown is how it stood at the start")));
    Ok(Diagnosis::of(Map::of(before), series, gaps))
}

fn samplers(pids: &[ProcessId]) -> Result<Vec<Sampler>> {
    pids.iter().map(|&pid| Ok(Sampler::new(ProcDir::open()?, pid)?)).collect()
}
