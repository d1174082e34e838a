//! What each arena has, added up, against what it says itself.

use std::collections::BTreeMap;

use residue_model::{Address, Arena, ArenaKind, Bytes, Gap, Identity, Range};

use super::arena::ArenaStructure;
use super::base::Bases;
use super::edata::{Edata, State};
use super::extent::Extent;
use super::ranges::extend;

/// The sums of all arenas.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    arenas: BTreeMap<u64, Sums>,
    held: Vec<Range>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    arena: Arena,
    active: u64,
    /// What is given out, thread caches counted, by usable size.
    allocated: u64,
    internal: u64,
    blocks_mapped: u64,
    base_mapped: u64,
    stated: Option<ArenaStructure>,
}

impl Summary {
    pub(super) fn new(bases: &Bases) -> Summary {
        let mut summary = Summary::default();
        for base in &bases.all {
            let sums = summary.arena(base.arena);
            sums.blocks_mapped = base.blocks.iter().map(|block| block.range.size()).sum::<Bytes>().0;
            sums.base_mapped = base.mapped;
            sums.arena.address = Address(base.address);
            sums.arena.system_bytes += Bytes(sums.blocks_mapped);
            sums.arena.own_bytes += Bytes(sums.blocks_mapped);
        }
        summary
    }

    fn arena(&mut self, number: u64) -> &mut Sums {
        self.arenas.entry(number).or_default()
    }

    /// What an arena says of itself.
    pub(super) fn tell(&mut self, number: u64, stated: &ArenaStructure) {
        let sums = self.arena(number);
        sums.arena.address = Address(stated.address);
        sums.stated = Some(stated.clone());
    }

    /// Adds pages, whatever they are used for.
    pub(super) fn pages(&mut self, edata: &Edata) {
        extend(&mut self.held, edata.pages);
        let size = edata.pages.size();
        let sums = self.arena(edata.arena);
        match edata.state {
            State::Retained => return,
            State::Active => sums.active += size.0,
            State::Dirty | State::Muzzy => {
                sums.arena.free(size, 1);
                sums.arena.trim_gain += size;
            }
        }
        sums.arena.system_bytes += size;
        extend(&mut sums.arena.extents, edata.pages);
    }

    /// Adds pages that are marked as used, and that no block was cut from.
    pub(super) fn unused(&mut self, edata: &Edata) {
        self.arena(edata.arena).arena.free(edata.pages.size(), 1);
    }

    /// A block that a thread keeps.
    pub(super) fn cached(&mut self, extent: &Extent) {
        let sums = self.arena(extent.arena);
        sums.allocated += extent.counted();
        sums.arena.cached_blocks += 1;
        sums.arena.cached_bytes += Bytes(extent.cost());
    }

    /// A block that jemalloc took for itself.
    pub(super) fn own(&mut self, extent: &Extent) {
        let sums = self.arena(extent.arena);
        sums.allocated += extent.counted();
        sums.internal += extent.size;
        sums.arena.own_bytes += Bytes(extent.cost());
    }

    /// Adds the live blocks of an extent; what is neither live, cached nor jemalloc's own is free.
    pub(super) fn add(&mut self, extent: &Extent) {
        let live = extent.live();
        let sums = self.arena(extent.arena);
        sums.allocated += live * extent.counted();
        sums.arena.live_blocks += live;
        sums.arena.live_bytes += Bytes(live * extent.cost());
        sums.arena.own_bytes += Bytes(extent.rest());
        if extent.free > 0 {
            sums.arena.free(Bytes(extent.size), extent.free);
        }
    }

    /// The arenas, the first one first.
    pub(super) fn arenas(&self) -> Vec<Arena> {
        let mut arenas: Vec<_> =
            self.arenas.iter().map(|(number, sums)| (*number, sums.arena.clone())).collect();
        for (number, arena) in &mut arenas {
            arena.kind = if *number == 0 { ArenaKind::Main } else { ArenaKind::Thread };
        }
        arenas.sort_by_key(|(number, arena)| (*number != 0, arena.address));
        arenas.into_iter().map(|(_, arena)| arena).collect()
    }

    /// All pages that belong to jemalloc's map.
    pub(super) fn held(&self) -> Vec<Range> {
        self.held.clone()
    }

    /// What was counted, against what jemalloc counts.
    pub(super) fn identities(&self) -> Vec<Identity> {
        let mut identities = Vec::new();
        let mut add = |number: u64, what: &str, walked: u64, stated: u64| {
            identities.push(Identity { what: format!("{what} of arena {number}"), walked, stated });
        };
        for (&number, sums) in &self.arenas {
            add(number, "bytes mapped for jemalloc itself", sums.blocks_mapped, sums.base_mapped);
            let Some(stated) = &sums.stated else { continue };
            add(number, "bytes of active pages", sums.active, stated.active_bytes);
            if let Some(allocated) = stated.allocated {
                add(number, "bytes allocated", sums.allocated, allocated);
            }
        }
        identities
    }

    /// Blocks that jemalloc took for itself and that are not known, such as those of its profiler, pass for live ones.
    pub(super) fn internal_gap(&self) -> Option<Gap> {
        let apart = |sums: &Sums| {
            let stated = sums.stated.as_ref()?.internal;
            Some(stated.saturating_sub(sums.internal))
        };
        let bytes: u64 = self.arenas.values().filter_map(apart).fold(0, u64::saturating_add);
        (bytes > 0).then(|| {
            Gap::new(
                format!("{} that jemalloc took for itself", Bytes(bytes)),
                "they count as blocks of the program",
            )
        })
    }
}

trait Free {
    fn free(&mut self, each: Bytes, count: u64);
}

impl Free for Arena {
    fn free(&mut self, each: Bytes, count: u64) {
        self.free_bytes += Bytes(each.0.saturating_mul(count));
        self.free_blocks += count;
        self.largest_free = self.largest_free.max(each);
    }
}
