//! Blocks that were large enough to be mapped each for itself.

use residue_model::{Address, Range, Region, Run};

use super::doubt::{self, Candidate};
use super::layout::chunk;
use super::walk::Sum;
use crate::Image;

/// Mapped blocks that were found.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    pub(super) runs: Vec<Run>,
    pub(super) sum: Sum,
    /// Of these, what caches keep. Since 2.43, where the largest size for caches is set that high.
    pub(super) cached: Sum,
    /// The whole mappings.
    pub(super) extents: Vec<Range>,
}

/// How a mapped chunk says how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Until 2.42: its first word is how far it stands behind the start of its mapping, and both words together are the
    /// whole.
    Whole,
    /// Since 2.43: the lowest bit of the first word says that the mapping has huge pages, and its last word is used too,
    /// so that the size leaves two words out.
    LessHead,
}

const PAGE: u64 = 0x1000;

/// Of what is aligned to more pages than this, and was moved, the place is told by the header of the whole mapping.
const MOST_PAGES: u64 = 64;

/// Looks at the starts of pages in `places`, which nothing else claims.
pub(super) fn find(image: &Image<'_>, places: &[Range], form: Form, stated: Sum) -> Mapped {
    let mut mapped = Mapped::default();
    if stated.count == 0 {
        return mapped;
    }
    let found = places.iter().flat_map(|&place| candidates(image, form, place)).collect();
    let (mut kept, doubtful) = doubt::part(found, places, stated);
    // What had no right to its memory may have hidden others in it.
    let inner = doubtful.iter().filter_map(|one| Range::new(Address(one.start + PAGE), Address(one.end())));
    let mut sum = doubt::sum(&kept);
    for one in inner.flat_map(|place| candidates(image, form, place)) {
        if sum.count < stated.count && sum.bytes + one.size <= stated.bytes {
            sum.add(one.size);
            kept.push(one);
        }
    }
    kept.sort_unstable_by_key(|one| one.start);
    for one in &kept {
        mapped.take(form, one.start, one.chunk, one.size);
    }
    // What `memalign` gave does not stand at the start of its mapping; looked for only when something is missing.
    if mapped.sum.count < stated.count {
        let mut rest = Vec::new();
        for place in places {
            let mut unclaimed = place.start;
            let first = mapped.extents.partition_point(|extent| extent.start < place.start);
            for extent in mapped.extents[first..].iter().take_while(|extent| extent.start < place.end) {
                rest.extend(Range::new(unclaimed, extent.start));
                unclaimed = extent.end;
            }
            rest.extend(Range::new(unclaimed, place.end));
        }
        for place in rest.into_iter().filter(|place| place.size().0 > 0) {
            find_shifted(image, place, form, stated, &mut mapped);
        }
    }
    mapped
}

/// What looks like mapped blocks, each at the start of a page, one behind the other.
fn candidates(image: &Image<'_>, form: Form, place: Range) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut unclaimed = place.start.0;
    // Only where memory is held: a region of terabytes may hold a page.
    for (start, bytes) in image.pieces.within(place) {
        let end = start.0 + bytes.len() as u64;
        let mut at = start.0.max(unclaimed).next_multiple_of(PAGE);
        while at < end {
            match first_of(image, form, at, place.end.0) {
                Some((chunk, size)) => {
                    found.push(Candidate { start: at, chunk, size });
                    at += size;
                    unclaimed = at;
                }
                None => at += PAGE,
            }
        }
    }
    found
}

/// The chunk of the mapping that begins at a page, and the size of the mapping, which ends before `end`.
///
/// `memalign` cuts what it gives from a chunk that it takes from `malloc`, whose header stays: it goes on telling the size
/// that the mapping had then. What is aligned to a power of two begins right behind the header in front of it; where
/// `realloc` moved the mapping since, at least to a page.
fn first_of(image: &Image<'_>, form: Form, start: u64, end: u64) -> Option<(u64, u64)> {
    let plain = whole(image, form, start, start)?;
    let fits = |size: &u64| start.checked_add(*size).is_some_and(|mapping| mapping <= end);
    let aligned = (5..40).flat_map(|power| {
        let alignment = 1_u64 << power;
        let behind_head = start.checked_add(2 * chunk::HEAD);
        [start.checked_add(alignment), behind_head.and_then(|at| at.checked_next_multiple_of(alignment))]
    });
    let moved = (1..=MOST_PAGES).map(|pages| start.checked_add(pages * PAGE));
    let mut chunks = aligned.chain(moved).flatten().filter(|&user| user < end).map(|user| user - chunk::HEAD);
    let shifted = chunks.find_map(|at| Some((at, whole(image, form, start, at).filter(fits)?)));
    shifted.or_else(|| Some((start, Some(plain).filter(fits)?)))
}

/// The size of the mapping whose chunk stands at `at`, if one does; the mapping begins at `start`.
fn whole(image: &Image<'_>, form: Form, start: u64, at: u64) -> Option<u64> {
    let (before, word) = (image.word(at)?, image.word(at + 8)?);
    let (shift, extra) = match form {
        Form::Whole => (before, 0),
        Form::LessHead => (before & !1, chunk::HEAD),
    };
    let size = word & !chunk::FLAGS;
    let whole = size.checked_add(shift)?.checked_add(extra)?;
    let fits = word & chunk::FLAGS == chunk::IS_MMAPPED && shift == at - start && whole > shift + chunk::HEAD;
    (fits && whole % PAGE == 0).then_some(whole)
}

/// Looks for chunks that say themselves how far they stand behind the start of their mapping.
fn find_shifted(image: &Image<'_>, place: Range, form: Form, stated: Sum, mapped: &mut Mapped) {
    let mut end = place.start.0;
    for (start, bytes) in image.pieces.within(place) {
        let words = bytes.chunks_exact(16).enumerate();
        for (index, pair) in words {
            let at = start.0 + 16 * index as u64;
            // The second word first: nearly none has just this flag.
            if pair[8] & 0xf != 2 || at < end || mapped.sum.count >= stated.count {
                continue;
            }
            let shift = u64::from_le_bytes(pair[..8].try_into().expect("eight bytes")) & !1;
            let Some(begin) = at.checked_sub(shift).filter(|begin| *begin >= end && begin % PAGE == 0) else {
                continue;
            };
            let room = stated.bytes.saturating_sub(mapped.sum.bytes);
            let Some(size) = whole(image, form, begin, at).filter(|&size| {
                size <= room && begin.checked_add(size).is_some_and(|end| end <= place.end.0)
            }) else {
                continue;
            };
            if shift > 0 {
                mapped.take(form, begin, at, size);
                end = begin + size;
            }
        }
    }
}

impl Mapped {
    /// Takes what caches keep out of what is live: it has their mark where the program's part of it begins.
    pub(super) fn take_cached(&mut self, image: &Image<'_>, key: u64) {
        for (run, extent) in self.runs.iter_mut().zip(&self.extents) {
            let at = run.range().start;
            if image.word(at.0 + chunk::HEAD + 8) == Some(key) {
                run.set_live(at, false);
                self.cached.add(extent.size().0);
            }
        }
    }

    fn take(&mut self, form: Form, start: u64, at: u64, size: u64) {
        let end = start + size;
        // Since 2.43 the last word is there, and is not the program's.
        let lost = if form == Form::LessHead { chunk::TAIL } else { 0 };
        let usable = end - at - chunk::HEAD - lost;
        let range = Range { start: Address(at), end: Address(end) };
        self.runs.push(Run::single(range, chunk::HEAD, usable));
        self.sum.add(size);
        self.extents.push(Range { start: Address(start), end: Address(end) });
    }
}

/// The parts of anonymous regions that no arena claims.
pub(super) fn unclaimed(image: &Image<'_>, claimed: &[Range]) -> Vec<Range> {
    let mut claimed = claimed.to_vec();
    claimed.sort_by_key(|range| range.start);
    let mut free = Vec::new();
    let is_plain = |region: &&Region| region.name() != "[heap]" && !region.name().starts_with("[stack");
    for region in image.anonymous().filter(is_plain) {
        let mut at = region.range.start;
        for range in claimed.iter().filter_map(|range| range.overlap(region.range)) {
            free.extend(Range::new(at, range.start).filter(|range| range.size().0 > 0));
            at = at.max(range.end);
        }
        free.extend(Range::new(at, region.range.end).filter(|range| range.size().0 > 0));
    }
    free
}
