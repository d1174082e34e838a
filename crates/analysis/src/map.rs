use residue_model::{Memory, NoMemory, Region, Snapshot};

use crate::{Allocation, FreeSpace, Histogram, Look, Reclaimable, RegionFilter, Summary, classify};

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
    /// What stands at the start of each region, in the same order; empty where memory was not looked into.
    pub looks: Vec<Look>,
}

impl Map {
    /// Classifies the regions of a snapshot and sums them.
    pub fn of(snapshot: Snapshot) -> Map {
        Map::seen(snapshot, &NoMemory)
    }

    /// The same with a look into memory: it knows the stacks and heaps of Windows, and what is in each region.
    pub fn with(snapshot: Snapshot, memory: &dyn Memory) -> Map {
        let mut map = Map::seen(snapshot, memory);
        map.looks = Look::at(&map.snapshot, memory);
        map
    }

    /// What was seen at the start of a region.
    pub fn look(&self, region: &Region) -> Option<&Look> {
        let start = |region: &Region| region.range.start;
        let index = self.snapshot.regions.binary_search_by_key(&start(region), start).ok()?;
        self.looks.get(index)
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

    fn seen(mut snapshot: Snapshot, memory: &dyn Memory) -> Map {
        classify(&mut snapshot, memory);
        let free = FreeSpace::of(&snapshot.regions, snapshot.space);
        Map {
            summary: Summary::of(&snapshot.regions, &free),
            allocations: Allocation::of(&snapshot.regions),
            histogram: Histogram::of(&snapshot.regions),
            reclaimable: Reclaimable::of(&snapshot.regions),
            looks: Vec::new(),
            free,
            snapshot,
        }
    }
}
