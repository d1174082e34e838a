//! `mp_`: what malloc counts for the whole process, and how it is set up.

use residue_model::{Address, Parameter, Range, Region};

use super::layout::{SETTINGS, Settings, State, chunk};
use super::walk::Sum;
use crate::Image;

/// What `mp_` says.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) layout: &'static Settings,
    pub(super) at: u64,
    pub(super) mapped_blocks: u64,
    pub(super) mapped_bytes: u64,
    pub(super) sbrk_base: u64,
}

/// No further from the main arena than this: both are variables of one object file.
const FARTHEST: u64 = 1 << 20;

/// Looks for `mp_` in the data of the library that holds the main arena.
///
/// `top` is the main arena's: the heap that `sbrk_base` begins ends there. An arena that never got memory has none.
///
/// Nearly any words are legal settings, so that more than one place may pass for `mp_`: the best of all is taken.
pub(super) fn find(image: &Image<'_>, state: &State, main: u64, top: Option<u64>) -> Option<Found> {
    let near =
        Range { start: Address(main.saturating_sub(FARTHEST)), end: Address(main.saturating_add(FARTHEST)) };
    let heap = MainHeap::of(image, state, main, top);
    let mut best: Option<(Likeness, Found)> = None;
    for region in data_of(image, main).into_iter().filter_map(|region| region.overlap(near)) {
        for (start, bytes) in image.pieces.within(region) {
            for at in (start.0.next_multiple_of(8)..start.0 + bytes.len() as u64).step_by(8) {
                let fitting = SETTINGS.iter().filter(|layout| layout.versions.meet(state.versions).is_some());
                for layout in fitting {
                    let Some(found) = read(image, layout, at) else { continue };
                    let Some(likeness) = likeness(image, &heap, &found) else { continue };
                    // Of equals the first: newer layouts come first.
                    if best.as_ref().is_none_or(|(most, _)| likeness > *most) {
                        best = Some((likeness, found));
                    }
                }
            }
        }
    }
    best.map(|(_, found)| found)
}

/// What the arena says of the heap that `sbrk_base` should begin.
struct MainHeap {
    top: Option<u64>,
    /// Where it began, if nothing ever stood between its parts.
    begin: Option<u64>,
    grows_by_break: bool,
}

impl MainHeap {
    fn of(image: &Image<'_>, state: &State, main: u64, top: Option<u64>) -> MainHeap {
        let word = |at: u64, offset: u64| at.checked_add(offset).and_then(|at| image.word(at));
        let begin = top.and_then(|top| {
            let size = word(top, 8)? & !chunk::FLAGS;
            top.checked_add(size)?.checked_sub(word(main, state.system_mem)?)
        });
        let grows_by_break =
            top.and_then(|top| image.region(top)).is_some_and(|region| region.name() == "[heap]");
        MainHeap { top, begin, grows_by_break }
    }
}

/// How much a place is like `mp_`. What the heap says weighs most, for no one can set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    begins: Begins,
    /// The most blocks that may be mapped is a number that nearly no one sets, and that stands nowhere else.
    is_plain: bool,
    defaults: usize,
}

/// What `sbrk_base` leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Begins {
    /// It cannot be checked.
    Somewhere,
    /// Memory that reaches to the top.
    Memory,
    /// The same, and a chunk may begin there.
    Chunk,
    /// Just where the heap begins by what the arena counts.
    Heap,
}

/// None for what is not `mp_`.
fn likeness(image: &Image<'_>, heap: &MainHeap, found: &Found) -> Option<Likeness> {
    let base = found.sbrk_base;
    let is_plain = image.int(found.at + found.layout.n_mmaps + 4) == Some(65536);
    let begins = match heap.top {
        Some(top) if base < top && is_one_piece(image, base, top) => {
            let first = base.checked_next_multiple_of(16)?;
            let word = first.checked_add(8).and_then(|at| image.word(at)).unwrap_or_default();
            let size = word & !chunk::FLAGS;
            let is_chunk = first == top
                || word & chunk::PREV_INUSE != 0 && (chunk::SMALLEST..=top - base).contains(&size);
            match is_chunk {
                _ if heap.begin == Some(base) => Begins::Heap,
                true => Begins::Chunk,
                false => Begins::Memory,
            }
        }
        // Something else may have grown the heap between, in a mapping of its own.
        Some(_) if base != 0 && !heap.grows_by_break && is_plain => Begins::Somewhere,
        None if base == 0 && is_plain => Begins::Somewhere,
        _ => return None,
    };
    let word = |offset: u64| image.word(found.at + offset);
    let bins = found.layout.tcache.and_then(word);
    let defaults = [
        word(0) == Some(0x2_0000),
        word(8) == Some(0x2_0000),
        word(0x10) == Some(0x2_0000),
        word(0x18) == Some(8),
        word(0x20) == Some(0),
        // Without caches there is nothing to be set; with them, never no list.
        bins != Some(0),
    ];
    let defaults = defaults.into_iter().filter(|&is_default| is_default).count();
    Some(Likeness { begins, is_plain, defaults })
}

/// Whether nothing but writable memory lies between two places. Advice for huge pages parts it into several regions.
fn is_one_piece(image: &Image<'_>, start: u64, end: u64) -> bool {
    let Some(first) = Region::find(image.regions, Address(start)) else { return false };
    let regions = &image.regions[first..];
    let torn = regions.windows(2).position(|pair| {
        pair[0].range.end != pair[1].range.start || !pair.iter().all(|region| region.protection.write)
    });
    regions[torn.unwrap_or(regions.len() - 1)].range.end.0 > end
}

/// The writable segments of the module around an address: its data, and what begins as zeros behind.
fn data_of(image: &Image<'_>, main: u64) -> Vec<Range> {
    let Some(home) = image.regions.iter().position(|region| region.range.contains(Address(main))) else {
        return Vec::new();
    };
    let touches = |pair: &[Region]| {
        pair[0].range.end == pair[1].range.start && pair.iter().all(|region| region.protection.write)
    };
    let first = (1..=home).rev().take_while(|&index| touches(&image.regions[index - 1..=index])).last();
    let last = (home..image.regions.len() - 1)
        .take_while(|&index| touches(&image.regions[index..=index + 1]))
        .last();
    let (first, last) = (first.map_or(home, |index| index - 1), last.map_or(home, |index| index + 1));
    image.regions[first..=last].iter().map(|region| region.range).collect()
}

fn read(image: &Image<'_>, layout: &'static Settings, at: u64) -> Option<Found> {
    let int = |offset: u64| image.int(at + offset);
    // More than is ever asked for at once.
    image.word(at + 8).filter(|&pad| pad < 1 << 40)?;
    let (blocks, most_blocks, peak) =
        (int(layout.n_mmaps)?, int(layout.n_mmaps + 4)?, int(layout.n_mmaps + 8)?);
    let (bytes, peak_bytes) =
        (image.word(at + layout.mmapped_mem)?, image.word(at + layout.mmapped_mem + 8)?);
    let sbrk_base = image.word(at + layout.sbrk_base)?;
    let is_fixed = int(layout.n_mmaps + 12)?;
    let caches = layout.tcache.map(|tcache| (image.word(at + tcache), image.word(at + tcache + 16)));
    let caches_fit = match caches {
        None => true,
        Some((Some(bins), Some(count))) => bins <= 80 && count <= 0xffff,
        Some(_) => false,
    };
    // 2.43 counts two words too much each time that a block is remapped.
    let unit = if layout.drifts() { 0x10 } else { 0x1000 };
    let is_right = blocks <= peak
        && blocks <= most_blocks.max(peak)
        && bytes <= peak_bytes
        && bytes % unit == 0
        && bytes / 0x1000 >= u64::from(blocks)
        && (blocks != 0 || bytes == 0 || layout.drifts())
        && is_fixed <= 1
        && caches_fit;
    is_right.then_some(Found { layout, at, mapped_blocks: u64::from(blocks), mapped_bytes: bytes, sbrk_base })
}

impl Found {
    /// What malloc counts beyond the blocks that there are, if these are all.
    pub(super) fn drift(&self, found: Sum) -> u64 {
        let excess = self.mapped_bytes.saturating_sub(found.bytes);
        let is_drift =
            self.layout.drifts() && found.count == self.mapped_blocks && excess.is_multiple_of(0x10);
        if is_drift { excess } else { 0 }
    }

    /// The settings that users ask about.
    pub(super) fn parameters(&self, image: &Image<'_>) -> Vec<Parameter> {
        let word = |offset| image.word(self.at + offset);
        let int = |offset| image.int(self.at + offset).map(u64::from);
        let cache = |offset| self.layout.tcache.and_then(|tcache| word(tcache + offset));
        let limit = if self.layout.versions.0 >= 43 { 16 } else { 7 };
        let rows = [
            ("mmap_threshold", word(0x10), Some(0x2_0000)),
            ("trim_threshold", word(0), Some(0x2_0000)),
            ("top_pad", word(8), Some(0x2_0000)),
            ("arena_max", word(0x20), Some(0)),
            ("mmap_max", int(self.layout.n_mmaps + 4), Some(65536)),
            ("mmap_threshold_is_fixed", int(self.layout.n_mmaps + 12), Some(0)),
            ("max_mmap_regions", int(self.layout.n_mmaps + 8), None),
            ("max_mmap_bytes", word(self.layout.mmapped_mem + 8), None),
            ("tcache_max_bytes", cache(8), None),
            ("tcache_count", cache(16), Some(limit)),
        ];
        let known = rows.into_iter().filter_map(|(name, value, default)| Some((name, value?, default)));
        known.map(|(name, value, default)| Parameter { name, value, default }).collect()
    }
}
