use std::collections::{BTreeMap, BTreeSet, HashMap};

use residue_analysis::recorded::{
    FlameNode, Frame, Measure, PathId, Paths, Recorded, Shape, Site, Track, Tracks,
};
use residue_model::recording::{Point, Total};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::source::{Excerpt, Sources};
use crate::words;

/// Points of all paths together: more make the page slow, so slots are made longer.
const MOST_POINTS: usize = 300_000;
const SHAPES: [Shape; 6] =
    [Shape::Leak, Shape::Growing, Shape::Filling, Shape::Steady, Shape::Burst, Shape::Short];

/// What the page draws and sums. Texts and frames stand in it once; tables are rows without names of columns, which
/// `model.js` has.
#[derive(Serialize)]
pub(super) struct Data {
    /// Length of a slot of the timeline, and of all of it, in seconds.
    slot: f64,
    recorded: f64,
    /// How many slots of the timeline are one of the tracks.
    step: u16,
    /// When the program held most, in seconds.
    peak_at: f64,
    peak: u64,
    /// Live, most, allocated, allocations, rss.
    totals: Vec<(u64, u64, u64, u64, Option<u64>)>,
    measures: [&'static str; 4],
    short_lived_below: f64,
    /// What shapes of growth are called.
    shapes: BTreeMap<&'static str, &'static str>,
    texts: Vec<String>,
    frames: Vec<FrameRow>,
    /// Caller and frame of each path; the first is the root.
    paths: Vec<(u32, u32)>,
    /// Caller and frame of each function in the tree of calls; the first is the root.
    nodes: Vec<(u32, Option<u32>)>,
    sites: Vec<SiteRow>,
    tracks: Vec<TrackRow>,
    /// Lines of source files, by the number of the file's name.
    sources: BTreeMap<u32, Excerpt>,
}

/// The function as it is shown, as it is written in full, its place, file, line, module, and whether it is inlined.
#[derive(Serialize)]
struct FrameRow(u32, Option<u32>, u32, Option<u32>, Option<u32>, Option<u32>, u8);

#[derive(Serialize)]
struct SiteRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    shape: &'static str,
    growth: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    young: bool,
    live: u64,
    blocks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<(u64, u64)>,
    peak: u64,
    peak_at: f64,
    at_peak: u64,
    allocated: u64,
    allocations: u64,
    frees: u64,
    #[serde(skip_serializing_if = "is_zero")]
    reallocations: u64,
    #[serde(skip_serializing_if = "is_zero")]
    temporary: u64,
    #[serde(skip_serializing_if = "is_zero")]
    short: u64,
    usable: u64,
    smallest: u64,
    largest: u64,
    threads: u32,
    sizes: Vec<u64>,
    lifetimes: Vec<u64>,
}

/// Site, path, node, weights in the order of `measures`, points.
#[derive(Serialize)]
struct TrackRow(u32, u32, u32, [u64; 4], Flat);

/// Slot, live, blocks, allocated, allocations: all points one behind the other.
struct Flat(Vec<Point>);

impl Serialize for Flat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(self.0.len() * 5))?;
        for point in &self.0 {
            let numbers = [
                u64::from(point.slot),
                point.live.0,
                point.live_blocks,
                point.allocated.0,
                point.allocations,
            ];
            numbers.iter().try_for_each(|number| row.serialize_element(number))?;
        }
        row.end()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Data {
    pub(super) fn of(recorded: &Recorded, sources: &Sources) -> Data {
        let recording = &recorded.recording;
        let Tracks { nodes, tracks, step } = recorded.tracks(MOST_POINTS);
        let mut names = Names::default();
        let node = |node: &FlameNode| (node.parent, node.frame.as_ref().map(|frame| names.frame(frame)));
        let nodes = nodes.iter().map(node).collect();
        let mut paths = PathRows::default();
        let tracks = tracks.into_iter().map(|track| paths.track(recorded, &mut names, track)).collect();
        Data {
            slot: recording.timeline.slot.as_secs_f64(),
            recorded: recording.program.recorded.as_secs_f64(),
            step,
            peak_at: recording.totals.peak_at.as_secs_f64(),
            peak: recording.totals.peak.0,
            totals: recording.timeline.totals.iter().map(total).collect(),
            measures: Measure::ALL.map(Measure::key),
            short_lived_below: recording.totals.short_lived_below.as_secs_f64(),
            shapes: SHAPES.map(|shape| (shape.key(), words::recorded::shape(shape))).into(),
            nodes,
            sites: recorded.sites.iter().map(|site| SiteRow::of(recorded, site)).collect(),
            tracks,
            sources: names.excerpts(sources),
            paths: paths.rows,
            texts: names.texts,
            frames: names.frames,
        }
    }
}

fn total(total: &Total) -> (u64, u64, u64, u64, Option<u64>) {
    (total.live.0, total.peak.0, total.allocated.0, total.allocations, total.rss.map(|rss| rss.0))
}

impl SiteRow {
    fn of(recorded: &Recorded, site: &Site) -> SiteRow {
        let sums = &site.sums;
        SiteRow {
            kind: words::recorded::kind(site.kind),
            shape: site.growth.shape.key(),
            growth: words::recorded::growth(&site.growth),
            note: words::recorded::bounds(site),
            young: site.is_young(recorded.recording.program.recorded),
            live: sums.live.0,
            blocks: sums.live_blocks,
            lost: sums.lost_blocks.zip(sums.lost).map(|(blocks, bytes)| (blocks, bytes.0)),
            peak: sums.peak.0,
            peak_at: sums.peak_at.as_secs_f64(),
            at_peak: sums.at_peak.0,
            allocated: sums.allocated.0,
            allocations: sums.allocations,
            frees: sums.frees,
            reallocations: sums.reallocations,
            temporary: sums.temporary,
            short: sums.short_lived,
            usable: sums.usable.0,
            smallest: sums.smallest.0,
            largest: sums.largest.0,
            threads: sums.threads,
            sizes: sums.sizes.0.clone(),
            lifetimes: sums.lifetimes.0.clone(),
        }
    }
}

/// Texts and frames, each once.
#[derive(Default)]
struct Names {
    texts: Vec<String>,
    number_of: HashMap<String, u32>,
    frames: Vec<FrameRow>,
    frame_of: HashMap<Frame, u32>,
}

impl Names {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.number_of.get(text) {
            return number;
        }
        let number = index(self.texts.len());
        self.texts.push(text.to_owned());
        self.number_of.insert(text.to_owned(), number);
        number
    }

    fn frame(&mut self, frame: &Frame) -> u32 {
        if let Some(&number) = self.frame_of.get(frame) {
            return number;
        }
        let row = FrameRow(
            self.text(&words::recorded::function(frame)),
            frame.function.as_deref().map(|function| self.text(function)),
            self.text(&words::recorded::place(frame)),
            frame.file.as_deref().map(|file| self.text(file)),
            frame.line,
            frame.module.as_deref().map(|module| self.text(module)),
            frame.is_inlined.into(),
        );
        self.frames.push(row);
        let number = index(self.frames.len() - 1);
        self.frame_of.insert(frame.clone(), number);
        number
    }

    /// The lines of all frames whose file's text is known.
    fn excerpts(&self, sources: &Sources) -> BTreeMap<u32, Excerpt> {
        let mut around: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for frame in &self.frames {
            if let (Some(file), Some(line)) = (frame.3, frame.4) {
                around.entry(file).or_default().insert(line);
            }
        }
        let excerpt = |(file, lines): (u32, BTreeSet<u32>)| {
            let source = sources.get(&self.texts[file as usize])?;
            Some((file, Excerpt::of(source, &lines)?))
        };
        around.into_iter().filter_map(excerpt).collect()
    }
}

/// The paths that tracks need, numbered anew.
struct PathRows {
    rows: Vec<(u32, u32)>,
    number_of: HashMap<PathId, u32>,
}

impl Default for PathRows {
    fn default() -> PathRows {
        PathRows { rows: vec![(0, 0)], number_of: HashMap::from([(PathId::ROOT, 0)]) }
    }
}

impl PathRows {
    fn track(&mut self, recorded: &Recorded, names: &mut Names, track: Track) -> TrackRow {
        let path = self.path(&recorded.paths, names, track.path);
        TrackRow(index(track.site), path, track.node, track.weights, Flat(track.points))
    }

    fn path(&mut self, paths: &Paths, names: &mut Names, path: PathId) -> u32 {
        let mut new = Vec::new();
        let mut at = path;
        while !self.number_of.contains_key(&at) {
            new.push(at);
            at = paths.caller(at);
        }
        let mut number = self.number_of[&at];
        for path in new.into_iter().rev() {
            let Some(frame) = paths.innermost(path) else { continue };
            self.rows.push((number, names.frame(paths.frame(frame))));
            number = index(self.rows.len() - 1);
            self.number_of.insert(path, number);
        }
        number
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
