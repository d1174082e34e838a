use residue_model::Snapshot;

use crate::{FreeSpace, Histogram, Reclaimable, Summary, classify};

/// One address space, understood.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// What was read; its regions are classified.
    pub snapshot: Snapshot,
    /// Sums by usage, type, state and protection.
    pub summary: Summary,
    /// Exact sizes, most total first.
    pub histogram: Vec<Histogram>,
    /// Holes.
    pub free: FreeSpace,
    /// What the kernel could take back.
    pub reclaimable: Reclaimable,
}

impl Map {
    /// Classifies the regions of a snapshot and sums them.
    pub fn of(mut snapshot: Snapshot) -> Map {
        classify(&mut snapshot.regions, &snapshot.threads, snapshot.space.bits);
        let free = FreeSpace::of(&snapshot.regions, snapshot.space);
        Map {
            summary: Summary::of(&snapshot.regions, &free),
            histogram: Histogram::of(&snapshot.regions),
            reclaimable: Reclaimable::of(&snapshot.regions),
            free,
            snapshot,
        }
    }
}
