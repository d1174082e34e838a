use std::time::{Duration, Instant};

use residue_analysis::classify_linux;
use residue_model::{Address, AddressSpace, Bytes, Counter, Gap, Process, Region, Sample, Series, Usage};
use residue_target::Error;
use residue_target::live::linux::{ProcDir, Reading, Sampler, age_seconds};

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
        series.push(begin(sampler)?);
    }
    let mut samplers: Vec<Option<Sampler>> = samplers.into_iter().map(Some).collect();
    let started = Instant::now();
    let mut due = started;
    loop {
        let mut busy = Duration::ZERO;
        for (index, (sampler, series)) in samplers.iter_mut().zip(&mut series).enumerate() {
            let Some(reading) = take_turn(sampler, series, &mut gaps) else { continue };
            busy += reading.busy;
            series.samples.push(finish(reading, started.elapsed(), &series.process, &mut gaps));
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

fn begin(sampler: &Sampler) -> Result<Series> {
    let process = sampler.process().clone();
    let proc_dir = ProcDir::open()?;
    let age_seconds = process.start_ticks.and_then(|ticks| age_seconds(&proc_dir, ticks));
    Ok(Series { process, age_seconds, ..Series::default() })
}

fn finish(reading: Reading, at: Duration, process: &Process, gaps: &mut Vec<Gap>) -> Sample {
    let by_usage = match reading.regions {
        Ok(mut regions) => {
            let bits = AddressSpace::of(&regions, Address(0)).bits;
            classify_linux(&mut regions, &reading.threads, bits);
            Some(by_usage(&regions))
        }
        Err(error) => {
            note(gaps, process, &error);
            None
        }
    };
    Sample { seconds: at.as_secs_f64(), by_usage, ..reading.sample }
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

/// Memory by usage, in RAM or swapped out: growth that reclaim hides is growth.
fn by_usage(regions: &[Region]) -> Vec<(Usage, Bytes)> {
    let mut sums = vec![Bytes::ZERO; Usage::ALL.len()];
    for region in regions {
        let held = |counter| region.counters.get(counter).unwrap_or_default();
        if let Some(place) = Usage::ALL.iter().position(|&usage| usage == region.usage) {
            sums[place] += held(Counter::Rss) + held(Counter::Swap);
        }
    }
    Usage::ALL.iter().copied().zip(sums).filter(|(_, size)| *size > Bytes::ZERO).collect()
}
