use std::collections::HashMap;

use residue_model::{Address, Memory, NoMemory, Region, Snapshot};

use crate::{
    Allocation, FreeSpace, Histogram, Look, Reclaimable, RegionFilter, RegionOrder, Summary, classify,
};

/// One address space, understood.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// What was read; its regions are classified.
    pub snapshot: Snapshot,
    /// Sums by usage, type, state and protection.
    pub summary: Summary,
    /// What was reserved together, in order of address.
    pub allocations: Vec<Allocation>,
    /// Exact sizes, most total first.
    pub histogram: Vec<Histogram>,
    /// Holes.
    pub free: FreeSpace,
    /// What the kernel could take back.
    pub reclaimable: Reclaimable,
    /// What stands at the start of regions that were looked into, by where they begin.
    looks: HashMap<Address, Look>,
}

/// Which regions are shown.
#[derive(Clone, Debug, Default)]
pub struct RegionView {
    /// Which pass.
    pub filter: RegionFilter,
    /// In which order.
    pub order: RegionOrder,
    /// At most so many; all for `None`.
    pub top: Option<usize>,
}

/// Regions that a view shows.
#[derive(Clone, Debug)]
pub struct Chosen<'a> {
    /// These.
    pub regions: Vec<&'a Region>,
    /// How many pass the filter.
    pub passed: usize,
}

impl Map {
    /// Classifies the regions of a snapshot and sums them.
    pub fn of(snapshot: Snapshot) -> Map {
        Map::with(snapshot, &NoMemory)
    }

    /// Looks into the regions that a view shows: they know what is in them then.
    pub fn look_into(&mut self, view: &RegionView, memory: &dyn Memory) {
        let looks = Look::into(&self.snapshot, &self.chosen(view).regions, memory);
        self.looks.extend(looks);
    }

    /// What was seen at the start of a region, if it was looked into.
    pub fn look(&self, region: &Region) -> Option<&Look> {
        self.looks.get(&region.range.start)
    }

    /// The regions that a view shows, in its order.
    pub fn chosen(&self, view: &RegionView) -> Chosen<'_> {
        let mut regions: Vec<&Region> =
            self.snapshot.regions.iter().filter(|region| view.filter.accepts(region)).collect();
        view.order.sort(&mut regions);
        let passed = regions.len();
        regions.truncate(view.top.unwrap_or(passed));
        Chosen { regions, passed }
    }

    /// The allocations with any region that a filter accepts.
    pub fn allocations_of(&self, filter: &RegionFilter) -> Vec<&Allocation> {
        let mut regions = self.snapshot.regions.as_slice();
        let mut chosen = Vec::new();
        for allocation in &self.allocations {
            let (its, rest) =
                regions.split_at(usize::try_from(allocation.blocks).unwrap_or(0).min(regions.len()));
            regions = rest;
            if its.iter().any(|region| filter.accepts(region)) {
                chosen.push(allocation);
            }
        }
        chosen
    }

    /// The same with memory, which knows the stacks and heaps of Windows.
    pub fn with(mut snapshot: Snapshot, memory: &dyn Memory) -> Map {
        classify(&mut snapshot, memory);
        let free = FreeSpace::of(&snapshot.regions, snapshot.space);
        Map {
            summary: Summary::of(&snapshot.regions, &free),
            allocations: Allocation::of(&snapshot.regions),
            histogram: Histogram::of(&snapshot.regions),
            reclaimable: Reclaimable::of(&snapshot.regions),
            looks: HashMap::new(),
            free,
            snapshot,
        }
    }
}
