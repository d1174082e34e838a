//! One libc's heap, put together from its arenas, caches and mapped blocks.

use std::collections::BTreeMap;

use residue_model::{
    Address, Arena, ArenaKind, Blocks, Bytes, Damage, Gap, Heap, Identity, Mallinfo, Range, Run,
};

use super::bins::{self, Listed};
use super::layout::{Key, chunk, heap_info};
use super::locate::{self, Ring};
use super::mapped::{self, Form, Mapped};
use super::settings;
use super::stretches;
use super::tcache;
use super::walk::{self, Stretch, Sum, Walk};
use crate::Image;

/// An arena while it is read.
pub(super) struct Reading {
    pub(super) at: u64,
    pub(super) is_main: bool,
    pub(super) system: u64,
    pub(super) top: u64,
    /// Where its memory stands, with what stands there before the first chunk.
    pub(super) walks: Vec<Walk>,
    pub(super) header_bytes: u64,
    /// The mappings that its chunks stand in.
    pub(super) extents: Vec<Range>,
    cached: Sum,
    own: Sum,
}

/// Reads the heap of a ring. `claimed` are ranges that others have, and gets those of this one.
pub(super) fn read(image: &Image<'_>, ring: &Ring, claimed: &mut Vec<Range>) -> Heap {
    let mut gaps = Vec::new();
    let word = |at: u64| image.word(at).unwrap_or_default();
    let main_top = ring.has_main.then(|| word(ring.arenas[0] + ring.state.top));
    let used_top = main_top.filter(|_| word(ring.arenas[0] + ring.state.system_mem) > 0);
    let settings =
        ring.has_main.then(|| settings::find(image, ring.state, ring.arenas[0], used_top)).flatten();
    let mut readings: Vec<Reading> = Vec::new();
    let mut planned: Vec<Vec<Stretch>> = Vec::new();
    for (index, &at) in ring.arenas.iter().enumerate() {
        let is_main = ring.has_main && index == 0;
        let mut reading = Reading {
            at,
            is_main,
            system: word(at + ring.state.system_mem),
            top: word(at + ring.state.top),
            walks: Vec::new(),
            header_bytes: 0,
            extents: Vec::new(),
            cached: Sum::default(),
            own: Sum::default(),
        };
        let stretches = match is_main {
            _ if reading.system == 0 => Vec::new(),
            true => stretches::of_main(image, &mut reading, settings.as_ref().map(|found| found.sbrk_base)),
            false => stretches::of_thread(image, ring.state, &mut reading, &mut gaps),
        };
        planned.push(stretches);
        readings.push(reading);
    }
    let firsts: Vec<u64> = planned.iter().flatten().map(|stretch| stretch.start).collect();
    let mut caches = tcache::of_threads(image, &firsts);
    let key = caches.iter().filter(|cache| cache.layout.key == Key::Random).find_map(|cache| cache.key);
    for (reading, stretches) in readings.iter_mut().zip(planned) {
        for stretch in stretches {
            match walk::walk(image.pieces, stretch, key) {
                Some(walk) => reading.add(walk, &stretch),
                None => gaps.push(Gap::new(
                    format!("the blocks of the arena at {:#x}", reading.at),
                    "it claims far more memory than the target holds",
                )),
            }
        }
        if reading.is_main {
            stretches::rest_of_main(image, reading, claimed, key);
        }
        claimed.extend(reading.walks.iter().map(|walk| walk.run.range()));
        claimed.extend(&reading.extents);
    }
    let like =
        readings.iter().flat_map(|reading| &reading.walks).flat_map(|walk| walk.cache_like.iter().copied());
    let more: Vec<_> = like
        .filter(|at| !caches.iter().any(|cache| cache.at == *at))
        .filter_map(|at| tcache::read(image.pieces, at).filter(|cache| !cache.is_blank))
        .collect();
    caches.extend(more);
    take_caches(&mut readings, &caches);

    let listed = readings.iter_mut().map(|reading| take_lists(image, ring, reading)).collect::<Vec<_>>();
    let stated = settings
        .as_ref()
        .map_or(Sum::default(), |found| Sum { count: found.mapped_blocks, bytes: found.mapped_bytes });
    let is_new = ring.state.fastbins.is_none();
    let form = if is_new { Form::LessHead } else { Form::Whole };
    let mut mapped = mapped::find(image, &mapped::unclaimed(image, claimed), form, stated);
    if let Some(key) = key {
        mapped.take_cached(image, key);
    }
    let drift = settings.as_ref().map_or(0, |found| found.drift(mapped.sum));
    claimed.extend(&mapped.extents);
    if ring.has_main && settings.is_none() {
        gaps.push(Gap::new(
            "blocks that are mapped each for itself, and how malloc is set up",
            "the variables of malloc (mp_) were not found where libc keeps them",
        ));
    }
    if !ring.has_main || !ring.is_closed {
        gaps.push(Gap::new("some arenas", "the links from arena to arena lead to memory that is not there"));
    }
    busy(image, ring, &mut gaps);

    let mut metadata: Vec<Range> = ring.arenas.iter().map(|&at| locate::extent(ring.state, at)).collect();
    if let Some(found) = &settings {
        metadata.push(Range { start: Address(found.at), end: Address(found.at + 0x80) });
    }
    for reading in &readings {
        let starts = reading.extents.iter().zip(&reading.walks);
        metadata.extend(starts.filter_map(|(whole, walk)| Range::new(whole.start, walk.run.range().start)));
    }
    let layout = layout_name(ring, settings.as_ref(), &caches);
    let mut heap = Heap {
        allocator: "glibc".into(),
        layout,
        mallinfo: Some(mallinfo(&readings, &listed, &mapped, drift)),
        parameters: settings.as_ref().map(|found| found.parameters(image)).unwrap_or_default(),
        identities: identities(&readings, &listed, &mapped, drift, settings.is_some().then_some(stated)),
        metadata,
        gaps,
        ..Heap::default()
    };
    assemble(image, &mut heap, readings, listed, mapped);
    heap.damage.extend(caches.iter().filter_map(|cache| torn(image, cache)));
    heap
}

/// The narrowest span of versions that all structures agree on.
fn layout_name(ring: &Ring, settings: Option<&settings::Found>, caches: &[tcache::Found]) -> String {
    let of_caches = caches.iter().filter(|cache| !cache.is_blank).map(|cache| cache.layout.versions);
    let told = settings.iter().map(|found| found.layout.versions).chain(of_caches);
    told.fold(ring.state.versions, |span, more| span.meet(more).unwrap_or(span)).to_string()
}

impl Reading {
    pub(super) fn add(&mut self, walk: Walk, stretch: &Stretch) {
        if self.is_main {
            self.extents.push(Range { start: Address(stretch.start), end: Address(walk.end) });
        }
        self.walks.push(walk);
    }

    pub(super) fn walked(&self) -> u64 {
        let bytes = |walk: &Walk| walk.in_use.bytes + walk.free.bytes + walk.top_bytes + walk.fence_bytes;
        self.header_bytes + self.walks.iter().map(bytes).sum::<u64>()
    }

    fn sum(&self, part: impl Fn(&Walk) -> Sum) -> Sum {
        let mut sum = Sum::default();
        self.walks.iter().for_each(|walk| sum.join(part(walk)));
        sum
    }

    fn top_bytes(&self) -> u64 {
        self.walks.iter().map(|walk| walk.top_bytes).sum()
    }
}

/// Takes what caches keep out of what is live. A thread keeps chunks of any arena.
fn take_caches(readings: &mut [Reading], caches: &[tcache::Found]) {
    let mut places = BTreeMap::new();
    for (arena, reading) in readings.iter().enumerate() {
        for (index, walk) in reading.walks.iter().enumerate() {
            places.insert(walk.run.range().start, (arena, index));
        }
    }
    let mut take = |user: u64, is_own: bool| {
        let at = Address(user.wrapping_sub(chunk::HEAD));
        let Some((_, &(arena, index))) = places.range(..=at).next_back() else { return };
        let run = &mut readings[arena].walks[index].run;
        if !run.begins(at) || !run.is_live(at) {
            return;
        }
        run.set_live(at, false);
        let size = size_at(run, at);
        let reading = &mut readings[arena];
        if is_own { reading.own.add(size) } else { reading.cached.add(size) }
    };
    for cache in caches {
        take(cache.at, true);
        cache.chunks.iter().for_each(|&chunk| take(chunk, false));
    }
    for reading in readings {
        let keyed = reading.sum(|walk| walk.keyed);
        reading.cached.join(keyed);
    }
}

/// A list of a cache that leads nowhere: whoever had the chunk that holds the link wrote to it after it was freed.
fn torn(image: &Image<'_>, cache: &tcache::Found) -> Option<Damage> {
    let (at, leads) = cache.broken?;
    let size = image.word(at - 8)? & !chunk::FLAGS;
    let what = format!(
        "the list of a thread's cache for chunks of {size:#x} bytes leads to {leads:#x}, where none begins"
    );
    let suspect = Range::new(Address(at), Address(at.checked_add(size)? - chunk::TAIL));
    Some(Damage { at: Address(at), what, suspect, unwalked: Bytes(0) })
}

/// The bytes of a chunk, its header counted.
fn size_at(run: &Run, at: Address) -> u64 {
    run.next_begin(at).unwrap_or(run.range().end).0 - at.0
}

fn take_lists(image: &Image<'_>, ring: &Ring, reading: &mut Reading) -> Listed {
    let free = reading.sum(|walk| walk.free).count;
    let runs: Vec<&Run> = reading.walks.iter().map(|walk| &walk.run).collect();
    let listed = bins::read(image, ring.state, reading.at, &runs, free);
    for &at in &listed.fast_chunks {
        for walk in &mut reading.walks {
            if walk.run.is_live(Address(at)) {
                walk.run.set_live(Address(at), false);
            }
        }
    }
    reading.cached.join(listed.fast);
    listed
}

/// A thread inside malloc may be about to link or unlink a chunk.
fn busy(image: &Image<'_>, ring: &Ring, gaps: &mut Vec<Gap>) {
    let locked = ring.arenas.iter().filter(|&&arena| image.int(arena).is_some_and(|mutex| mutex != 0));
    let count = locked.count();
    if count > 0 {
        gaps.push(Gap::new(
            format!("{count} of {} arenas at rest", ring.arenas.len()),
            "a thread is inside malloc there, so that one chunk of each may be between two states",
        ));
    }
}

fn mallinfo(readings: &[Reading], listed: &[Listed], mapped: &Mapped, drift: u64) -> Mallinfo {
    let hblkhd = mapped.sum.bytes + drift;
    let mut info = Mallinfo { hblks: mapped.sum.count, hblkhd, ..Mallinfo::default() };
    for (reading, listed) in readings.iter().zip(listed) {
        let free = reading.sum(|walk| walk.free);
        info.arena += reading.walked();
        info.ordblks += free.count + 1;
        info.smblks += listed.fast.count;
        info.fsmblks += listed.fast.bytes;
        info.fordblks += free.bytes + listed.fast.bytes + reading.top_bytes();
        if reading.is_main {
            info.keepcost = reading.top_bytes();
        }
    }
    info.uordblks = info.arena.saturating_sub(info.fordblks);
    info
}

/// What the walk counted, beside what malloc's own variables and lists say.
fn identities(
    readings: &[Reading],
    listed: &[Listed],
    mapped: &Mapped,
    drift: u64,
    stated: Option<Sum>,
) -> Vec<Identity> {
    let identity = |what: &str, walked, stated| Identity { what: what.into(), walked, stated };
    let free = |reading: &Reading| reading.sum(|walk| walk.free);
    let total = |part: &dyn Fn(&Reading) -> u64| readings.iter().map(part).sum::<u64>();
    let in_lists = |part: fn(&Listed) -> u64| listed.iter().map(part).sum::<u64>();
    let mut identities = vec![
        identity("arena: bytes from the system", total(&Reading::walked), total(&|reading| reading.system)),
        identity(
            "free bytes in lists",
            total(&|reading| free(reading).bytes),
            in_lists(|listed| listed.bins.bytes),
        ),
        identity(
            "free chunks in lists",
            total(&|reading| free(reading).count),
            in_lists(|listed| listed.bins.count),
        ),
    ];
    if let Some(stated) = stated {
        identities.push(identity("hblks: mapped blocks", mapped.sum.count, stated.count));
        let what = match drift {
            0 => "hblkhd: mapped bytes".into(),
            _ => format!(
                "hblkhd: mapped bytes, and the {drift} that glibc counts too much since blocks were remapped"
            ),
        };
        identities.push(identity(&what, mapped.sum.bytes + drift, stated.bytes));
    }
    // Differences of two arenas could make up for each other.
    if readings.len() > 1 {
        for (reading, listed) in readings.iter().zip(listed) {
            if reading.walked() != reading.system {
                let what = format!("bytes of the arena at {:#x}", reading.at);
                identities.push(identity(&what, reading.walked(), reading.system));
            }
            if free(reading).bytes != listed.bins.bytes {
                let what = format!("free bytes of the arena at {:#x}", reading.at);
                identities.push(identity(&what, free(reading).bytes, listed.bins.bytes));
            }
        }
    }
    identities
}

fn assemble(image: &Image<'_>, heap: &mut Heap, readings: Vec<Reading>, listed: Vec<Listed>, mapped: Mapped) {
    let mut runs = Vec::new();
    let mut damage: Vec<Damage> = Vec::new();
    for (reading, listed) in readings.into_iter().zip(listed) {
        heap.arenas.push(arena(image, &reading, listed.fast.bytes));
        for walk in reading.walks {
            damage.extend(walk.damage);
            runs.push(walk.run);
        }
        damage.extend(listed.damage);
    }
    if mapped.sum.count > 0 {
        heap.arenas.push(Arena {
            address: mapped.extents[0].start,
            kind: ArenaKind::Mapped,
            system_bytes: Bytes(mapped.sum.bytes),
            live_bytes: Bytes(mapped.sum.bytes - mapped.cached.bytes),
            live_blocks: mapped.sum.count - mapped.cached.count,
            cached_bytes: Bytes(mapped.cached.bytes),
            cached_blocks: mapped.cached.count,
            extents: mapped.extents,
            ..Arena::default()
        });
    }
    runs.extend(mapped.runs);
    let (blocks, refused) = Blocks::new(runs);
    for run in refused {
        let what = "blocks of two arenas overlap".into();
        let unwalked = run.range().size();
        damage.push(Damage { at: run.range().start, what, suspect: None, unwalked });
    }
    heap.blocks = blocks;
    heap.damage = damage;
}

fn arena(image: &Image<'_>, reading: &Reading, fast_bytes: u64) -> Arena {
    let in_use = reading.sum(|walk| walk.in_use);
    let (free, top) = (reading.sum(|walk| walk.free), reading.top_bytes());
    let fences: u64 = reading.walks.iter().map(|walk| walk.fence_bytes).sum();
    let idle: u64 = reading.walks.iter().map(|walk| walk.idle_bytes).sum();
    let gone = reading.cached.bytes + reading.own.bytes;
    let largest = reading.walks.iter().map(|walk| walk.largest_free).max().unwrap_or_default();
    Arena {
        address: Address(reading.at),
        kind: if reading.is_main { ArenaKind::Main } else { ArenaKind::Thread },
        system_bytes: Bytes(reading.system),
        live_bytes: Bytes(in_use.bytes.saturating_sub(gone)),
        live_blocks: in_use.count.saturating_sub(reading.cached.count + reading.own.count),
        free_bytes: Bytes(free.bytes),
        free_blocks: free.count,
        cached_bytes: Bytes(reading.cached.bytes),
        cached_blocks: reading.cached.count,
        fast_bytes: Bytes(fast_bytes),
        top_bytes: Bytes(top),
        own_bytes: Bytes(reading.header_bytes + fences + reading.own.bytes),
        largest_free: Bytes(largest.max(top)),
        trim_gain: Bytes(idle + if reading.is_main { top_gain(image, reading.top, top) } else { 0 }),
        extents: reading.extents.clone(),
    }
}

/// What `malloc_trim` gives back of the top of the main arena, as far as it holds memory. Source: `systrim`.
fn top_gain(image: &Image<'_>, top: u64, size: u64) -> u64 {
    const PAGE: u64 = 0x1000;
    let extra = size.saturating_sub(chunk::SMALLEST + 1) / PAGE * PAGE;
    let end = top + size;
    walk::held(image.pieces, Range { start: Address(end - extra), end: Address(end) })
}

/// The header of a heap, or of an arena and its heap, in front of the first chunk.
pub(super) fn first_chunk(state_size: u64, heap: u64, arena: u64, info: u64) -> u64 {
    let behind =
        if arena > heap && arena - heap < heap_info::ALIGNMENT { arena + state_size } else { heap + info };
    behind.next_multiple_of(16)
}
