//! jemalloc 5.3, of any build for 64 bits with pages of 4 KiB: Debian's libjemalloc2, the copy that Redis brings.
//!
//! From blocks of its own memory ([`base`]) to the first arena's base, from there to the map of all extents ([`emap`]),
//! whose slabs tell live blocks from free ones; thread caches ([`tcache`]) take theirs off, and the arenas' own counters
//! ([`arena`]) prove the walk. No symbol is used. Layouts and what was refused: `docs/design/jemalloc-walking.md`.

mod arena;
mod base;
mod bins;
mod edata;
mod emap;
mod extent;
mod harm;
mod layout;
mod ranges;
mod summary;
mod tcache;
mod tree;

use residue_model::{Blocks, Gap, Heap, Parameter, Range, Recognised};

use self::arena::ArenaStructure;
use self::base::Bases;
use self::bins::Bin;
use self::edata::State;
use self::emap::Emap;
use self::extent::Extent;
use self::harm::Harm;
use self::layout::Quantum;
use self::summary::Summary;
use self::tcache::Cache;
use self::tree::Shape;
use crate::{HeapWalker, Image, Walked};

/// Walks the heap of jemalloc 5.3.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jemalloc;

impl HeapWalker for Jemalloc {
    fn walk(&self, image: &Image<'_>) -> Walked {
        let bases = Bases::find(image);
        let mut harm = Harm::default();
        let Some(quantum) = bases.quantum else {
            return bases.foreign.map_or_else(Walked::default, |at| {
                refused(
                    format!("a block of jemalloc's own memory at {at}"),
                    "it is of another version than 5.3",
                )
            });
        };
        match Emap::find(image, &bases, &mut harm) {
            Some(emap) => Walk::new(image, &bases, quantum, &emap, harm).finish(),
            None => refused(
                format!("{} blocks of jemalloc's own memory", bases.blocks().len()),
                "its map of extents was not found: it is built in a way that is not known, or its data is not held",
            ),
        }
    }
}

/// jemalloc is there, and its blocks cannot be told.
fn refused(evidence: String, why: &str) -> Walked {
    Walked {
        recognised: vec![Recognised { name: "jemalloc".into(), evidence, ..Recognised::default() }],
        gaps: vec![Gap::new("blocks of jemalloc", why)],
        ..Walked::default()
    }
}

/// One walk.
struct Walk<'a> {
    image: &'a Image<'a>,
    bases: &'a Bases,
    quantum: Quantum,
    emap: &'a Emap,
    harm: Harm,
    /// What blocks are cut from, in order of address.
    extents: Vec<Extent>,
    bins: Option<Vec<Bin>>,
    arenas: Vec<ArenaStructure>,
    caches: Vec<Cache>,
    summary: Summary,
}

impl<'a> Walk<'a> {
    fn new(image: &'a Image<'a>, bases: &'a Bases, quantum: Quantum, emap: &'a Emap, harm: Harm) -> Walk<'a> {
        let summary = Summary::new(bases);
        let (extents, arenas, caches) = (Vec::new(), Vec::new(), Vec::new());
        let bins = bins::find(image, emap.root(), quantum);
        Walk { image, bases, quantum, emap, harm, extents, bins, arenas, caches, summary }
    }

    fn finish(mut self) -> Walked {
        self.read_extents();
        let found = |base| ArenaStructure::find(self.image, base, self.quantum, self.bins.as_deref());
        let arenas: Vec<_> = self.bases.all.iter().map(|base| (base.arena, found(base))).collect();
        for (number, arena) in arenas {
            if let Some(arena) = arena {
                self.read_caches(&arena);
                self.summary.tell(number, &arena);
                self.arenas.push(arena);
            }
        }
        self.extents.iter().for_each(|extent| self.summary.add(extent));
        self.heap()
    }

    fn read_extents(&mut self) {
        let sizes = self.quantum.sizes();
        let (mut cut, mut extents) = (Harm::default(), Vec::new());
        let summary = &mut self.summary;
        self.emap.extents(self.image, self.bases, &mut self.harm, |edata| {
            summary.pages(&edata);
            if edata.state != State::Active {
                return;
            }
            match Extent::of(&edata, &sizes, &mut cut) {
                Some(extent) => extents.push(extent),
                None => summary.unused(&edata),
            }
        });
        self.harm.join(cut);
        self.extents = extents;
    }

    /// Takes off what thread caches keep, and what they are kept in.
    fn read_caches(&mut self, arena: &ArenaStructure) {
        for slow in tcache::ring(self.image, arena, self.quantum, &mut self.harm) {
            let (extents, summary) = (&mut self.extents, &mut self.summary);
            let cache = Cache::read(self.image, self.quantum, slow, &mut self.harm, |block, class| {
                let extent = extent_of(extents, block).ok_or("a thread cache keeps what is no block")?;
                extent.take(block, class)?;
                summary.cached(extent);
                Ok(())
            });
            let Some(cache) = cache else { continue };
            if let Some(extent) = extent_of(extents, cache.stacks)
                && extent.own(cache.stacks)
            {
                summary.own(extent);
            }
            self.caches.push(cache);
        }
    }

    fn heap(self) -> Walked {
        let mut gaps = Vec::new();
        if self.arenas.len() < self.bases.all.len() {
            gaps.push(Gap::new(
                "thread caches and counters of some arenas of jemalloc",
                "their structures are not where this layout has them: blocks that threads keep ready may count as live",
            ));
        } else if self.caches.is_empty() {
            gaps.push(Gap::new(
                "thread caches of jemalloc",
                "none is there: if they are not turned off, blocks that threads keep ready count as live",
            ));
        }
        if self.bases.is_doubled {
            gaps.push(Gap::new(
                "blocks of a second jemalloc",
                "the process has more than one; only one was walked",
            ));
        }
        if self.bins.is_none() {
            gaps.push(Gap::new(
                "jemalloc's count of allocated bytes",
                "the table of its slabs was not found: the walk is not compared with it",
            ));
        }
        gaps.extend(self.summary.internal_gap());
        let metadata = self.metadata();
        let identities = self.summary.identities();
        let parameters = parameters(self.quantum, &self.caches);
        let held = self.summary.held();
        let (blocks, refused) = Blocks::new(self.extents.iter().map(Extent::run).collect());
        debug_assert!(refused.is_empty(), "the map gives extents in order");
        let heap = Heap {
            allocator: "jemalloc 5.3".into(),
            layout: self.layout(),
            arenas: self.summary.arenas(),
            blocks,
            mallinfo: None,
            parameters,
            identities,
            damage: self.harm.into_places(),
            is_partial: false,
            metadata,
            gaps,
        };
        let recognised = Recognised {
            name: "jemalloc".into(),
            version: Some("5.3".into()),
            evidence: format!("its map of extents at {}", self.emap.root().start),
            walked: true,
            holds: held,
        };
        Walked { heaps: vec![heap], recognised: vec![recognised], gaps: Vec::new() }
    }

    /// What differs between builds: where blocks begin, and how many bits of an address the map tells apart.
    fn layout(&self) -> String {
        let bits = match self.emap.shape() {
            Shape::Narrow => 48,
            Shape::Wide => 57,
        };
        format!("5.3.0, quantum {}, addresses of {bits} bits", self.quantum.bytes())
    }

    /// Base blocks, the root of the map, thread caches and their stacks.
    fn metadata(&self) -> Vec<Range> {
        let blocks = self.bases.blocks().iter().map(|block| block.range);
        let caches = self.caches.iter().flat_map(|cache| [cache.slow, cache.fast]);
        let stacks = self.caches.iter().filter_map(|cache| {
            let index = self.extents.partition_point(|extent| extent.pages.end.0 <= cache.stacks);
            self.extents.get(index).map(|extent| extent.block_at(cache.stacks))
        });
        let mut ranges: Vec<_> = blocks.chain(caches).chain(stacks).chain([self.emap.root()]).collect();
        ranges.sort();
        ranges::merge(ranges)
    }
}

fn extent_of(extents: &mut [Extent], block: u64) -> Option<&mut Extent> {
    let index = extents.partition_point(|extent| extent.pages.end.0 <= block);
    extents.get_mut(index).filter(|extent| extent.pages.start.0 <= block)
}

/// How it is built and set up.
fn parameters(quantum: Quantum, caches: &[Cache]) -> Vec<Parameter> {
    let sizes = quantum.sizes();
    let largest = caches.iter().map(|cache| cache.bins).max().and_then(|bins| bins.checked_sub(1));
    let largest = largest.and_then(|class| sizes.get(usize::try_from(class).ok()?).copied());
    let told = [("arenas.quantum", Some(quantum.bytes()), 16), ("arenas.tcache_max", largest, 32 << 10)];
    told.into_iter()
        .filter_map(|(name, value, default)| Some(Parameter { name, value: value?, default: Some(default) }))
        .collect()
}

/// So many words, the lowest byte first.
fn words<const COUNT: usize>(bytes: &[u8]) -> Option<[u64; COUNT]> {
    let (words, _) = bytes.as_chunks::<8>();
    let words: &[[u8; 8]; COUNT] = words.first_chunk()?;
    Some(words.map(u64::from_le_bytes))
}
