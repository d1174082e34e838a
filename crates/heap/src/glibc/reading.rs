//! An arena, from its variables to its chunks.

use std::collections::BTreeMap;

use residue_model::{Address, Bytes, Damage, Range, Run};

use super::bins::{self, Listed};
use super::layout::chunk;
use super::locate::Ring;
use super::tcache;
use super::walk::{Stretch, Sum, Walk};
use crate::Image;

/// An arena while it is read.
pub(super) struct Reading {
    pub(super) at: u64,
    pub(super) is_main: bool,
    /// A thread is inside malloc there.
    pub(super) is_busy: bool,
    pub(super) system: u64,
    pub(super) top: u64,
    /// Where its memory stands, with what stands there before the first chunk.
    pub(super) walks: Vec<Walk>,
    pub(super) header_bytes: u64,
    /// The mappings that its chunks stand in.
    pub(super) extents: Vec<Range>,
    /// What caches and fastbins keep of it.
    pub(super) cached: Sum,
    /// The caches themselves.
    pub(super) own: Sum,
}

impl Reading {
    pub(super) fn of(image: &Image<'_>, ring: &Ring, at: u64, is_main: bool) -> Reading {
        let word = |at: u64| image.word(at).unwrap_or_default();
        Reading {
            at,
            is_main,
            is_busy: is_busy(image, at),
            system: word(at + ring.state.system_mem),
            top: word(at + ring.state.top),
            walks: Vec::new(),
            header_bytes: 0,
            extents: Vec::new(),
            cached: Sum::default(),
            own: Sum::default(),
        }
    }

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

    pub(super) fn sum(&self, part: impl Fn(&Walk) -> Sum) -> Sum {
        let mut sum = Sum::default();
        self.walks.iter().for_each(|walk| sum.join(part(walk)));
        sum
    }

    pub(super) fn top_bytes(&self) -> u64 {
        self.walks.iter().map(|walk| walk.top_bytes).sum()
    }
}

/// Whether a thread holds the lock of an arena, and so may be about to change any of it.
pub(super) fn is_busy(image: &Image<'_>, arena: u64) -> bool {
    image.int(arena).is_some_and(|mutex| mutex != 0)
}

/// Takes what caches keep out of what is live. A thread keeps chunks of any arena.
pub(super) fn take_caches(readings: &mut [Reading], caches: &[tcache::Found]) {
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
pub(super) fn torn(image: &Image<'_>, cache: &tcache::Found) -> Option<Damage> {
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

pub(super) fn take_lists(image: &Image<'_>, ring: &Ring, reading: &mut Reading) -> Listed {
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
