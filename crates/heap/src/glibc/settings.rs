//! `mp_`: what malloc counts for the whole process, and how it is set up.

use residue_model::{Address, Parameter, Range, Region};

use super::layout::{SETTINGS, Settings, State};
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

/// Looks for `mp_` in the data of the library that holds the main arena.
///
/// `top` is the main arena's: the heap that `sbrk_base` begins ends there. An arena that never got memory has none.
pub(super) fn find(image: &Image<'_>, state: &State, main: u64, top: Option<u64>) -> Option<Found> {
    let heap = top.and_then(|top| image.region(top));
    for region in data_of(image, main) {
        for (start, bytes) in image.pieces.within(region) {
            for at in (start.0.next_multiple_of(8)..start.0 + bytes.len() as u64).step_by(8) {
                if !looks_right(image, at) {
                    continue;
                }
                let mut fitting =
                    SETTINGS.iter().filter(|layout| layout.versions.meet(state.versions).is_some());
                let found = fitting.find_map(|layout| {
                    let found = read(image, layout, at)?;
                    let fits = match (heap, top) {
                        (Some(heap), Some(top)) => {
                            // Something else may have grown the heap between, in a mapping of its own.
                            found.sbrk_base < top && is_one_piece(image, found.sbrk_base, top)
                                || found.sbrk_base != 0
                                    && heap.name() != "[heap]"
                                    && is_plain(image, at, layout)
                        }
                        _ => found.sbrk_base == 0 && is_plain(image, at, layout),
                    };
                    fits.then_some(found)
                });
                if found.is_some() {
                    return found;
                }
            }
        }
    }
    None
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

/// The words that are the same in all versions.
fn looks_right(image: &Image<'_>, at: u64) -> bool {
    let word = |offset| image.word(at + offset).unwrap_or(u64::MAX);
    let (trim, pad, map) = (word(0), word(8), word(0x10));
    // A threshold of nearly nothing is what tests set; none is larger than memory.
    pad < 1 << 40 && map < 1 << 40 && map > 0 && (trim < 1 << 40 || trim == u64::MAX)
}

fn read(image: &Image<'_>, layout: &'static Settings, at: u64) -> Option<Found> {
    let int = |offset: u64| image.int(at + offset);
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

/// As far from being set up by anyone as can be: for a process whose `sbrk_base` cannot be checked.
fn is_plain(image: &Image<'_>, at: u64, layout: &Settings) -> bool {
    image.word(at + 0x10).is_some_and(|map| map >= 0x1000)
        && image.int(at + layout.n_mmaps + 4) == Some(65536)
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
