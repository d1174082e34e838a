use std::time::{Duration, Instant};

use residue_analysis::{classify, free_size};
use residue_model::{Bytes, Counter, Gap, Memory, NoMemory, Process, Region, Sample, Series, Usage};
use residue_target::live::host::Sampler;
use residue_target::{Error, Reading};

use crate::{Interrupt, Plan, Progress, Result};

/// Reading may take a twentieth of one processor, no more: the interval is stretched where it would.
const LEAST_REST: u32 = 20;

/// Samples processes until the plan is over, all have ended, or it is interrupted.
pub(crate) fn sample(
    samplers: Vec<Sampler>,
    plan: &Plan,
    interrupt: &Interrupt,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<(Vec<Series>, Vec<Gap>)> {
    let mut gaps = Vec::new();
    let mut series = Vec::new();
    for sampler in &samplers {
        series.push(begin(sampler));
    }
    let mut samplers: Vec<Option<Sampler>> = samplers.into_iter().map(Some).collect();
    let started = Instant::now();
    let mut due = started;
    loop {
        let mut busy = Duration::ZERO;
        for (index, (sampler, series)) in samplers.iter_mut().zip(&mut series).enumerate() {
            let Some(reading) = take_turn(sampler, series, &mut gaps) else { continue };
            busy += reading.busy;
            let memory = sampler.as_ref().map_or(&NoMemory as &dyn Memory, Sampler::memory);
            series.samples.push(finish(reading, memory, started.elapsed(), &series.process, &mut gaps));
            if let Some(sample) = series.samples.last() {
                progress(Progress::Sample(index, sample));
            }
        }
        progress(Progress::Round(started.elapsed()));
        due += plan.interval().max(busy * LEAST_REST);
        let over = plan.span.is_some_and(|span| due > started + span);
        let wait = due.saturating_duration_since(Instant::now());
        if samplers.iter().all(Option::is_none) || over || interrupt.wait(wait) {
            return Ok((series, gaps));
        }
    }
}

/// Reads a process once more; who has ended or cannot be read any longer is asked no more, and what was gathered stays.
fn take_turn(sampler: &mut Option<Sampler>, series: &mut Series, gaps: &mut Vec<Gap>) -> Option<Reading> {
    match sampler.as_mut()?.read() {
        Ok(Some(reading)) => return Some(reading),
        Ok(None) => series.ended = true,
        Err(error) => {
            gaps.push(Gap::new(format!("process {} from here on", series.process.pid), error.to_string()));
        }
    }
    *sampler = None;
    None
}

fn begin(sampler: &Sampler) -> Series {
    Series { process: sampler.process().clone(), age_seconds: sampler.age_seconds(), ..Series::default() }
}

fn finish(
    reading: Reading,
    memory: &dyn Memory,
    at: Duration,
    process: &Process,
    gaps: &mut Vec<Gap>,
) -> Sample {
    let sample = Sample { seconds: at.as_secs_f64(), ..reading.sample };
    match reading.layout {
        Ok(mut layout) => {
            classify(&mut layout, memory);
            let free = Some(free_size(&layout.regions, layout.space));
            Sample { by_usage: Some(by_usage(&layout.regions)), free, ..sample }
        }
        Err(error) => {
            note(gaps, process, &error);
            sample
        }
    }
}

/// Says once why the regions of a process could not be read: without them nobody knows where it grows.
fn note(gaps: &mut Vec<Gap>, process: &Process, error: &Error) {
    let what = format!("which memory of process {} ({}) grows", process.pid, process.name);
    if gaps.iter().all(|gap| gap.what != what) {
        gaps.push(Gap::new(
            what,
            error.remedy().map_or_else(|| error.to_string(), |help| format!("{error}; {help}")),
        ));
    }
}

/// Memory by usage.
fn by_usage(regions: &[Region]) -> Vec<(Usage, Bytes)> {
    let mut sums = vec![Bytes::ZERO; Usage::ALL.len()];
    for region in regions {
        if let Some(place) = Usage::ALL.iter().position(|&usage| usage == region.usage) {
            sums[place] += held(region);
        }
    }
    Usage::ALL.iter().copied().zip(sums).filter(|(_, size)| *size > Bytes::ZERO).collect()
}

/// What a region holds, in RAM or swapped out: growth that reclaim hides is growth. Windows promises memory when it is
/// committed, wherever it is.
fn held(region: &Region) -> Bytes {
    let counted = |counter| region.counters.get(counter).unwrap_or_default();
    match region.pages {
        Some(pages) if pages.is_committed() => region.size(),
        Some(_) => Bytes::ZERO,
        None => counted(Counter::Rss) + counted(Counter::Swap),
    }
}
