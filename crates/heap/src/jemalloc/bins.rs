//! `bin_infos`: for each small size, how large a slab is and among how many bins an arena parts them.
//!
//! It stands in the same data as the root of the map, and is told by the sizes, which follow one another at a fixed
//! distance. Source: jemalloc 5.3.0 `bin_info.h`.

use residue_model::Range;

use super::layout::{PAGE, Quantum};
use crate::Image;

/// `sizeof(bin_info_t)`.
const INFO: u64 = 40;
const SLAB: u64 = 8;
const REGIONS: u64 = 16;
const SHARDS: u64 = 20;

/// More than this jemalloc's extents cannot tell apart.
const MOST_SHARDS: u64 = 64;

/// The bins of one small size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bin {
    pub(super) slab_bytes: u64,
    pub(super) shards: u64,
}

/// Finds them in the region of the root, or in the one before: the page that data and zeroed data share is another
/// region.
pub(super) fn find(image: &Image<'_>, root: Range, quantum: Quantum) -> Option<Vec<Bin>> {
    let own = image.region(root.start.0)?.range;
    let before = image.region(own.start.0.checked_sub(1)?).filter(|region| region.protection.write);
    let start = before.map_or(own.start, |region| region.range.start);
    let sizes = &quantum.sizes()[..usize::try_from(quantum.bins()).ok()?];
    [Range { start, end: root.start }, Range { start: root.end, end: own.end }].into_iter().find_map(
        |range| {
            image.pieces.within(range).find_map(|(start, bytes)| {
                let (words, _) = bytes.as_chunks::<8>();
                let hits = words.iter().enumerate().filter(|(_, word)| **word == 8_u64.to_le_bytes());
                hits.map(|(index, _)| start.0 + index as u64 * 8).find_map(|at| read(image, at, sizes))
            })
        },
    )
}

fn read(image: &Image<'_>, at: u64, sizes: &[u64]) -> Option<Vec<Bin>> {
    (0_u64..).zip(sizes).map(|(index, &size)| bin(image, at.wrapping_add(index * INFO), size)).collect()
}

fn bin(image: &Image<'_>, at: u64, size: u64) -> Option<Bin> {
    (image.word(at)? == size).then_some(())?;
    let slab_bytes = image.word(at.wrapping_add(SLAB))?;
    let (regions, shards) =
        (u64::from(image.int(at.wrapping_add(REGIONS))?), u64::from(image.int(at.wrapping_add(SHARDS))?));
    let fits = slab_bytes.is_multiple_of(PAGE)
        && slab_bytes / size == regions
        && (1..=512).contains(&regions)
        && (1..=MOST_SHARDS).contains(&shards);
    fits.then_some(Bin { slab_bytes, shards })
}
