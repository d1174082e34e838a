//! What is worth a person's time, with the numbers that say so.

use std::collections::BTreeMap;

use residue_model::{Address, Bytes, Counter, Event, Limit, Region, Snapshot, State, Usage};
use serde::Serialize;

use crate::content::Runtime;
use crate::growth::{Class, Signal, Verdict, VerdictKind};
use crate::inside::committed;
use crate::{Examined, FreeSpace, Histogram, Inside, Map, Subject};

/// How urgent a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It will fail, or fails already.
    Critical,
    /// It costs, or may fail.
    Warning,
    /// Good to know.
    Info,
}

/// Something worth knowing about one process.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How urgent.
    pub severity: Severity,
    /// What, with its numbers.
    pub evidence: Evidence,
}

/// What was found, with its numbers. How it reads is the report's business.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the numbers that each line names")]
pub enum Evidence {
    /// Memory grows.
    Growth { kind: VerdictKind, signal: Signal, rate_per_hour: f64, span_seconds: f64 },
    /// Thousands of regions of exactly one size, and what is in them where that was looked at.
    EqualRegions { bin: Histogram, usage: Usage, share: f64, examined: Option<Box<Examined>> },
    /// One usage has most of the memory of a dump.
    Dominant { usage: Usage, size: Bytes, regions: u64, share: f64, examined: Option<Box<Examined>> },
    /// A runtime manages memory of its own.
    Managed { runtimes: Vec<Runtime> },
    /// What ended the process that left a dump.
    Ended { event: Event, look_at: Option<Address> },
    /// Much address space is free, none of it in one piece.
    Fragmented { free: FreeSpace, bits: u8, is_derived: bool },
    /// Address space runs out: a 32-bit process near its end.
    Exhausted { free: Bytes, space: Bytes, is_derived: bool },
    /// Regions near `vm.max_map_count`: `mmap` and `malloc` will fail there.
    RegionCount { regions: u64, limit: u64 },
    /// Memory near a limit.
    NearLimit { limit: Limit, used: Bytes },
    /// A part of it is swapped out.
    SwappedOut { swap: Bytes, private: Bytes },
    /// A large part is shared memory.
    SharedMemory { rss: Bytes, share: f64, regions: u64 },
    /// Files that were deleted are still mapped.
    DeletedFiles { regions: u64, rss: Bytes, size: Bytes, names: Vec<String> },
}

impl Evidence {
    /// The name in documents.
    pub fn id(&self) -> &'static str {
        match self {
            Evidence::Growth { .. } => "growth",
            Evidence::EqualRegions { .. } => "equal_regions",
            Evidence::Dominant { .. } => "dominant_usage",
            Evidence::Managed { .. } => "managed_runtime",
            Evidence::Ended { .. } => "ended_by",
            Evidence::Fragmented { .. } => "address_space_fragmented",
            Evidence::Exhausted { .. } => "address_space_exhausted",
            Evidence::RegionCount { .. } => "region_count",
            Evidence::NearLimit { .. } => "near_limit",
            Evidence::SwappedOut { .. } => "swapped_out",
            Evidence::SharedMemory { .. } => "shared_memory",
            Evidence::DeletedFiles { .. } => "deleted_files",
        }
    }
}

/// Everything worth knowing, most urgent first.
pub fn findings(map: &Map, verdict: Option<&Verdict>, inside: &Inside) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(verdict.and_then(growth));
    findings.extend(equal_regions(map, inside));
    findings.extend(ended(map));
    findings.extend(dominant(map, inside));
    findings.extend(fragmented(map));
    findings.extend(exhausted(map));
    findings.extend(region_count(map));
    findings.extend(map.snapshot.limits.memory.iter().filter_map(near_limit));
    findings.extend(swapped_out(map));
    findings.extend(shared_memory(map));
    findings.extend(deleted_files(map));
    findings.extend(managed(inside));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn growth(verdict: &Verdict) -> Option<Finding> {
    let severity = match verdict.kind {
        VerdictKind::LikelyLeak
            if verdict.confidence >= 0.65
                && verdict.forecast.as_ref().is_some_and(|it| it.low_seconds < 3600.0) =>
        {
            Severity::Critical
        }
        VerdictKind::LikelyLeak => Severity::Warning,
        VerdictKind::Step => Severity::Info,
        _ => return None,
    };
    let span_seconds = verdict.line.map_or(0.0, |[from, to]| to.0 - from.0);
    let rate_per_hour = verdict.rate?.estimate;
    Some(Finding {
        severity,
        evidence: Evidence::Growth {
            kind: verdict.kind,
            signal: verdict.signal,
            rate_per_hour,
            span_seconds,
        },
    })
}

/// Private memory that a program writes to; where a dump does not tell what it may do, it is taken for that.
fn is_own_memory(region: &Region) -> bool {
    let is_known = region.pages.is_none_or(|pages| pages.protect.is_some());
    let is_image = matches!(region.usage, Usage::Image | Usage::Stack | Usage::Stack32 | Usage::Stack64);
    region.is_private_anonymous() && !is_image && (region.protection.write || !is_known)
}

/// A population: many regions of one size that together make up much of the writable memory.
fn equal_regions(map: &Map, inside: &Inside) -> Option<Finding> {
    let regions: Vec<&Region> = map.snapshot.regions.iter().filter(|region| is_own_memory(region)).collect();
    let whole: Bytes = regions.iter().map(|region| region.size()).sum();
    let bins = Histogram::of(regions.iter().copied());
    let bin = *bins
        .iter()
        .find(|bin| bin.regions >= 1000 || bin.regions >= 200 && bin.total.share_of(whole) > 0.25)?;
    let usage = regions.iter().find(|region| region.size() == bin.size)?.usage;
    let share = bin.total.share_of(whole);
    let severity = if share > 0.25 { Severity::Warning } else { Severity::Info };
    let is_same = |one: &&Examined| matches!(one.subject, Subject::Population { size, usage: its, .. } if size == bin.size && its == usage);
    let examined = inside.examined.iter().find(is_same).cloned().map(Box::new);
    Some(Finding { severity, evidence: Evidence::EqualRegions { bin, usage, share, examined } })
}

/// Of a dump, which shows no growth: where most of its memory is.
fn dominant(map: &Map, inside: &Inside) -> Option<Finding> {
    map.snapshot.dump.as_ref()?;
    let is_committed = |region: &&Region| region.state() == State::Mapped;
    let mut sums: BTreeMap<Usage, (Bytes, u64)> = BTreeMap::new();
    for region in map.snapshot.regions.iter().filter(is_committed) {
        let sum = sums.entry(region.usage).or_default();
        *sum = (sum.0 + region.size(), sum.1 + 1);
    }
    // Programs and files are there from the start: they explain no growth.
    sums.retain(|usage, _| !matches!(Class::of(*usage), Class::Files));
    let (&usage, &(size, regions)) = sums.iter().max_by_key(|(_, (size, _))| *size)?;
    let share = size.share_of(committed(&map.snapshot.regions));
    let is_same = |one: &&Examined| matches!(one.subject, Subject::Usage { usage: its, .. } if its == usage);
    let examined = inside.examined.iter().find(is_same).cloned().map(Box::new);
    let evidence = Evidence::Dominant { usage, size, regions, share, examined };
    (share > 0.4).then_some(Finding { severity: Severity::Info, evidence })
}

fn managed(inside: &Inside) -> Option<Finding> {
    let runtimes = inside.runtimes.clone();
    (!runtimes.is_empty())
        .then_some(Finding { severity: Severity::Info, evidence: Evidence::Managed { runtimes } })
}

fn ended(map: &Map) -> Option<Finding> {
    let event = map.snapshot.dump.as_ref()?.event.clone().filter(|event| !event.is_stop())?;
    let Snapshot { regions, threads, .. } = &map.snapshot;
    let is_held = |region: &Region| region.saved.is_none_or(|saved| saved > Bytes::ZERO);
    let holds =
        |address: &Address| regions.iter().any(|region| region.range.contains(*address) && is_held(region));
    let stack = || threads.iter().find(|thread| Some(thread.tid) == event.thread)?.stack_pointer;
    // The address of a fault is often in no region; what led there stands on the stack.
    let look_at = event.address.filter(holds).or_else(|| stack().filter(holds));
    Some(Finding { severity: Severity::Info, evidence: Evidence::Ended { event, look_at } })
}

fn fragmented(map: &Map) -> Option<Finding> {
    let bits = map.snapshot.space.bits;
    // Holes that may be reserved memory are no proof.
    let is_derived = map.snapshot.is_derived();
    let is_small = map.free.largest < Bytes::mib(64) && !is_derived;
    let severity = if is_small { Severity::Critical } else { Severity::Warning };
    let free = || FreeSpace { all: Vec::new(), ..map.free.clone() };
    map.free
        .is_crumbled()
        .then(|| Finding { severity, evidence: Evidence::Fragmented { free: free(), bits, is_derived } })
}

fn exhausted(map: &Map) -> Option<Finding> {
    let space = map.snapshot.space.range.size();
    let share = map.free.total.share_of(space);
    let severity = if share < 0.1 { Severity::Critical } else { Severity::Warning };
    let is_derived = map.snapshot.is_derived();
    let is_short = map.snapshot.space.bits == 32 && share < 0.25;
    is_short.then_some(Finding {
        severity,
        evidence: Evidence::Exhausted { free: map.free.total, space, is_derived },
    })
}

fn region_count(map: &Map) -> Option<Finding> {
    let regions = map.snapshot.regions.len() as u64;
    let limit = map.snapshot.limits.max_map_count?;
    let share = regions as f64 / limit.max(1) as f64;
    let severity = if share > 0.9 { Severity::Critical } else { Severity::Warning };
    (share > 0.5).then_some(Finding { severity, evidence: Evidence::RegionCount { regions, limit } })
}

fn near_limit(limit: &Limit) -> Option<Finding> {
    let used = limit.used?;
    let share = used.share_of(limit.limit);
    let severity = if share > 0.95 { Severity::Critical } else { Severity::Warning };
    (share > 0.8).then(|| Finding { severity, evidence: Evidence::NearLimit { limit: limit.clone(), used } })
}

fn swapped_out(map: &Map) -> Option<Finding> {
    let footprint = &map.snapshot.process.footprint;
    let (swap, private) = (footprint.swap?, footprint.private()?);
    let share = swap.share_of(private);
    let severity = if share > 0.5 { Severity::Warning } else { Severity::Info };
    let matters = swap >= Bytes::mib(16) && share > 0.05;
    matters.then_some(Finding { severity, evidence: Evidence::SwappedOut { swap, private } })
}

fn shared_memory(map: &Map) -> Option<Finding> {
    let is_shared =
        |usage| matches!(usage, Usage::SysvShm | Usage::PosixShm | Usage::Memfd | Usage::SharedAnonymous);
    let shared: Vec<&Region> = map.snapshot.regions.iter().filter(|region| is_shared(region.usage)).collect();
    let rss: Bytes = shared.iter().filter_map(|region| region.counters.get(Counter::Rss)).sum();
    let share = rss.share_of(map.snapshot.process.footprint.rss?);
    let regions = shared.len() as u64;
    (rss >= Bytes::mib(64) && share > 0.3).then_some(Finding {
        severity: Severity::Info,
        evidence: Evidence::SharedMemory { rss, share, regions },
    })
}

fn deleted_files(map: &Map) -> Option<Finding> {
    // Shared memory is made of unlinked files by design.
    let is_file = |usage| {
        matches!(usage, Usage::Text | Usage::Rodata | Usage::Data | Usage::MappedFile | Usage::PosixShm)
    };
    let deleted: Vec<&Region> =
        map.snapshot.regions.iter().filter(|region| region.deleted && is_file(region.usage)).collect();
    if deleted.is_empty() {
        return None;
    }
    let mut names: Vec<String> = deleted.iter().map(|region| region.name().to_owned()).collect();
    names.sort();
    names.dedup();
    let evidence = Evidence::DeletedFiles {
        regions: deleted.len() as u64,
        rss: deleted.iter().filter_map(|region| region.counters.get(Counter::Rss)).sum(),
        size: deleted.iter().map(|region| region.size()).sum(),
        names,
    };
    Some(Finding { severity: Severity::Info, evidence })
}

#[cfg(test)]
mod tests {
    use residue_model::{AddressSpace, LimitKind, Limits, Protection, Range};

    use super::*;

    fn writable(start: u64, size: u64) -> Region {
        Region {
            range: Range { start: Address(start), end: Address(start + size) },
            protection: Protection { read: true, write: true, ..Protection::default() },
            ..Region::default()
        }
    }

    fn map(regions: Vec<Region>, limits: Limits) -> Map {
        let range = Range { start: Address(0x1000), end: Address(0x7fff_ffff_f000) };
        Map::of(Snapshot { regions, limits, space: AddressSpace { bits: 64, range }, ..Snapshot::default() })
    }

    fn ids(map: &Map) -> Vec<(&'static str, Severity)> {
        findings(map, None, &Inside::default())
            .iter()
            .map(|finding| (finding.evidence.id(), finding.severity))
            .collect()
    }

    #[test]
    fn nine_thousand_regions_of_128_kib_are_found_without_a_hint() {
        let regions = (0..9000).map(|index| writable(0x10_0000 + index * 0x4_0000, 0x2_0000)).collect();
        let map = map(regions, Limits { max_map_count: Some(65_530), ..Limits::default() });
        let found = findings(&map, None, &Inside::default());
        let Evidence::EqualRegions { bin, share, .. } = &found[0].evidence else { panic!("{found:?}") };
        assert_eq!((bin.size, bin.regions), (Bytes(0x2_0000), 9000));
        assert!(*share > 0.99);
    }

    #[test]
    fn the_most_urgent_comes_first() {
        let limit = Limit {
            kind: LimitKind::Cgroup,
            limit: Bytes::mib(100),
            used: Some(Bytes::mib(85)),
            source: "/sys/fs/cgroup/x".into(),
        };
        let regions =
            (0..600).map(|index| writable(0x10_0000 + index * 0x10_0000, 0x1000 + index * 0x1000)).collect();
        let map = map(regions, Limits { memory: vec![limit], max_map_count: Some(620) });
        assert_eq!(ids(&map), [("region_count", Severity::Critical), ("near_limit", Severity::Warning)]);
    }

    #[test]
    fn a_quiet_process_has_no_findings() {
        assert_eq!(ids(&map(vec![writable(0x10_0000, 0x1000)], Limits::default())), []);
    }
}
