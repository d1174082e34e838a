use std::collections::HashMap;
use std::fmt;

use residue_model::{Address, Backing, Bytes, Counter, Pages, Protection, Region, State, Usage};
use serde::Serialize;

use crate::FreeSpace;

/// The sum over regions that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// What they have in common, as documents name it.
    pub key: String,
    /// The same for people.
    pub label: String,
    /// How many.
    pub regions: u64,
    /// Address space.
    pub size: Bytes,
    /// The largest of them.
    pub largest: Bytes,
    /// Where that one begins.
    pub largest_at: Address,
    /// How much of them the dump holds; `None` of a live process.
    pub saved: Option<Bytes>,
    /// Part of all that is mapped or reserved, 0 to 1.
    pub share_of_mapped: f64,
    /// Part of the whole address space, 0 to 1.
    pub share_of_space: f64,
    /// Resident.
    pub rss: Option<Bytes>,
    /// Proportional.
    pub pss: Option<Bytes>,
    /// Unique.
    pub uss: Option<Bytes>,
    /// Swapped out.
    pub swap: Option<Bytes>,
}

/// The address space summed four ways; rows with most address space first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// By what regions are used for.
    pub by_usage: Vec<Row>,
    /// By what stands behind them.
    pub by_type: Vec<Row>,
    /// Mapped, reserved, free.
    pub by_state: Vec<Row>,
    /// By what may be done with them.
    pub by_protection: Vec<Row>,
    /// All of them.
    pub total: Row,
}

/// How many regions have exactly one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// The size.
    pub size: Bytes,
    /// How many regions have it.
    pub regions: u64,
    /// What they take together.
    pub total: Bytes,
}

impl Summary {
    /// Sums classified regions.
    pub fn of(regions: &[Region], free: &FreeSpace) -> Summary {
        let mut summary = Summary {
            by_usage: rows(
                regions,
                |region| region.usage,
                |usage: Usage| (usage.key().into(), usage.label().into()),
            ),
            by_type: rows(regions, Kind::of, |kind: Kind| (kind.key().into(), kind.label())),
            by_state: rows(regions, state_key, |key: &str| (key.into(), key.into())),
            by_protection: rows(regions, Permission::of, |permission: Permission| {
                (permission.to_string(), permission.to_string())
            }),
            total: row(regions.iter(), ("total".into(), "total".into())),
        };
        let is_windows = regions.first().is_some_and(|region| region.pages.is_some());
        summary.by_state.push(free_row(free, if is_windows { "MEM_FREE" } else { State::Free.key() }));
        summary.share(free.total);
        summary
    }

    fn share(&mut self, free: Bytes) {
        let mapped = self.total.size;
        let rows = [&mut self.by_usage, &mut self.by_type, &mut self.by_state, &mut self.by_protection];
        for row in rows.into_iter().flatten().chain([&mut self.total]) {
            let is_free = matches!(row.key.as_str(), "free" | "MEM_FREE");
            row.share_of_mapped = if is_free { 0.0 } else { row.size.share_of(mapped) };
            row.share_of_space = row.size.share_of(mapped + free);
        }
    }
}

impl Row {
    fn add(&mut self, region: &Region) {
        let is_first = self.regions == 0;
        self.regions += 1;
        self.size += region.size();
        if is_first || region.size() > self.largest {
            (self.largest, self.largest_at) = (region.size(), region.range.start);
        }
        let counters = &region.counters;
        for (sum, part) in [
            (&mut self.rss, counters.get(Counter::Rss)),
            (&mut self.pss, counters.get(Counter::Pss)),
            (&mut self.uss, counters.uss()),
            (&mut self.swap, counters.get(Counter::Swap)),
            (&mut self.saved, region.saved),
        ] {
            // Known only where every part is.
            *sum = if is_first { part } else { sum.zip(part).map(|(sum, part)| sum + part) };
        }
    }
}

fn row<'a>(regions: impl Iterator<Item = &'a Region>, (key, label): (String, String)) -> Row {
    let mut row = Row { key, label, ..Row::default() };
    for region in regions {
        row.add(region);
    }
    row
}

fn rows<K: Copy + Ord>(
    regions: &[Region],
    key_of: impl Fn(&Region) -> K,
    names: impl Fn(K) -> (String, String),
) -> Vec<Row> {
    let mut sums: Vec<(K, Row)> = Vec::new();
    let mut last = 0;
    for region in regions {
        let key = key_of(region);
        // Keys are few and neighbours are alike: no hashing for 60 000 regions.
        if sums.get(last).is_none_or(|(known, _)| *known != key) {
            last = sums.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                sums.push((key, Row::default()));
                sums.len() - 1
            });
        }
        sums[last].1.add(region);
    }
    sums.sort_by(|(a, x), (b, y)| y.size.cmp(&x.size).then(a.cmp(b)));
    let finish = |(key, row)| {
        let (key, label) = names(key);
        Row { key, label, ..row }
    };
    sums.into_iter().map(finish).collect()
}

/// What stands behind a region, in the terms of its system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Windows(&'static str),
    Neutral(Backing),
}

impl Kind {
    fn of(region: &Region) -> Kind {
        region.pages.map_or_else(|| Kind::Neutral(region.backing()), |pages| Kind::Windows(pages.kind_name()))
    }

    fn key(self) -> &'static str {
        match self {
            Kind::Windows(name) => name,
            Kind::Neutral(backing) => backing.key(),
        }
    }

    fn label(self) -> String {
        match self {
            Kind::Windows(name) => name.to_owned(),
            Kind::Neutral(backing) => words(backing.key()),
        }
    }
}

/// What may be done with a region, in the terms of its system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Permission {
    Windows(Pages),
    Neutral(Protection),
}

impl Permission {
    fn of(region: &Region) -> Permission {
        match region.pages {
            Some(pages) => Permission::Windows(Pages { kind: None, ..pages }),
            None => Permission::Neutral(region.protection),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permission::Windows(pages) => f.write_str(&pages.protection_name()),
            Permission::Neutral(protection) => protection.fmt(f),
        }
    }
}

fn state_key(region: &Region) -> &'static str {
    region.pages.map_or_else(|| region.state().key(), Pages::state_name)
}

/// Free space has no pages: what is known of it is its size.
fn free_row(free: &FreeSpace, key: &str) -> Row {
    Row {
        key: key.into(),
        label: key.into(),
        regions: free.ranges,
        size: free.total,
        largest: free.largest,
        largest_at: free.largest_at(),
        ..Row::default()
    }
}

fn words(key: &str) -> String {
    key.replace('_', " ")
}

impl Histogram {
    /// Exact sizes of all regions, most total first.
    pub fn of<'a>(regions: impl IntoIterator<Item = &'a Region>) -> Vec<Histogram> {
        let mut counts: HashMap<Bytes, u64> = HashMap::new();
        for region in regions {
            *counts.entry(region.size()).or_default() += 1;
        }
        let bin = |(size, regions): (Bytes, u64)| Histogram {
            size,
            regions,
            total: Bytes(size.0.saturating_mul(regions)),
        };
        let mut bins: Vec<Histogram> = counts.into_iter().map(bin).collect();
        bins.sort_by(|a, b| b.total.cmp(&a.total).then(b.size.cmp(&a.size)));
        bins
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use residue_model::{AddressSpace, Counters, NoMemory, Range, Snapshot};

    use super::*;
    use crate::classify;

    prop_compose! {
        fn any_regions()(parts in prop::collection::vec((1_u64..100, 0_u64..50, 0_usize..4, any::<bool>()), 0..60)) -> Vec<Region> {
            let mut at = 0x10000;
            parts.into_iter().map(|(pages, gap, letters, known)| {
                at += gap * 4096;
                let range = Range { start: Address(at), end: Address(at + pages * 4096) };
                at = range.end.0;
                let protection = Protection::from_letters([b"rw-p", b"r-xp", b"---p", b"rw-s"][letters]).expect("four letters");
                let mut counters = Counters::default();
                if known {
                    counters.set(Counter::Rss, Bytes(pages * 2048));
                }
                Region { range, protection, counters, ..Region::default() }
            }).collect()
        }
    }

    proptest! {
        /// Whatever the regions are, each way to sum them comes to the same whole, and with the free ranges they fill
        /// the address space.
        #[test]
        fn parts_sum_to_the_whole(regions in any_regions()) {
            let mut snapshot = Snapshot { regions, ..Snapshot::default() };
            classify(&mut snapshot, &NoMemory);
            let regions = snapshot.regions;
            let range = Range { start: Address(0x1000), end: Address(0x1000_0000) };
            let space = AddressSpace { bits: 64, range };
            let free = FreeSpace::of(&regions, space);
            let summary = Summary::of(&regions, &free);
            let size = |rows: &[Row]| rows.iter().map(|row| row.size).sum::<Bytes>();
            let rss = |rows: &[Row]| rows.iter().map(|row| row.rss).sum::<Option<Bytes>>();
            for rows in [&summary.by_usage, &summary.by_type, &summary.by_protection] {
                prop_assert_eq!(size(rows), summary.total.size);
                prop_assert_eq!(rss(rows), summary.total.rss.or(regions.is_empty().then_some(Bytes::ZERO)));
            }
            prop_assert_eq!(size(&summary.by_state), range.size());
            let histogram = Histogram::of(&regions);
            prop_assert_eq!(histogram.iter().map(|bin| bin.total).sum::<Bytes>(), summary.total.size);
            prop_assert_eq!(histogram.iter().map(|bin| bin.regions).sum::<u64>(), regions.len() as u64);
        }
    }

    #[test]
    fn nine_thousand_equal_regions_lead_the_histogram() {
        let region = |start: u64, size: u64| Region {
            range: Range { start: Address(start), end: Address(start + size) },
            ..Region::default()
        };
        let mut regions: Vec<Region> = (0..9000).map(|index| region(index << 20, 0x2_0000)).collect();
        regions.push(region(9001 << 20, 512 << 20));
        let histogram = Histogram::of(&regions);
        assert_eq!(
            histogram[0],
            Histogram { size: Bytes(0x2_0000), regions: 9000, total: Bytes(9000 * 0x2_0000) }
        );
    }

    #[test]
    fn what_no_region_knows_the_sum_does_not_know() {
        let regions = [Region::default()];
        let summary = Summary::of(&regions, &FreeSpace::default());
        assert_eq!((summary.total.rss, summary.total.swap), (None, None));
    }
}
