use std::collections::{BTreeMap, HashMap};

use residue_model::{Address, Bytes, Counter, Region, Usage};
use serde::Serialize;

/// What of a region two maps are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRegion {
    /// Where it begins.
    pub start: Address,
    /// How far it reaches.
    pub size: Bytes,
    /// What it is used for.
    pub usage: Usage,
    /// Its name, empty for none.
    pub name: String,
    /// Resident.
    pub rss: Option<Bytes>,
    /// Swapped out.
    pub swap: Option<Bytes>,
    /// Committed, on Windows, where address space is reserved first.
    pub committed: Option<Bytes>,
}

impl From<&Region> for DiffRegion {
    fn from(region: &Region) -> DiffRegion {
        DiffRegion {
            start: region.range.start,
            size: region.size(),
            usage: region.usage,
            name: region.name().to_owned(),
            rss: region.counters.get(Counter::Rss),
            swap: region.counters.get(Counter::Swap),
            committed: region
                .pages
                .map(|pages| if pages.is_committed() { region.size() } else { Bytes::ZERO }),
        }
    }
}

/// What changed between two maps.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Diff {
    /// Sums by usage, largest change first; unchanged ones left out.
    pub by_usage: Vec<UsageChange>,
    /// Regions that came, went or changed, largest change first.
    pub regions: Vec<RegionChange>,
}

/// How the regions of one usage changed; later minus earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageChange {
    /// The usage.
    pub usage: Usage,
    /// Change of their number.
    pub regions: i64,
    /// Change of address space, in bytes.
    pub size: i64,
    /// Change of resident memory, in bytes.
    pub rss: Option<i64>,
    /// Change of swapped memory, in bytes.
    pub swap: Option<i64>,
    /// Change of committed memory, in bytes; on Windows only.
    pub committed: Option<i64>,
}

/// What happened to a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Stands only in the later map.
    New,
    /// Stood only in the earlier map.
    Gone,
    /// Stands in both, with another size or another part resident.
    Changed,
}

/// How one region changed; later minus earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionChange {
    /// What happened.
    pub change: Change,
    /// Where it begins.
    pub start: Address,
    /// What it is used for.
    pub usage: Usage,
    /// Its name, empty for none.
    pub name: String,
    /// Change of address space, in bytes.
    pub size: i64,
    /// Change of resident memory, in bytes.
    pub rss: Option<i64>,
}

impl Diff {
    /// Compares two maps of one process, or of two: then addresses differ and the sums by usage tell more.
    pub fn of(earlier: &[DiffRegion], later: &[DiffRegion]) -> Diff {
        let mut by_usage: Vec<UsageChange> = usage_changes(earlier, later);
        by_usage.retain(|change| {
            (change.regions, change.size) != (0, 0)
                || change.rss.unwrap_or(0) != 0
                || change.swap.unwrap_or(0) != 0
                || change.committed.unwrap_or(0) != 0
        });
        let weight =
            |change: &UsageChange| change.committed.or(change.rss).unwrap_or(change.size).unsigned_abs();
        by_usage.sort_by_key(|change| std::cmp::Reverse(weight(change)));
        let mut regions = region_changes(earlier, later);
        regions.sort_by_key(|change| {
            (
                std::cmp::Reverse(change.rss.unwrap_or(0).unsigned_abs().max(change.size.unsigned_abs())),
                change.start,
            )
        });
        Diff { by_usage, regions }
    }
}

#[derive(Default)]
struct Sum {
    regions: i64,
    size: Bytes,
    rss: Option<Bytes>,
    swap: Option<Bytes>,
    committed: Option<Bytes>,
}

fn sums(regions: &[DiffRegion]) -> BTreeMap<Usage, Sum> {
    let mut sums: BTreeMap<Usage, Sum> = BTreeMap::new();
    for region in regions {
        let sum = sums.entry(region.usage).or_default();
        sum.regions += 1;
        sum.size += region.size;
        sum.rss = plus(sum.rss, region.rss);
        sum.swap = plus(sum.swap, region.swap);
        sum.committed = plus(sum.committed, region.committed);
    }
    sums
}

fn plus(sum: Option<Bytes>, more: Option<Bytes>) -> Option<Bytes> {
    more.map_or(sum, |more| Some(sum.unwrap_or_default() + more))
}

fn usage_changes(earlier: &[DiffRegion], later: &[DiffRegion]) -> Vec<UsageChange> {
    let (before, after) = (sums(earlier), sums(later));
    // A usage that one map lacks is known to be nothing there, if the map knows resident sizes at all.
    let known = |value: fn(&DiffRegion) -> Option<Bytes>| {
        [earlier, later].iter().all(|regions| regions.iter().any(|region| value(region).is_some()))
    };
    let (rss_known, swap_known) = (known(|region| region.rss), known(|region| region.swap));
    let committed_known = known(|region| region.committed);
    let change = |usage: Usage| {
        let none = Sum::default();
        let (a, b) = (before.get(&usage).unwrap_or(&none), after.get(&usage).unwrap_or(&none));
        let delta = |known: bool, a: Option<Bytes>, b: Option<Bytes>| {
            known.then(|| b.unwrap_or_default().signed_since(a.unwrap_or_default()))
        };
        UsageChange {
            usage,
            regions: b.regions - a.regions,
            size: b.size.signed_since(a.size),
            rss: delta(rss_known, a.rss, b.rss),
            swap: delta(swap_known, a.swap, b.swap),
            committed: delta(committed_known, a.committed, b.committed),
        }
    };
    Usage::ALL.iter().map(|&usage| change(usage)).collect()
}

fn region_changes(earlier: &[DiffRegion], later: &[DiffRegion]) -> Vec<RegionChange> {
    let key = |region: &DiffRegion| (region.start, region.name.clone());
    let mut before: HashMap<_, &DiffRegion> = earlier.iter().map(|region| (key(region), region)).collect();
    let mut changes = Vec::new();
    for region in later {
        match before.remove(&key(region)) {
            None => changes.push(change(Change::New, None, Some(region), region)),
            Some(old) if old.size != region.size || differ(old.rss, region.rss) => {
                changes.push(change(Change::Changed, Some(old), Some(region), region));
            }
            Some(_) => {}
        }
    }
    changes.extend(before.into_values().map(|old| change(Change::Gone, Some(old), None, old)));
    changes
}

/// What one side does not know has not changed.
fn differ(old: Option<Bytes>, new: Option<Bytes>) -> bool {
    old.zip(new).is_some_and(|(old, new)| old != new)
}

fn change(
    change: Change,
    old: Option<&DiffRegion>,
    new: Option<&DiffRegion>,
    named: &DiffRegion,
) -> RegionChange {
    let size = |region: Option<&DiffRegion>| region.map_or(Bytes::ZERO, |region| region.size);
    let rss = |region: Option<&DiffRegion>| region.map_or(Some(Bytes::ZERO), |region| region.rss);
    RegionChange {
        change,
        start: named.start,
        usage: named.usage,
        name: named.name.clone(),
        size: size(new).signed_since(size(old)),
        rss: rss(new).zip(rss(old)).map(|(new, old)| new.signed_since(old)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: u64, size: u64, usage: Usage, rss: Option<u64>) -> DiffRegion {
        let rss = rss.map(Bytes);
        let start = Address(start);
        DiffRegion { start, size: Bytes(size), usage, name: String::new(), rss, swap: None, committed: None }
    }

    /// A heap of Windows grows inside of what it reserved: the same regions, the same size, and more of it committed.
    #[test]
    fn growth_inside_of_a_reservation_is_seen_by_what_is_committed() {
        let heap = |committed, rest| {
            let part = |start, size, committed| DiffRegion {
                committed: Some(Bytes(committed)),
                ..region(start, size, Usage::NtHeap, None)
            };
            [part(1, committed, committed), part(1 + committed, rest, 0)]
        };
        let diff = Diff::of(&heap(100, 900), &heap(400, 600));
        assert_eq!(diff.by_usage.len(), 1, "{diff:?}");
        let change = &diff.by_usage[0];
        assert_eq!((change.usage, change.size, change.committed), (Usage::NtHeap, 0, Some(300)));
    }

    #[test]
    fn what_came_went_and_grew_is_told_apart() {
        let earlier = [region(1, 100, Usage::Heap, Some(50)), region(2, 10, Usage::Memfd, Some(10))];
        let later = [region(1, 300, Usage::Heap, Some(250)), region(3, 40, Usage::Jit, Some(0))];
        let diff = Diff::of(&earlier, &later);
        let told: Vec<_> =
            diff.regions.iter().map(|change| (change.change, change.size, change.rss)).collect();
        assert_eq!(
            told,
            [(Change::Changed, 200, Some(200)), (Change::New, 40, Some(0)), (Change::Gone, -10, Some(-10))]
        );
        assert_eq!(diff.by_usage[0].usage, Usage::Heap);
        assert_eq!((diff.by_usage[0].size, diff.by_usage[0].rss), (200, Some(200)));
    }

    #[test]
    fn a_map_without_resident_sizes_gives_no_resident_change() {
        let diff = Diff::of(&[region(1, 100, Usage::Heap, None)], &[region(1, 300, Usage::Heap, Some(250))]);
        assert_eq!((diff.by_usage[0].rss, diff.regions[0].rss), (None, None));
    }

    #[test]
    fn what_one_map_does_not_know_has_not_changed() {
        let diff = Diff::of(&[region(1, 100, Usage::Heap, None)], &[region(1, 100, Usage::Heap, Some(50))]);
        assert!(diff.regions.is_empty(), "{:?}", diff.regions);
    }

    #[test]
    fn a_map_does_not_differ_from_itself() {
        let map = [region(1, 100, Usage::Heap, Some(1)), region(2, 10, Usage::Memfd, None)];
        let diff = Diff::of(&map, &map);
        assert!(diff.by_usage.is_empty() && diff.regions.is_empty());
    }
}
