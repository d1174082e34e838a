//! The half of the flow that needs a running process.

use std::ops::ControlFlow;

use residue_analysis::growth::judge;
use residue_analysis::{Depth, Diagnosis, Inside, Watched};
use residue_model::{Gap, Limits, ProcessId, Snapshot};
use residue_target::live::host::{Host, Process, Sampler, find, limits, system};
use residue_target::{Care, Error as TargetError, ErrorKind, Target, is_dump};

use crate::sampling::sample;
use crate::understood::understood;
use crate::{Interrupt, Plan, Progress, Result};

/// The process that a word means.
pub(crate) fn process(word: &str, care: Care) -> std::result::Result<Box<dyn Target>, TargetError> {
    Ok(Box::new(Process::find(word, care)?))
}

/// Watches processes and judges each.
///
/// # Errors
/// When a target cannot be found or is a dump, or the system not be asked any more.
pub fn watch(
    targets: &[String],
    plan: &Plan,
    interrupt: &Interrupt,
    progress: impl FnMut(Progress<'_>),
) -> Result<(Vec<Watched>, Vec<Gap>)> {
    let host = Host::open()?;
    let pids = targets.iter().map(|target| alive(&host, target)).collect::<Result<Vec<_>>>()?;
    let samplers = samplers(&pids)?;
    let (series, mut gaps) = sample(samplers, plan, interrupt, progress)?;
    // At the end: what is left until a limit is counted from the last sample.
    let system = system(&host);
    let bounds: Vec<Limits> = pids.iter().map(|&pid| limits(&host, pid, &system, &mut gaps)).collect();
    let judged = |(series, limits)| Watched { verdict: judge(&series, &limits), series };
    Ok((series.into_iter().zip(bounds).map(judged).collect(), gaps))
}

/// A process that can be looked at again and again.
fn alive(host: &Host, word: &str) -> Result<ProcessId> {
    if is_dump(word) {
        let error =
            TargetError::new(ErrorKind::Unsupported, format!("{word} is a dump: it shows one moment"));
        return Err(error.help(format!("watch a running process; for a dump: residue triage {word}")).into());
    }
    Ok(find(host, word)?)
}

/// A process, watched and mapped and judged.
pub(crate) fn diagnose(
    target: &dyn Target,
    before: Snapshot,
    plan: &Plan,
    interrupt: &Interrupt,
    progress: impl FnMut(Progress<'_>),
) -> Result<Diagnosis> {
    let pid = before.process.pid;
    let (mut series, mut gaps) = sample(samplers(&[pid])?, plan, interrupt, progress)?;
    let series = series.remove(0);
    let snapshot = at_the_end(target, before, &mut gaps);
    let map = understood(target, snapshot)?;
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
fn at_the_end(target: &dyn Target, before: Snapshot, gaps: &mut Vec<Gap>) -> Snapshot {
    let why = match target.snapshot() {
        Ok(after) if after.process.start_ticks == before.process.start_ticks => return after,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => error.to_string(),
        _ => "the process ended".into(),
    };
    gaps.push(Gap::new("the address space at the end", format!("{why}; shown is how it stood at the start")));
    before
}

fn reason(error: &TargetError) -> String {
    error.remedy().map_or_else(|| error.to_string(), |help| format!("{error}: {help}"))
}

fn samplers(pids: &[ProcessId]) -> Result<Vec<Sampler>> {
    pids.iter().map(|&pid| Ok(Sampler::new(pid)?)).collect()
}
