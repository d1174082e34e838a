use std::io::Write;

use residue_analysis::growth::Interval;
use residue_analysis::recorded::{
    Comparison, Estimate, Frame, Growth, MarkSite, MarkView, Measure, PathId, Recorded, Section, Site,
    SiteChange, SitePath, quantile,
};
use residue_model::recording::{AllocationKind, End, Histogram, Program, Recording, Total};
use residue_model::{Bytes, Gap};
use serde::Serialize;

use crate::Result;
use crate::units::date;

/// The schema of what was recorded.
const REPORT: &str = "residue.report/1";
/// And of two recordings compared.
const DIFF: &str = "residue.report-diff/1";

/// What stands around: the target is a recording.
#[derive(Serialize)]
struct Document<'a, T> {
    schema: &'static str,
    residue: &'static str,
    target: ProgramRow<'a>,
    gaps: &'a [Gap],
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct ProgramRow<'a> {
    kind: &'static str,
    pid: Option<u32>,
    parent: Option<u32>,
    name: &'a str,
    command: &'a [String],
    executable: &'a str,
    started: Option<String>,
    seconds: f64,
    end: Option<&'static str>,
    code: Option<i32>,
    signal: Option<i32>,
    system: &'a [String],
}

impl<'a> ProgramRow<'a> {
    fn of(program: &'a Program) -> ProgramRow<'a> {
        let name = program.command.first().unwrap_or(&program.executable);
        let (end, code, signal) = match program.end {
            Some(End::Exited(code)) => (Some("exited"), Some(code), None),
            Some(End::Killed(signal)) => (Some("killed"), None, Some(signal)),
            Some(End::Replaced) => (Some("replaced"), None, None),
            Some(End::Left) => (Some("left"), None, None),
            None => (None, None, None),
        };
        ProgramRow {
            kind: "recording",
            pid: Some(program.pid).filter(|&pid| pid != 0),
            parent: program.parent,
            name: name.rsplit(['/', '\\']).next().unwrap_or(name),
            command: &program.command,
            executable: &program.executable,
            started: program.started.and_then(date),
            seconds: program.recorded.as_secs_f64(),
            end,
            code,
            signal,
            system: &program.system,
        }
    }
}

#[derive(Serialize)]
struct ReportBody<'a> {
    sampling: Option<SamplingRow>,
    window: bool,
    totals: Totals,
    chosen: Option<ChosenRow>,
    sites: Vec<SiteRow<'a>>,
    more_sites: usize,
    marks: Vec<MarkRow<'a>>,
    timeline: Timeline,
}

#[derive(Serialize)]
struct SamplingRow {
    interval: Bytes,
    unseen_below: Bytes,
}

#[derive(Serialize)]
struct Totals {
    allocations: u64,
    frees: u64,
    allocated_bytes: Bytes,
    live_blocks: u64,
    live_bytes: Bytes,
    lost_blocks: Option<u64>,
    lost_bytes: Option<Bytes>,
    peak_bytes: Bytes,
    peak_at: f64,
    temporary: Option<u64>,
    mapped_bytes: Option<Bytes>,
    mapped_peak_bytes: Option<Bytes>,
    events: u64,
    dropped: u64,
    unknown_frees: u64,
    cut_stacks: u64,
    threads: u32,
}

impl Totals {
    fn of(recorded: &Recorded) -> Totals {
        let totals = &recorded.recording.totals;
        let lost = recorded.lost();
        Totals {
            allocations: totals.allocations,
            frees: totals.frees,
            allocated_bytes: totals.allocated,
            live_blocks: totals.live_blocks,
            live_bytes: totals.live,
            lost_blocks: lost.map(|(blocks, _)| blocks),
            lost_bytes: lost.map(|(_, bytes)| bytes),
            peak_bytes: totals.peak,
            peak_at: totals.peak_at.as_secs_f64(),
            temporary: (!recorded.is_window).then_some(totals.temporary),
            mapped_bytes: (!recorded.is_window).then_some(totals.mapped),
            mapped_peak_bytes: (!recorded.is_window).then_some(totals.mapped_peak),
            events: totals.events,
            dropped: totals.dropped,
            unknown_frees: totals.unknown_frees,
            cut_stacks: totals.cut_stacks,
            threads: totals.threads,
        }
    }
}

#[derive(Serialize)]
struct ChosenRow {
    allocations: u64,
    allocated_bytes: Bytes,
    live_blocks: u64,
    live_bytes: Bytes,
    at_peak_bytes: Bytes,
}

#[derive(Serialize)]
struct SiteRow<'a> {
    kind: &'static str,
    frames: Vec<FrameRow<'a>>,
    paths: usize,
    allocations: u64,
    frees: u64,
    allocated_bytes: Bytes,
    live_blocks: u64,
    live_bytes: Bytes,
    lost_blocks: Option<u64>,
    lost_bytes: Option<Bytes>,
    peak_bytes: Bytes,
    peak_at: f64,
    at_peak_blocks: u64,
    at_peak_bytes: Bytes,
    smallest: Bytes,
    largest: Bytes,
    threads: u32,
    /// None of a part of the time: these are only counted for the whole.
    #[serde(flatten)]
    whole: Whole,
    growth: GrowthRow,
    estimate: Option<EstimateRow>,
    stacks: Option<Vec<PathRow<'a>>>,
}

/// What is only known of the whole time.
#[derive(Default, Serialize)]
struct Whole {
    reallocations: Option<u64>,
    usable_bytes: Option<Bytes>,
    slack_bytes: Option<Bytes>,
    temporary: Option<u64>,
    short_lived: Option<u64>,
    aligned: Option<u64>,
    largest_alignment: Option<u64>,
    sizes: Option<Vec<Count>>,
    lifetimes: Option<Lifetimes>,
    ages: Option<Vec<Age>>,
    young: Option<bool>,
}

#[derive(Serialize)]
struct Count {
    from: u64,
    below: Option<u64>,
    blocks: u64,
}

#[derive(Serialize)]
struct Lifetimes {
    median: Option<f64>,
    p95: Option<f64>,
}

#[derive(Serialize)]
struct Age {
    at_least: f64,
    blocks: u64,
    bytes: Bytes,
}

#[derive(Serialize)]
struct FrameRow<'a> {
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    address: String,
    inlined: bool,
}

impl<'a> FrameRow<'a> {
    fn of(frame: &'a Frame) -> FrameRow<'a> {
        FrameRow {
            function: frame.function.as_deref(),
            file: frame.file.as_deref(),
            line: frame.line,
            module: frame.module.as_deref(),
            address: format!("{:#x}", frame.address),
            inlined: frame.is_inlined,
        }
    }

    fn all(recorded: &'a Recorded, path: PathId) -> Vec<FrameRow<'a>> {
        recorded.frames(path).map(FrameRow::of).collect()
    }
}

#[derive(Serialize)]
struct PathRow<'a> {
    frames: Vec<FrameRow<'a>>,
    allocations: u64,
    allocated_bytes: Bytes,
    live_blocks: u64,
    live_bytes: Bytes,
    lost_bytes: Option<Bytes>,
    at_peak_bytes: Bytes,
    temporary: u64,
}

impl<'a> PathRow<'a> {
    fn of(recorded: &'a Recorded, path: &SitePath) -> PathRow<'a> {
        PathRow {
            frames: FrameRow::all(recorded, path.path),
            allocations: path.allocations,
            allocated_bytes: path.allocated,
            live_blocks: path.live_blocks,
            live_bytes: path.live,
            lost_bytes: path.lost,
            at_peak_bytes: path.at_peak,
            temporary: path.temporary,
        }
    }
}

#[derive(Serialize)]
struct GrowthRow {
    shape: &'static str,
    bytes: i64,
    rate_bytes_per_hour: Option<Interval>,
    rises: u32,
    seconds: f64,
    first_third: Option<f64>,
    last_third: Option<f64>,
    still_seconds: Option<f64>,
    kept: Option<f64>,
    freed_at_end: bool,
}

impl GrowthRow {
    fn of(growth: &Growth) -> GrowthRow {
        GrowthRow {
            shape: growth.shape.key(),
            bytes: growth.net,
            rate_bytes_per_hour: growth.rate,
            rises: growth.rises,
            seconds: growth.span.as_secs_f64(),
            first_third: growth.thirds.map(|(first, _)| first),
            last_third: growth.thirds.map(|(_, last)| last),
            still_seconds: growth.still_for.map(|time| time.as_secs_f64()),
            kept: growth.kept,
            freed_at_end: growth.freed_at_end,
        }
    }
}

#[derive(Serialize)]
struct EstimateRow {
    allocations: Interval,
    allocated_bytes: Interval,
    live_bytes: Interval,
}

impl EstimateRow {
    fn of(estimate: Estimate) -> EstimateRow {
        EstimateRow {
            allocations: estimate.allocations,
            allocated_bytes: estimate.allocated,
            live_bytes: estimate.live,
        }
    }
}

impl Whole {
    fn of(site: &Site, recording: &Recording) -> Whole {
        let sums = &site.sums;
        let seconds = |part| quantile(&sums.lifetimes, part).map(|micros| micros / 1e6);
        let age = |&(least, blocks, bytes): &(std::time::Duration, u64, Bytes)| Age {
            at_least: least.as_secs_f64(),
            blocks,
            bytes,
        };
        Whole {
            reallocations: Some(sums.reallocations),
            usable_bytes: Some(sums.usable),
            slack_bytes: Some(site.slack()),
            temporary: Some(sums.temporary),
            short_lived: Some(sums.short_lived),
            aligned: Some(sums.aligned),
            largest_alignment: Some(sums.largest_alignment).filter(|&alignment| alignment > 0),
            sizes: Some(counts(&sums.sizes)),
            lifetimes: Some(Lifetimes { median: seconds(0.5), p95: seconds(0.95) }),
            ages: Some(sums.ages.0.iter().map(age).collect()),
            young: Some(site.is_young(recording.program.recorded)),
        }
    }
}

fn counts(histogram: &Histogram) -> Vec<Count> {
    let filled = histogram.0.iter().enumerate().filter(|(_, blocks)| **blocks > 0);
    let row = |(entry, &blocks)| {
        let (from, below) = Histogram::span(entry);
        Count { from, below, blocks }
    };
    filled.map(row).collect()
}

fn kind(kind: AllocationKind) -> &'static str {
    match kind {
        AllocationKind::Heap => "heap",
        AllocationKind::Mapping => "mmap",
        AllocationKind::Break => "brk",
    }
}

impl<'a> SiteRow<'a> {
    fn of(recorded: &'a Recorded, site: &Site, full: bool) -> SiteRow<'a> {
        let sums = &site.sums;
        let whole = if recorded.is_window { Whole::default() } else { Whole::of(site, &recorded.recording) };
        SiteRow {
            kind: kind(site.kind),
            frames: FrameRow::all(recorded, site.path(Measure::Live)),
            paths: site.paths.len(),
            allocations: sums.allocations,
            frees: sums.frees,
            allocated_bytes: sums.allocated,
            live_blocks: sums.live_blocks,
            live_bytes: sums.live,
            lost_blocks: sums.lost_blocks,
            lost_bytes: sums.lost,
            peak_bytes: sums.peak,
            peak_at: sums.peak_at.as_secs_f64(),
            at_peak_blocks: sums.at_peak_blocks,
            at_peak_bytes: sums.at_peak,
            smallest: sums.smallest,
            largest: sums.largest,
            threads: sums.threads,
            whole,
            growth: GrowthRow::of(&site.growth),
            estimate: site.estimate.map(EstimateRow::of),
            stacks: full.then(|| site.paths.iter().map(|path| PathRow::of(recorded, path)).collect()),
        }
    }
}

#[derive(Serialize)]
struct MarkRow<'a> {
    name: &'a str,
    begun: u64,
    ended: u64,
    seconds: f64,
    allocations: u64,
    allocated_bytes: Bytes,
    net_blocks: i64,
    net_bytes: i64,
    sites: Vec<MarkSiteRow<'a>>,
}

#[derive(Serialize)]
struct MarkSiteRow<'a> {
    kind: &'static str,
    frames: Vec<FrameRow<'a>>,
    allocations: u64,
    allocated_bytes: Bytes,
    net_blocks: i64,
    net_bytes: i64,
}

impl<'a> MarkRow<'a> {
    fn of(recorded: &'a Recorded, mark: &'a MarkView) -> MarkRow<'a> {
        let site = |site: &MarkSite| MarkSiteRow {
            kind: kind(site.kind),
            frames: FrameRow::all(recorded, site.path),
            allocations: site.allocations,
            allocated_bytes: site.allocated,
            net_blocks: site.net_blocks,
            net_bytes: site.net,
        };
        MarkRow {
            name: &mark.name,
            begun: mark.begun,
            ended: mark.ended,
            seconds: mark.time.as_secs_f64(),
            allocations: mark.allocations,
            allocated_bytes: mark.allocated,
            net_blocks: mark.net_blocks,
            net_bytes: mark.net,
            sites: mark.sites.iter().map(site).collect(),
        }
    }
}

/// The whole program over time, column by column: a row a slot would say each key hundreds of times.
#[derive(Serialize)]
struct Timeline {
    slot_seconds: f64,
    live_bytes: Vec<Bytes>,
    live_blocks: Vec<u64>,
    peak_bytes: Vec<Bytes>,
    allocated_bytes: Vec<Bytes>,
    allocations: Vec<u64>,
    rss: Vec<Option<Bytes>>,
}

impl Timeline {
    fn of(recording: &Recording) -> Timeline {
        fn column<T>(recording: &Recording, of: impl Fn(&Total) -> T) -> Vec<T> {
            recording.timeline.totals.iter().map(of).collect()
        }
        Timeline {
            slot_seconds: recording.timeline.slot.as_secs_f64(),
            live_bytes: column(recording, |total| total.live),
            live_blocks: column(recording, |total| total.live_blocks),
            peak_bytes: column(recording, |total| total.peak),
            allocated_bytes: column(recording, |total| total.allocated),
            allocations: column(recording, |total| total.allocations),
            rss: column(recording, |total| total.rss),
        }
    }
}

/// Writes `residue.report/1`: at most so many sites, those that hold most first or in the order of a section; with all their
/// call paths when it is to be full.
///
/// # Errors
/// When the output cannot be written.
pub fn recorded(
    out: &mut impl Write,
    recorded: &Recorded,
    only: Option<Section>,
    limit: Option<usize>,
    full: bool,
) -> Result<()> {
    let sites = only.map_or_else(|| recorded.sites.iter().collect(), |section| section.of(recorded));
    let shown = sites.len().min(limit.unwrap_or(usize::MAX));
    let body = ReportBody {
        sampling: recorded.recording.sampling.map(|sampling| SamplingRow {
            interval: sampling.interval,
            unseen_below: Estimate::unseen(sampling),
        }),
        window: recorded.is_window,
        totals: Totals::of(recorded),
        chosen: recorded.chosen.map(|chosen| ChosenRow {
            allocations: chosen.allocations,
            allocated_bytes: chosen.allocated,
            live_blocks: chosen.live_blocks,
            live_bytes: chosen.live,
            at_peak_bytes: chosen.at_peak,
        }),
        sites: sites[..shown].iter().map(|site| SiteRow::of(recorded, site, full)).collect(),
        more_sites: sites.len() - shown,
        marks: recorded.marks.iter().map(|mark| MarkRow::of(recorded, mark)).collect(),
        timeline: Timeline::of(&recorded.recording),
    };
    write(out, REPORT, recorded, body)
}

fn write<T: Serialize>(
    out: &mut impl Write,
    schema: &'static str,
    recorded: &Recorded,
    body: T,
) -> Result<()> {
    let recording = &recorded.recording;
    let document = Document {
        schema,
        residue: env!("CARGO_PKG_VERSION"),
        target: ProgramRow::of(&recording.program),
        gaps: &recording.gaps,
        body,
    };
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}

#[derive(Serialize)]
struct DiffBody<'a> {
    earlier: ProgramRow<'a>,
    earlier_gaps: &'a [Gap],
    earlier_totals: Totals,
    totals: Totals,
    sites: Vec<ChangeRow<'a>>,
    more_sites: usize,
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    change: &'static str,
    kind: &'static str,
    frames: Vec<FrameRow<'a>>,
    live_bytes: i64,
    live_blocks: i64,
    at_peak_bytes: i64,
    allocated_bytes_per_second: f64,
    earlier_live_bytes: Option<Bytes>,
    later_live_bytes: Option<Bytes>,
    growth: Option<GrowthRow>,
}

impl<'a> ChangeRow<'a> {
    fn of(sides: [&'a Recorded; 2], change: &SiteChange) -> ChangeRow<'a> {
        let site = |side: usize, index: Option<usize>| Some((sides[side], &sides[side].sites[index?]));
        let (earlier, later) = (site(0, change.earlier), site(1, change.later));
        let shown = later.or(earlier);
        ChangeRow {
            change: change.kind().key(),
            kind: shown.map_or("heap", |(_, site)| kind(site.kind)),
            frames: shown
                .map_or_else(Vec::new, |(recorded, site)| FrameRow::all(recorded, site.path(Measure::Live))),
            live_bytes: change.live,
            live_blocks: change.live_blocks,
            at_peak_bytes: change.at_peak,
            allocated_bytes_per_second: change.allocated_rate,
            earlier_live_bytes: earlier.map(|(_, site)| site.sums.live),
            later_live_bytes: later.map(|(_, site)| site.sums.live),
            growth: later.map(|(_, site)| GrowthRow::of(&site.growth)),
        }
    }
}

/// Writes `residue.report-diff/1`: from an earlier recording to a later one.
///
/// # Errors
/// When the output cannot be written.
pub fn compared(
    out: &mut impl Write,
    sides: [&Recorded; 2],
    comparison: &Comparison,
    limit: Option<usize>,
) -> Result<()> {
    let [earlier, later] = sides;
    let shown = comparison.rows.len().min(limit.unwrap_or(usize::MAX));
    let body = DiffBody {
        earlier: ProgramRow::of(&earlier.recording.program),
        earlier_gaps: &earlier.recording.gaps,
        earlier_totals: Totals::of(earlier),
        totals: Totals::of(later),
        sites: comparison.rows[..shown].iter().map(|change| ChangeRow::of(sides, change)).collect(),
        more_sites: comparison.rows.len() - shown,
    };
    write(out, DIFF, later, body)
}
