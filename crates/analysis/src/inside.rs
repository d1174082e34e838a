//! What is in the memory that makes up a process: the populations that fill it, and whose heap it may be.

use std::ops::ControlFlow;

use residue_model::{Address, Bytes, Memory, Range, Region, State, Usage};
use serde::Serialize;

use crate::Map;
use crate::content::{
    Background, Contents, Encoding, Layout, Population, Runtime, Telling, examine, populations, runtimes,
};
use crate::search::{Encodings, Hits, Pattern};

/// What was found by looking into memory.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    /// What fills the most memory, most first.
    pub examined: Vec<Examined>,
    /// Runtimes that manage memory of their own.
    pub runtimes: Vec<Runtime>,
}

/// Memory of one kind, and what it holds.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What was looked into.
    pub subject: Subject,
    /// All of it.
    pub total: Bytes,
    /// That as a part of all committed memory, 0 to 1.
    pub share: f64,
    /// Where it begins and ends.
    pub range: Range,
    /// What it holds.
    pub contents: Contents,
    /// The strings of `contents`, counted in the whole dump; those of a live process are not.
    pub counted: Vec<Option<Occurrences>>,
}

/// What was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Regions of one size.
    Population {
        /// The size of each.
        size: Bytes,
        /// How many.
        members: u64,
        /// What they are used for.
        usage: Usage,
    },
    /// All regions of one usage, in pieces.
    Usage {
        /// The usage.
        usage: Usage,
        /// How many regions.
        regions: u64,
    },
}

impl Subject {
    /// Whether a region is part of it.
    fn holds(&self, region: &Region) -> bool {
        match self {
            Subject::Population { size, usage, .. } => region.size() == *size && region.usage == *usage,
            Subject::Usage { usage, .. } => region.usage == *usage,
        }
    }

    /// What it is used for.
    pub fn usage(&self) -> Usage {
        match *self {
            Subject::Population { usage, .. } | Subject::Usage { usage, .. } => usage,
        }
    }
}

/// How often a string stands in the whole dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Occurrences {
    /// How often.
    pub count: u64,
    /// In how many regions.
    pub regions: u64,
    /// How often outside of what was looked into.
    pub outside: u64,
    /// The lowest address.
    pub first: Address,
    /// The highest address.
    pub last: Address,
    /// How they spread over all memory of the dump, in equal parts.
    pub spread: Vec<u64>,
}

/// How much is examined and counted: a screen holds no more, and neither do ten seconds.
const SUBJECTS: usize = 3;
const COUNTED: usize = 3;
const SPREAD: usize = 40;
/// What is less of the committed memory than this explains nothing.
const LEAST_SHARE: f64 = 0.02;
/// Memory that is no population is looked into in pieces of this size, so many of them.
const PIECE: u64 = 64 << 10;
const PIECES: u64 = 512;

/// How thorough a look is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Samples only: a live process hardly notices.
    Sampled,
    /// Samples, and the telling strings counted in all memory.
    Counted,
}

impl Inside {
    /// Looks into what fills the memory of a target.
    ///
    /// `tick` is told of every step of the counting, and breaks to end it.
    pub fn of(
        map: &Map,
        memory: &dyn Memory,
        depth: Depth,
        threads: usize,
        tick: &mut dyn FnMut(Bytes) -> ControlFlow<()>,
    ) -> Inside {
        let layout = Layout::of_snapshot(&map.snapshot);
        let mut examined = by_population(map, memory, &layout);
        let explained: f64 = examined.iter().map(|one| one.share).sum();
        if depth == Depth::Counted && explained < 0.5 {
            examined.extend(by_usage(map, memory, &layout));
        }
        if depth == Depth::Counted {
            count(&mut examined, map, memory, threads, tick);
        }
        Inside { examined, runtimes: runtimes(&map.snapshot) }
    }
}

/// All memory that can be used as it stands.
pub(crate) fn committed(regions: &[Region]) -> Bytes {
    regions.iter().filter(|region| region.state() == State::Mapped).map(Region::size).sum()
}

fn by_population(map: &Map, memory: &dyn Memory, layout: &Layout) -> Vec<Examined> {
    let regions = &map.snapshot.regions;
    let all = committed(regions);
    let mut found = populations(regions);
    found.retain(|population| {
        population.total.share_of(all) >= LEAST_SHARE && population.readable > Bytes::ZERO
    });
    found.truncate(SUBJECTS);
    let background = Background::of(regions, &found, memory);
    let examined = |population: &Population| Examined {
        subject: Subject::Population {
            size: population.size,
            members: population.members,
            usage: regions[population.regions[0]].usage,
        },
        total: population.total,
        share: population.total.share_of(all),
        range: reach(regions, &population.regions),
        contents: examine(population, regions, memory, layout, &background),
        counted: Vec::new(),
    };
    found.iter().map(examined).collect()
}

fn reach(regions: &[Region], members: &[usize]) -> Range {
    let at = |index: Option<&usize>| index.map(|&index| regions[index].range).unwrap_or_default();
    Range { start: at(members.first()).start, end: at(members.last()).end }
}

/// The usage that dominates, where no population does: its regions in pieces are one.
fn by_usage(map: &Map, memory: &dyn Memory, layout: &Layout) -> Option<Examined> {
    let all = committed(&map.snapshot.regions);
    let is_part = |region: &&Region| {
        region.state() == State::Mapped && region.saved.is_none_or(|saved| saved > Bytes::ZERO)
    };
    let writable: Vec<&Region> = map
        .snapshot
        .regions
        .iter()
        .filter(|region| region.is_private_anonymous() && !matches!(region.usage, Usage::Image | Usage::Text))
        .filter(is_part)
        .collect();
    let usage = dominant(&writable)?;
    let chosen: Vec<&Region> = writable.into_iter().filter(|region| region.usage == usage).collect();
    let total: Bytes = chosen.iter().map(|region| region.size()).sum();
    if total.share_of(all) < LEAST_SHARE {
        return None;
    }
    let pieces = pieces(&chosen, total);
    let range = Range { start: chosen.first()?.range.start, end: chosen.last()?.range.end };
    let others = map.snapshot.regions.iter().filter(|region| region.usage != usage).cloned();
    let count = pieces.len();
    let regions: Vec<Region> = pieces.into_iter().chain(others).collect();
    let population = Population {
        size: Bytes(PIECE),
        protection: regions[0].protection,
        backing: regions[0].backing(),
        pages: regions[0].pages,
        members: total.0.div_ceil(PIECE),
        total,
        readable: total,
        regions: (0..count).collect(),
    };
    let background = Background::of(&regions, std::slice::from_ref(&population), memory);
    Some(Examined {
        subject: Subject::Usage { usage, regions: chosen.len() as u64 },
        total,
        share: total.share_of(all),
        range,
        contents: examine(&population, &regions, memory, layout, &background),
        counted: Vec::new(),
    })
}

/// The usage with most memory.
fn dominant(regions: &[&Region]) -> Option<Usage> {
    let size_of = |usage: &Usage| -> Bytes {
        regions.iter().filter(|region| region.usage == *usage).map(|region| region.size()).sum()
    };
    let usages: std::collections::BTreeSet<Usage> = regions.iter().map(|region| region.usage).collect();
    usages.into_iter().max_by_key(size_of)
}

/// Pieces evenly spread over the bytes of some regions.
fn pieces(regions: &[&Region], total: Bytes) -> Vec<Region> {
    let stride = (total.0 / PIECES).max(PIECE);
    let mut pieces = Vec::new();
    let mut skip = 0;
    for region in regions {
        let mut at = region.range.start.0.saturating_add(skip);
        while at < region.range.end.0 {
            let end = at.saturating_add(PIECE).min(region.range.end.0);
            let range = Range { start: Address(at), end: Address(end) };
            pieces.push(Region { range, ..(*region).clone() });
            at = at.saturating_add(stride);
        }
        skip = at.saturating_sub(region.range.end.0);
    }
    pieces
}

/// Counts the most telling strings everywhere, so that it shows how far what was seen in a sample goes.
fn count(
    examined: &mut [Examined],
    map: &Map,
    memory: &dyn Memory,
    threads: usize,
    tick: &mut dyn FnMut(Bytes) -> ControlFlow<()>,
) {
    let regions: Vec<&Region> = map
        .snapshot
        .regions
        .iter()
        .filter(|region| region.saved.is_none_or(|saved| saved > Bytes::ZERO))
        .collect();
    let mut left = COUNTED;
    for one in examined {
        let mut kept = Vec::new();
        for telling in std::mem::take(&mut one.contents.strings) {
            let counted = (left > 0)
                .then(|| occurrences(&telling, &one.subject, &regions, memory, threads, tick))
                .flatten();
            left = left.saturating_sub(1);
            // A sample of the rest may have missed it; the count does not.
            if counted.as_ref().is_none_or(|counted| counted.outside * 5 <= counted.count) {
                kept.push(telling);
                one.counted.push(counted);
            }
        }
        one.contents.strings = kept;
    }
}

fn occurrences(
    telling: &Telling,
    subject: &Subject,
    regions: &[&Region],
    memory: &dyn Memory,
    threads: usize,
    tick: &mut dyn FnMut(Bytes) -> ControlFlow<()>,
) -> Option<Occurrences> {
    let utf16 = telling.encoding != Encoding::Ascii;
    let pattern = Pattern::text(&telling.text, Encodings { ascii: !utf16, utf16 }, false).ok()?;
    let hits = Hits::search(memory, regions, &pattern, 0, threads, tick);
    Some(Occurrences {
        count: hits.count,
        regions: hits.regions.len() as u64,
        outside: hits
            .regions
            .iter()
            .filter(|hit| !subject.holds(regions[hit.region]))
            .map(|hit| hit.count)
            .sum(),
        first: hits.first()?,
        last: hits.last()?,
        spread: hits.spread(regions, SPREAD),
    })
    .filter(|_| !hits.interrupted)
}
