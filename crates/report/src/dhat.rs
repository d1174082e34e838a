//! A recording as `dh_view.html` of valgrind's DHAT reads it.
//!
//! Source: valgrind 3.19, `dhat/dh_view.js` (what it asks of a file, version 2), `dhat/dh_main.c` (what is written).
//! Only what came from allocators stands in it, as in DHAT's own files. Two numbers that DHAT knows exactly are
//! estimates here, because a recording holds sums: how long all blocks of a path lived together (`tl`, from counts by
//! powers of two), and, where a path's largest moment was neither the program's nor the end, its blocks then (`mbk`).

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use residue_model::recording::{AllocationKind, Histogram, StackSums};
use residue_model::{Bytes, Recording};
use serde::Serialize;

use crate::Result;
use crate::frames::Lines;

/// Writes allocations by call path: in all, at the program's peak, at the end; their lifetimes.
///
/// # Errors
/// When it cannot be written.
pub fn write(out: impl Write, recording: &Recording) -> Result<()> {
    let lines = Lines::of(recording);
    let points = points(recording, &lines);
    let program = &recording.program;
    let file = File {
        version: 2,
        mode: "heap",
        verb: "Allocated",
        has_lifetimes: true,
        has_accesses: false,
        time_unit: "µs",
        mega_time_unit: "s",
        short_lived: microseconds(recording.totals.short_lived_below),
        command: program.command.join(" "),
        pid: program.pid,
        peak_at: microseconds(recording.totals.peak_at),
        end: microseconds(program.recorded),
        points,
        // The viewer keeps the first one for its root.
        frames: std::iter::once("[root]".into()).chain(lines.texts).collect(),
    };
    Ok(serde_json::to_writer(out, &file)?)
}

#[derive(Serialize)]
struct File {
    #[serde(rename = "dhatFileVersion")]
    version: u32,
    mode: &'static str,
    verb: &'static str,
    #[serde(rename = "bklt")]
    has_lifetimes: bool,
    #[serde(rename = "bkacc")]
    has_accesses: bool,
    #[serde(rename = "tu")]
    time_unit: &'static str,
    #[serde(rename = "Mtu")]
    mega_time_unit: &'static str,
    #[serde(rename = "tuth")]
    short_lived: u64,
    #[serde(rename = "cmd")]
    command: String,
    pid: u32,
    #[serde(rename = "tg")]
    peak_at: u64,
    #[serde(rename = "te")]
    end: u64,
    #[serde(rename = "pps")]
    points: Vec<ProgramPoint>,
    #[serde(rename = "ftbl")]
    frames: Vec<String>,
}

/// What DHAT calls a call path that allocates.
#[derive(Default, Serialize)]
struct ProgramPoint {
    #[serde(rename = "tb")]
    allocated: u64,
    #[serde(rename = "tbk")]
    allocations: u64,
    #[serde(rename = "tl")]
    lifetimes: u64,
    #[serde(rename = "mb")]
    peak: u64,
    #[serde(rename = "mbk")]
    peak_blocks: u64,
    #[serde(rename = "gb")]
    at_peak: u64,
    #[serde(rename = "gbk")]
    at_peak_blocks: u64,
    #[serde(rename = "eb")]
    live: u64,
    #[serde(rename = "ebk")]
    live_blocks: u64,
    /// Places in the table of frames, the outermost last.
    #[serde(rename = "fs")]
    frames: Vec<usize>,
}

impl ProgramPoint {
    fn add(&mut self, sums: &StackSums) {
        for (sum, value) in [
            (&mut self.allocated, sums.allocated.0),
            (&mut self.allocations, sums.allocations),
            (&mut self.lifetimes, lifetimes(sums)),
            (&mut self.peak, sums.peak.0),
            (&mut self.peak_blocks, peak_blocks(sums)),
            (&mut self.at_peak, sums.at_peak.0),
            (&mut self.at_peak_blocks, sums.at_peak_blocks),
            (&mut self.live, sums.live.0),
            (&mut self.live_blocks, sums.live_blocks),
        ] {
            *sum = sum.saturating_add(value);
        }
    }
}

/// The viewer refuses a file in which two points have the same frames.
fn points(recording: &Recording, lines: &Lines) -> Vec<ProgramPoint> {
    let mut points: Vec<ProgramPoint> = Vec::new();
    let mut known = HashMap::new();
    for sums in recording.stacks.iter().filter(|sums| sums.kind == AllocationKind::Heap) {
        let frames: Vec<usize> = lines.path(recording, sums.stack).into_iter().map(|line| line + 1).collect();
        let place = *known.entry(frames).or_insert_with_key(|frames| {
            points.push(ProgramPoint { frames: frames.clone(), ..ProgramPoint::default() });
            points.len() - 1
        });
        points[place].add(sums);
    }
    points
}

/// How long all blocks lived, together: what is gone by the middle of its power of two, what stands by its age.
fn lifetimes(sums: &StackSums) -> u64 {
    let gone = (0..).zip(&sums.lifetimes.0).map(|(entry, &blocks)| blocks.saturating_mul(middle(entry)));
    let stand = sums.ages.0.iter().map(|(age, blocks, _)| blocks.saturating_mul(microseconds(*age)));
    gone.chain(stand).fold(0, u64::saturating_add)
}

fn middle(entry: usize) -> u64 {
    let (least, beyond) = Histogram::span(entry);
    least + (beyond.unwrap_or(u64::MAX) - least) / 2
}

/// Blocks that stood when the path held most: known where that was the program's peak or the end, else by its mean size.
fn peak_blocks(sums: &StackSums) -> u64 {
    if sums.peak == sums.at_peak {
        return sums.at_peak_blocks;
    }
    if sums.peak == sums.live {
        return sums.live_blocks;
    }
    let Bytes(mean) = Bytes(sums.allocated.0.checked_div(sums.allocations).unwrap_or(0));
    sums.peak.0.checked_div(mean).unwrap_or(0).clamp(1, sums.allocations.max(1))
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
