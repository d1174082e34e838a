//! One libc's heap, put together from its arenas, caches and mapped blocks.

use residue_model::{Address, Arena, ArenaKind, Blocks, Bytes, Damage, Gap, Heap, Range};

use super::bins::{self, Listed};
use super::figures::{arena, identities, mallinfo};
use super::layout::{Key, Versions};
use super::locate::{self, Ring};
use super::mapped::{self, Form, Mapped};
use super::reading::{Reading, is_busy, take_caches, take_lists, torn};
use super::settings;
use super::stretches;
use super::tcache;
use super::walk::{self, Stretch, Sum};
use crate::Image;

/// Reads the heap of a ring. `claimed` are ranges that others have, and gets those of this one.
pub(super) fn read(image: &Image<'_>, ring: &Ring, claimed: &mut Vec<Range>) -> Heap {
    let mut gaps = Vec::new();
    let settings = settings_of(image, ring);
    let planned = plan(image, ring, settings.as_ref().map(|found| found.sbrk_base), &mut gaps);
    let firsts: Vec<u64> =
        planned.iter().flat_map(|(_, stretches)| stretches).map(|stretch| stretch.start).collect();
    let span = span(ring, settings.as_ref());
    let mut caches = tcache::of_threads(image, &firsts, span);
    let key = caches.iter().filter(|cache| cache.layout.key == Key::Random).find_map(|cache| cache.key);
    let mut readings = walk_all(image, ring, planned, key, claimed, &mut gaps);
    caches.extend(unknown_caches(image, &readings, &caches, span));
    take_caches(&mut readings, &caches);
    let listed: Vec<Listed> = readings.iter_mut().map(|reading| take_lists(image, ring, reading)).collect();
    let stated = settings
        .as_ref()
        .map_or(Sum::default(), |found| Sum { count: found.mapped_blocks, bytes: found.mapped_bytes });
    let mapped = mapped_blocks(image, ring, stated, key, claimed);
    let drift = settings.as_ref().map_or(0, |found| found.drift(mapped.sum));
    unseen(image, ring, settings.is_some(), &mut gaps);
    let mut heap = Heap {
        allocator: "glibc".into(),
        layout: layout_name(span, &caches),
        // Without `mp_`, mapped blocks were not looked for: no figure of theirs is known.
        mallinfo: settings.is_some().then(|| mallinfo(&readings, &listed, &mapped, drift)),
        parameters: settings.as_ref().map(|found| found.parameters(image)).unwrap_or_default(),
        identities: identities(&readings, &listed, &mapped, drift, settings.is_some().then_some(stated)),
        metadata: metadata(ring, settings.as_ref(), &readings),
        is_partial: settings.is_none() || !ring.is_closed,
        gaps,
        ..Heap::default()
    };
    assemble(image, &mut heap, readings, listed, mapped);
    heap.damage.extend(caches.iter().filter_map(|cache| torn(image, cache)));
    heap
}

fn settings_of(image: &Image<'_>, ring: &Ring) -> Option<settings::Found> {
    let main = *ring.arenas.first().filter(|_| ring.has_main)?;
    let is_used = image.word(main + ring.state.system_mem).is_some_and(|bytes| bytes > 0);
    let top = image.word(main + ring.state.top).filter(|_| is_used);
    settings::find(image, ring.state, main, top)
}

/// Where the memory of each arena of a ring stands, before any of it is walked.
fn plan(
    image: &Image<'_>,
    ring: &Ring,
    sbrk_base: Option<u64>,
    gaps: &mut Vec<Gap>,
) -> Vec<(Reading, Vec<Stretch>)> {
    let arena = |(index, &at): (usize, &u64)| {
        let mut reading = Reading::of(image, ring, at, ring.has_main && index == 0);
        let stretches = match reading.is_main {
            _ if reading.system == 0 => Vec::new(),
            true => stretches::of_main(image, &mut reading, sbrk_base),
            false => stretches::of_thread(image, ring.state, &mut reading, gaps),
        };
        (reading, stretches)
    };
    ring.arenas.iter().enumerate().map(arena).collect()
}

fn walk_all(
    image: &Image<'_>,
    ring: &Ring,
    planned: Vec<(Reading, Vec<Stretch>)>,
    key: Option<u64>,
    claimed: &mut Vec<Range>,
    gaps: &mut Vec<Gap>,
) -> Vec<Reading> {
    let mut readings = Vec::with_capacity(planned.len());
    for (mut reading, stretches) in planned {
        let newest = bins::newest(image, ring.state, reading.at);
        for stretch in stretches {
            match walk::mended(image, stretch, newest, key) {
                Some(walk) => reading.add(walk, &stretch),
                None => gaps.push(Gap::new(
                    format!("the blocks of the arena at {:#x}", reading.at),
                    "it claims far more memory than the target holds",
                )),
            }
        }
        if reading.is_main {
            stretches::rest_of_main(image, &mut reading, claimed, key);
        }
        claimed.extend(reading.walks.iter().map(|walk| walk.run.range()));
        claimed.extend(&reading.extents);
        readings.push(reading);
    }
    readings
}

/// Caches that no thread is known to have: every chunk of the right size is tried.
fn unknown_caches(
    image: &Image<'_>,
    readings: &[Reading],
    known: &[tcache::Found],
    span: Versions,
) -> Vec<tcache::Found> {
    let like =
        readings.iter().flat_map(|reading| &reading.walks).flat_map(|walk| walk.cache_like.iter().copied());
    like.filter(|at| !known.iter().any(|cache| cache.at == *at))
        .filter_map(|at| tcache::read(image.pieces, at, span).filter(|cache| !cache.is_blank))
        .collect()
}

fn mapped_blocks(
    image: &Image<'_>,
    ring: &Ring,
    stated: Sum,
    key: Option<u64>,
    claimed: &mut Vec<Range>,
) -> Mapped {
    let form = if ring.state.fastbins.is_none() { Form::LessHead } else { Form::Whole };
    let mut mapped = mapped::find(image, &mapped::unclaimed(image, claimed), form, stated);
    if let Some(key) = key {
        mapped.take_cached(image, key);
    }
    claimed.extend(&mapped.extents);
    mapped
}

fn unseen(image: &Image<'_>, ring: &Ring, has_settings: bool, gaps: &mut Vec<Gap>) {
    if ring.has_main && !has_settings {
        gaps.push(Gap::new(
            "blocks that are mapped each for itself, and how malloc is set up",
            "the variables of malloc (mp_) were not found where libc keeps them",
        ));
    }
    if !ring.has_main || !ring.is_closed {
        gaps.push(Gap::new("some arenas", "the links from arena to arena lead to memory that is not there"));
    }
    busy(image, ring, gaps);
}

/// Malloc's own words: arenas, `mp_`, and what stands in front of the first chunk of a heap.
fn metadata(ring: &Ring, settings: Option<&settings::Found>, readings: &[Reading]) -> Vec<Range> {
    let arenas = ring.arenas.iter().map(|&at| locate::extent(ring.state, at));
    let settings = settings.map(|found| Range { start: Address(found.at), end: Address(found.at + 0x80) });
    let headers = readings.iter().flat_map(|reading| {
        let starts = reading.extents.iter().zip(&reading.walks);
        starts.filter_map(|(whole, walk)| Range::new(whole.start, walk.run.range().start))
    });
    arenas.chain(settings).chain(headers).collect()
}

/// The versions that arenas and settings may be of.
fn span(ring: &Ring, settings: Option<&settings::Found>) -> Versions {
    let span = ring.state.versions;
    settings.and_then(|found| span.meet(found.layout.versions)).unwrap_or(span)
}

/// The narrowest span of versions that all structures agree on.
fn layout_name(span: Versions, caches: &[tcache::Found]) -> String {
    let of_caches = caches.iter().filter(|cache| !cache.is_blank).map(|cache| cache.layout.versions);
    of_caches.fold(span, |span, more| span.meet(more).unwrap_or(span)).to_string()
}

/// A thread inside malloc may be about to link or unlink a chunk.
fn busy(image: &Image<'_>, ring: &Ring, gaps: &mut Vec<Gap>) {
    let count = ring.arenas.iter().filter(|&&arena| is_busy(image, arena)).count();
    if count > 0 {
        gaps.push(Gap::new(
            format!("{count} of {} arenas at rest", ring.arenas.len()),
            "a thread is inside malloc there, so that one chunk of each may be between two states",
        ));
    }
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
