use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use residue_model::recording::{
    Ages, AllocationKind, CallTree, Code, CodeId, End, Mark, MarkSums, Node, Point, Program, RecordedModule,
    Sampling, StackId, StackSums, Timeline, Total, Totals,
};
use residue_model::{Bytes, Gap, Recording};
use residue_recording::wire::Header;
use residue_target::procfs::printable;

use super::image::{Image, SHORT};
use super::site::Site;
use super::timeline;
use crate::clock::Clock;
use crate::segment::{self, Segment};

/// No stack is deeper: a node has its caller before it, so that the tree itself has an end.
const DEEPEST: usize = 1 << 20;

/// What is known of a program beside its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) command: Vec<String>,
    pub(crate) executable: String,
    pub(crate) pid: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) started: Option<SystemTime>,
    pub(crate) system: Vec<String>,
    /// Bytes from sample to sample; 0: exact.
    pub(crate) interval: u64,
}

/// How it ended, and what else could not be seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) end: Option<End>,
    pub(crate) gaps: Vec<Gap>,
}

/// A recording of what was gathered so far.
pub(crate) fn recording(
    image: &Image,
    segment: &Segment,
    known: &Known,
    ended: Ended,
    clock: &Clock,
) -> Recording {
    let scale = Scale { unit: image.estimate().unit(), clock, started: image.started };
    let modules = segment.modules();
    let mut paths = Paths::new(segment, &modules);
    let standing = standing(image, &scale);
    let mut stacks: Vec<StackSums> = (0..)
        .zip(&image.sites)
        .map(|(number, site)| StackSums {
            stack: paths.stack(site.stack),
            ages: standing.get(&number).cloned().unwrap_or_default(),
            lost_blocks: image.lost.as_ref().map(|lost| lost.get(&number).map_or(0, |(blocks, _)| *blocks)),
            lost: image.lost.as_ref().map(|lost| Bytes(lost.get(&number).map_or(0, |(_, bytes)| *bytes))),
            ..sums(image, site, &scale)
        })
        .collect();
    thin(&mut stacks, image.timeline.totals.len());
    let marks = marks(image, segment, &scale, &mut paths);
    Recording {
        program: Program {
            command: known.command.clone(),
            executable: executable(known, &modules),
            pid: known.pid,
            parent: known.parent,
            started: known.started,
            recorded: clock.time(image.now.saturating_sub(image.started)),
            end: ended.end,
            system: known.system.clone(),
        },
        sampling: (known.interval != 0).then_some(Sampling { interval: Bytes(known.interval) }),
        modules: modules.iter().map(module).collect(),
        calls: paths.tree,
        totals: totals(image, &stacks, &scale),
        stacks,
        timeline: course(image, &scale),
        marks,
        gaps: gaps(image, segment, ended.gaps),
    }
}

/// From units of the estimate to counts, from ticks to time.
struct Scale<'a> {
    unit: u64,
    clock: &'a Clock,
    started: u64,
}

impl Scale<'_> {
    fn count(&self, value: u64) -> u64 {
        if self.unit == 1 { value } else { value.saturating_add(self.unit / 2) / self.unit }
    }

    fn bytes(&self, value: u64) -> Bytes {
        Bytes(self.count(value))
    }

    fn signed(&self, value: i64) -> i64 {
        let size = i64::try_from(self.count(value.unsigned_abs())).unwrap_or(i64::MAX);
        if value < 0 { -size } else { size }
    }

    fn since(&self, stamp: u64) -> Duration {
        self.clock.time(stamp.saturating_sub(self.started))
    }
}

/// The tree of calls, with only those paths that are asked for.
struct Paths<'a> {
    segment: &'a Segment,
    modules: &'a [segment::Image],
    tree: CallTree,
    stacks: HashMap<u32, StackId>,
    codes: HashMap<(u64, u16), CodeId>,
}

impl<'a> Paths<'a> {
    fn new(segment: &'a Segment, modules: &'a [segment::Image]) -> Paths<'a> {
        let tree = CallTree { nodes: vec![Node::default()], codes: vec![Code::default()] };
        Paths { segment, modules, tree, stacks: HashMap::new(), codes: HashMap::new() }
    }

    /// The path to a node of the segment.
    fn stack(&mut self, number: u32) -> StackId {
        let mut new = Vec::new();
        let mut at = number;
        let mut known = StackId::UNKNOWN;
        while let Some(frame) = self.segment.frame(at).filter(|_| new.len() < DEEPEST) {
            if let Some(&stack) = self.stacks.get(&at) {
                known = stack;
                break;
            }
            new.push((at, frame));
            // Callers are made before those that they called: anything else was damaged, and ends the path.
            at = if frame.caller < at { frame.caller } else { 0 };
        }
        for (node, frame) in new.into_iter().rev() {
            let code = self.code(frame.address, frame.module);
            let stack = StackId(small(self.tree.nodes.len()));
            self.tree.nodes.push(Node { caller: known, code });
            self.stacks.insert(node, stack);
            known = stack;
        }
        known
    }

    fn code(&mut self, address: u64, module: u16) -> CodeId {
        let tree = &mut self.tree;
        let bias = self.modules.get(usize::from(module).wrapping_sub(1)).map(|module| module.bias);
        *self.codes.entry((address, module)).or_insert_with(|| {
            let module = bias.map(|_| u32::from(module) - 1);
            let address = address.wrapping_sub(bias.unwrap_or(0));
            tree.codes.push(Code { module, address, places: Vec::new() });
            CodeId(small(tree.codes.len() - 1))
        })
    }
}

/// The file of a program that had ended before anyone could ask: the one among its images that is no library.
fn executable(known: &Known, modules: &[segment::Image]) -> String {
    let is_program = |path: &str| path.starts_with('/') && !path.contains(".so");
    let mut paths = modules.iter().map(|module| printable(&module.path));
    let found = known.executable.is_empty().then(|| paths.find(|path| is_program(path))).flatten();
    found.unwrap_or_else(|| known.executable.clone())
}

fn module(image: &segment::Image) -> RecordedModule {
    RecordedModule {
        path: printable(&image.path),
        build_id: (!image.build_id.is_empty()).then(|| image.build_id.clone()),
        start: image.start,
        end: image.end,
        bias: image.bias,
    }
}

fn sums(image: &Image, site: &Site, scale: &Scale<'_>) -> StackSums {
    let family = if site.kind == AllocationKind::Heap { &image.heap } else { &image.mapped };
    let (at_peak, at_peak_blocks) = family.at_peak(site);
    StackSums {
        kind: site.kind,
        allocations: scale.count(site.allocations),
        frees: scale.count(site.frees),
        reallocations: scale.count(site.reallocations),
        allocated: scale.bytes(site.allocated),
        usable: scale.bytes(site.usable),
        live_blocks: scale.count(site.live_blocks),
        live: scale.bytes(site.live),
        peak: scale.bytes(site.peak),
        peak_at: scale.since(site.peak_at),
        at_peak: scale.bytes(at_peak),
        at_peak_blocks: scale.count(at_peak_blocks),
        temporary: scale.count(site.temporary),
        short_lived: scale.count(site.short_lived),
        aligned: scale.count(site.aligned),
        largest_alignment: site.largest_alignment,
        smallest: Bytes(site.smallest),
        largest: Bytes(site.largest),
        sizes: site.sizes.histogram(scale.unit),
        lifetimes: site.lifetimes.histogram(scale.unit),
        threads: site.threads.count_ones(),
        variance: site.variance,
        points: points(image, site, scale),
        ..StackSums::default()
    }
}

fn points(image: &Image, site: &Site, scale: &Scale<'_>) -> Vec<Point> {
    #[allow(clippy::cast_possible_truncation, reason = "there are 256 slots")]
    let slot = image.timeline.totals.len() as u16;
    let open = (site.is_changed && !site.is_untold).then_some(timeline::Point {
        slot,
        live: site.live,
        live_blocks: site.live_blocks,
        allocated: site.slot_allocated,
        allocations: site.slot_allocations,
    });
    let point = |point: &timeline::Point| Point {
        slot: point.slot,
        live: scale.bytes(point.live),
        live_blocks: scale.count(point.live_blocks),
        allocated: scale.bytes(point.allocated),
        allocations: scale.count(point.allocations),
    };
    site.points.iter().chain(&open).map(point).collect()
}

/// More points than that are not kept as they are.
const MANY_POINTS: usize = 1 << 15;
/// So many of the heaviest call paths keep all of theirs then, and so many one of four; the others keep one of sixteen.
const FINE: usize = 128;
const COARSE: usize = 512;

/// Leaves out points where there are too many: what they told is told by the next one.
fn thin(stacks: &mut [StackSums], last: usize) {
    if stacks.iter().map(|sums| sums.points.len()).sum::<usize>() <= MANY_POINTS {
        return;
    }
    let mut heaviest: Vec<&mut StackSums> = stacks.iter_mut().collect();
    heaviest.sort_by_key(|sums| std::cmp::Reverse(sums.peak));
    for (rank, sums) in heaviest.into_iter().enumerate().skip(FINE) {
        let step: u16 = if rank < FINE + COARSE { 4 } else { 16 };
        let mut kept: Vec<Point> = Vec::new();
        for point in &sums.points {
            let slot = (point.slot | (step - 1)).min(u16::try_from(last).unwrap_or(u16::MAX));
            let point = Point { slot, ..*point };
            match kept.last_mut().filter(|before| before.slot == slot) {
                Some(before) => {
                    let (allocated, allocations) = (before.allocated, before.allocations);
                    *before = Point {
                        allocated: point.allocated + allocated,
                        allocations: point.allocations + allocations,
                        ..point
                    };
                }
                None => kept.push(point),
            }
        }
        sums.points = kept;
    }
}

fn course(image: &Image, scale: &Scale<'_>) -> Timeline {
    let timeline = &image.timeline;
    let open = timeline.open_slot(&image.heap);
    let total = |total: &timeline::Total| Total {
        live: scale.bytes(total.live),
        live_blocks: scale.count(total.live_blocks),
        peak: scale.bytes(total.peak),
        allocated: scale.bytes(total.allocated),
        allocations: scale.count(total.allocations),
        rss: total.rss.map(Bytes),
    };
    Timeline {
        slot: scale.clock.time(timeline.slot),
        totals: timeline.totals.iter().chain([&open]).map(total).collect(),
    }
}

/// The ages of what stands, by site.
fn standing(image: &Image, scale: &Scale<'_>) -> HashMap<u32, Ages> {
    let mut ages: HashMap<u32, BTreeMap<u64, (u64, u64)>> = HashMap::new();
    let mut add = |site: u32, time: u64, blocks: u64, bytes: u64| {
        let age = scale.clock.time(image.now.saturating_sub(time));
        let step = eighth(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
        let sum = ages.entry(site).or_default().entry(step).or_default();
        *sum = (sum.0 + blocks, sum.1.saturating_add(bytes));
    };
    for block in image.live.blocks() {
        let weight = image.estimate().weigh(block.size);
        add(block.site, block.time, weight.blocks, weight.bytes);
    }
    for (site, time, bytes, is_first) in image.mappings.standing() {
        let weight = image.estimate().certain(is_first.into(), bytes);
        add(site, time, weight.blocks, weight.bytes);
    }
    let rows = |steps: BTreeMap<u64, (u64, u64)>| {
        let row =
            |(age, (blocks, bytes))| (Duration::from_micros(age), scale.count(blocks), scale.bytes(bytes));
        Ages(steps.into_iter().map(row).collect())
    };
    ages.into_iter().map(|(site, steps)| (site, rows(steps))).collect()
}

/// A number rounded down to its four highest bits.
fn eighth(value: u64) -> u64 {
    let low = (u64::BITS - value.leading_zeros()).saturating_sub(4);
    value >> low << low
}

fn marks(image: &Image, segment: &Segment, scale: &Scale<'_>, paths: &mut Paths<'_>) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    // One name may stand at several places.
    let mut place_of = Vec::new();
    for phase in &image.marks.phases {
        let name = printable(&segment.text(phase.name.0, phase.name.1));
        let number = *numbers.entry(name.clone()).or_insert_with(|| {
            marks.push(Mark { name, ..Mark::default() });
            marks.len() - 1
        });
        let mark = &mut marks[number];
        mark.begun += phase.begun;
        mark.ended += phase.ended;
        mark.time = mark.time.saturating_add(scale.clock.time(phase.time));
        place_of.push(number);
    }
    let mut within: Vec<_> = image.marks.within.iter().collect();
    within.sort_unstable_by_key(|(key, _)| **key);
    for (&(phase, site), sums) in within {
        let site = &image.sites[site as usize];
        marks[place_of[phase as usize]].stacks.push(MarkSums {
            stack: paths.stack(site.stack),
            kind: site.kind,
            allocations: scale.count(sums.allocations),
            allocated: scale.bytes(sums.allocated),
            net_blocks: scale.signed(sums.net_blocks),
            net: scale.signed(sums.net),
        });
    }
    marks
}

fn totals(image: &Image, stacks: &[StackSums], scale: &Scale<'_>) -> Totals {
    let heap = || stacks.iter().filter(|sums| sums.kind == AllocationKind::Heap);
    let counted = &image.counted;
    Totals {
        allocations: heap().map(|sums| sums.allocations).sum(),
        frees: heap().map(|sums| sums.frees).sum(),
        allocated: heap().map(|sums| sums.allocated).sum(),
        live_blocks: scale.count(image.heap.live_blocks),
        live: scale.bytes(image.heap.live),
        peak: scale.bytes(image.heap.peak),
        peak_at: scale.since(image.heap.peak_at),
        temporary: heap().map(|sums| sums.temporary).sum(),
        mapped: scale.bytes(image.mapped.live),
        mapped_peak: scale.bytes(image.mapped.peak),
        short_lived_below: SHORT,
        events: counted.events,
        dropped: counted.dropped,
        unknown_frees: counted.unknown_frees,
        cut_stacks: counted.cut_stacks,
        threads: counted.threads,
    }
}

/// What was not seen of this image.
fn gaps(image: &Image, segment: &Segment, mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.extend(image.lost_gaps.iter().cloned());
    let counted = &image.counted;
    let mut tell = |count: u64, what: &str, why: &str| {
        if count > 0 {
            gaps.push(Gap::new(format!("{count} {what}"), why));
        }
    };
    tell(
        counted.dropped,
        "events",
        "they found no room: the collector stood still, there were too many threads, or a signal handler allocated while its thread waited",
    );
    tell(
        counted.overwritten,
        "frees",
        "a block was given where another one stood: it went back by a way that is not recorded",
    );
    tell(counted.damaged, "events", "they make no sense: the program wrote over them");
    tell(
        image.timeline.untold as u64,
        "call paths over time",
        "there are too many: only the heaviest have their course kept, the others their sums",
    );
    let trouble = segment.header().trouble.load(std::sync::atomic::Ordering::Relaxed);
    for (bit, what, why) in [
        (Header::OTHER_MALLOC, "what another allocator gave", "the program does not call malloc for it"),
        (Header::NO_FIND_OBJECT, "frames of libraries loaded later", "this C library does not tell of them"),
        (Header::FULL, "some call paths", "there are more than a recording has room for"),
    ] {
        if trouble & bit != 0 {
            gaps.push(Gap::new(what, why));
        }
    }
    gaps
}

fn small(count: usize) -> u32 {
    count.try_into().expect("as many as the segment has nodes at most")
}
