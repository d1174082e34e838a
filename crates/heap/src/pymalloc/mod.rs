//! Python's allocator for small blocks: arenas of pools of blocks of one size.
//!
//! Pools are found by their headers, at the multiples at which they must begin: five numbers of each must agree. Each
//! names its arena, and the list of arenas is the one in which every pool finds its own. Each pool counts its blocks, so
//! that the free list proves itself. Blocks of more than 512 bytes are those of the C library.
//! Source: Python `Objects/obmalloc.c`.

mod arenas;
mod pool;

use residue_model::{
    Address, Arena, ArenaKind, Blocks, Bytes, Damage, Gap, Heap, Identity, Range, Recognised, Run,
};

use crate::{HeapWalker, Image, Walked};
use arenas::Arenas;
use pool::{HEADER, LAYOUTS, Layout, Pool};

/// Walks the small blocks of Python.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pymalloc;

/// Pools begin at pages at least.
const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// Fewer pools than these are no interpreter: even an idle one has dozens.
const FEWEST: usize = 4;

impl HeapWalker for Pymalloc {
    fn walk(&self, image: &Image<'_>) -> Walked {
        let (layout, pools) = pools(image);
        if pools.len() < FEWEST {
            return Walked::default();
        }
        let heap = heap(layout, pools, image);
        let recognised = Recognised {
            name: "CPython".to_owned(),
            version: None,
            evidence: format!("{} pools of its small blocks agree with themselves", heap.blocks.runs().len()),
            walked: true,
            holds: heap.arenas.iter().flat_map(|arena| arena.extents.clone()).collect(),
        };
        Walked { heaps: vec![heap], recognised: vec![recognised], gaps: Vec::new() }
    }
}

/// All pools of the layout that has most, in order of address. One look at each page serves all layouts.
fn pools(image: &Image<'_>) -> (Layout, Vec<Pool>) {
    let mut found = LAYOUTS.map(|layout| (layout, Vec::new()));
    for (start, bytes) in image.anonymous().flat_map(|region| image.pieces.within(region.range)) {
        let end = start.0.saturating_add(bytes.len() as u64);
        let first = start.0.checked_next_multiple_of(PAGE).unwrap_or(end);
        for at in (first..end).step_by(PAGE_BYTES) {
            for (layout, pools) in &mut found {
                pools.extend(Pool::read(at, *layout, image));
            }
        }
    }
    found.into_iter().max_by_key(|(_, pools)| pools.len()).unwrap_or((LAYOUTS[0], Vec::new()))
}

/// What was counted over pools.
#[derive(Default)]
struct Tally {
    used_pools: u64,
    live: (u64, u64),
    free: (u64, u64),
    own: u64,
    largest_free: u64,
    counted: u64,
}

impl Tally {
    fn add(&mut self, pool: &Pool, layout: Layout) {
        let free = pool.capacity - pool.live;
        self.used_pools += 1;
        self.counted += pool.live;
        self.live = (self.live.0 + pool.live, self.live.1 + pool.live * pool.size);
        self.free = (self.free.0 + free, self.free.1 + free * pool.size);
        self.own += HEADER + (layout.pool - HEADER) % pool.size;
        if free > 0 {
            self.largest_free = self.largest_free.max(pool.size);
        }
    }
}

fn heap(layout: Layout, mut pools: Vec<Pool>, image: &Image<'_>) -> Heap {
    let mut gaps = Vec::new();
    let arenas = Arenas::find(&pools, layout, image);
    if arenas.is_none() {
        gaps.push(Gap::new(
            "the arenas of CPython",
            "no list explains the pools: some interpreter has its own",
        ));
    }
    // A pool in freed memory of another owner may still look like one.
    if let Some(arenas) = &arenas {
        let is_listed = |pool: &Pool| arenas.all[&pool.arena].range.contains(Address(pool.at));
        pools.retain(|pool| arenas.all.contains_key(&pool.arena) && is_listed(pool));
    }
    let mut tally = Tally::default();
    let mut damage = Vec::new();
    let runs: Vec<Run> = pools
        .iter()
        .filter(|pool| pool.live > 0)
        .map(|pool| {
            tally.add(pool, layout);
            let (run, live) = pool.blocks(image);
            damage.extend(apart(pool, live, layout));
            run
        })
        .collect();
    let metadata = arenas.iter().map(Arenas::range).collect();
    let identities = arenas.as_ref().map(|arenas| identity(arenas, &tally)).into_iter().collect();
    let arena = arena(arenas.as_ref(), &pools, &tally, layout);
    settle(&mut damage, &mut gaps);
    let (blocks, _) = Blocks::new(runs);
    Heap {
        allocator: "CPython pymalloc".to_owned(),
        layout: layout.versions.to_owned(),
        arenas: vec![arena],
        blocks,
        identities,
        damage,
        metadata,
        gaps,
        ..Heap::default()
    }
}

/// The free list of a pool says another number than its header.
fn apart(pool: &Pool, live: u64, layout: Layout) -> Option<Damage> {
    let off = live.abs_diff(pool.live);
    (off > 0).then(|| Damage {
        at: Address(pool.at),
        what: format!("a pool counts {} blocks, and its free list leaves {live}", pool.live),
        suspect: None,
        unwalked: Bytes(off.saturating_mul(pool.size).min(layout.pool)),
    })
}

/// One pool in which one block is apart is a thread inside of `malloc`: there is one at a time.
fn settle(damage: &mut Vec<Damage>, gaps: &mut Vec<Gap>) {
    if let [one] = &damage[..]
        && one.unwalked.0 <= 512
    {
        gaps.push(Gap::new(
            format!("one block of the pool at {}", one.at),
            "a thread was stopped while it took or gave back that block",
        ));
        damage.clear();
    }
}

/// Pools that hold blocks, against those that the list has neither free nor untouched.
fn identity(arenas: &Arenas, tally: &Tally) -> Identity {
    let used = arenas.all.values().map(|arena| arena.pools - arena.free_pools).sum();
    Identity { what: "pools with blocks".to_owned(), walked: tally.used_pools, stated: used }
}

fn arena(arenas: Option<&Arenas>, pools: &[Pool], tally: &Tally, layout: Layout) -> Arena {
    let extents: Vec<Range> = match arenas {
        Some(arenas) => {
            let mut extents: Vec<_> = arenas.all.values().map(|arena| arena.range).collect();
            extents.sort_by_key(|range| range.start);
            extents
        }
        None => pools
            .iter()
            .map(|pool| Range { start: Address(pool.at), end: Address(pool.at + layout.pool) })
            .collect(),
    };
    let system: u64 = extents.iter().map(|range| range.size().0).sum();
    let known = tally.used_pools * layout.pool;
    Arena {
        address: arenas.map_or_else(
            || extents.first().map_or(Address(0), |range| range.start),
            |arenas| Address(arenas.at),
        ),
        kind: ArenaKind::Main,
        system_bytes: Bytes(system),
        live_bytes: Bytes(tally.live.1),
        live_blocks: tally.live.0,
        free_bytes: Bytes(tally.free.1),
        free_blocks: tally.free.0,
        top_bytes: Bytes(system.saturating_sub(known)),
        own_bytes: Bytes(tally.own),
        largest_free: Bytes(tally.largest_free),
        extents,
        ..Arena::default()
    }
}
