//! Where the chunks of an arena stand.

use std::collections::BTreeSet;

use residue_model::{Address, Gap, Range};

use super::cursor::Cursor;
use super::layout::{State, chunk, heap_info};
use super::mapped;
use super::reading::Reading;
use super::walk::{self, Stretch};
use crate::Image;

/// The stretch that the main arena begins with. Where `sbrk_base` is not known, the region of the top begins with it.
pub(super) fn of_main(image: &Image<'_>, reading: &mut Reading, sbrk_base: Option<u64>) -> Vec<Stretch> {
    let start = match sbrk_base.filter(|&base| base != 0) {
        Some(base) => {
            let Some(start) = base.checked_next_multiple_of(16) else { return Vec::new() };
            reading.header_bytes = start - base;
            start
        }
        None => match image.region(reading.top) {
            Some(region) => region.range.start.0,
            None => return Vec::new(),
        },
    };
    let Some(region) = image.region(start) else { return Vec::new() };
    let mut limit = region.range.end.0;
    // What grows the same way as this one may have been split by a change of protection.
    while let Some(next) =
        image.region(limit).filter(|next| next.protection.write && next.range.start.0 == limit)
    {
        limit = next.range.end.0;
    }
    let holds_top = (start..limit).contains(&reading.top);
    let size = reading.top.checked_add(8).and_then(|at| image.word(at)).map(|word| word & !chunk::FLAGS);
    let is_top = |size: u64| reading.top.saturating_add(size).is_multiple_of(0x1000) || !reading.is_busy;
    if let Some(size) = size.filter(|&size| holds_top && size <= limit - reading.top && is_top(size)) {
        limit = reading.top + size;
    }
    let top = holds_top.then_some(reading.top);
    vec![Stretch { start, limit, top, is_main: true, is_busy: reading.is_busy, known: None }]
}

/// The heaps of an arena that is not the main one, from the newest back.
pub(super) fn of_thread(
    image: &Image<'_>,
    state: &State,
    reading: &mut Reading,
    gaps: &mut Vec<Gap>,
) -> Vec<Stretch> {
    const MOST_HEAPS: usize = 1 << 20;
    let info = reading.at % heap_info::ALIGNMENT;
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut heap = reading.top / heap_info::ALIGNMENT * heap_info::ALIGNMENT;
    while heap != 0 && stretches.len() < MOST_HEAPS {
        let word = |offset: u64| heap.checked_add(offset).and_then(|at| image.word(at));
        let size = word(heap_info::SIZE)
            .filter(|&size| size > 0 && size <= heap_info::ALIGNMENT && size % 0x1000 == 0);
        let (Some(size), true) = (size, word(heap_info::AR_PTR) == Some(reading.at)) else {
            let what = format!("a heap of the arena at {:#x}", reading.at);
            gaps.push(Gap::new(what, format!("no header of one stands at {heap:#x}")));
            break;
        };
        let start = first_chunk(state.size, heap, reading.at, info);
        let (Some(start), Some(limit)) = (start, heap.checked_add(size)) else { break };
        if start >= limit || stretches.iter().any(|other| other.start == start) {
            break;
        }
        let top = (start..limit).contains(&reading.top).then_some(reading.top);
        stretches.push(Stretch { start, limit, top, is_main: false, is_busy: reading.is_busy, known: None });
        reading.header_bytes += start - heap;
        reading.extents.push(Range { start: Address(heap), end: Address(limit) });
        heap = word(heap_info::PREV).unwrap_or_default();
    }
    stretches
}

/// More than this the main arena never has: each is a failure to move the break.
const MOST_STRETCHES: usize = 1 << 12;

/// Walks that failed: chance or malice may show a beginning anywhere, and each of them is walked to its end.
struct Attempts {
    /// So many bytes may still be walked in vain: at first, some times what is there to be walked.
    budget: u64,
    /// Where they began. What fails once fails again, for less and less is missing.
    failed: BTreeSet<u64>,
}

impl Attempts {
    fn new(image: &Image<'_>, reading: &Reading, claimed: &[Range]) -> Attempts {
        let places = mapped::unclaimed(image, claimed).into_iter().chain(behind_last(image, reading));
        let held: u64 = places.map(|place| walk::held(image.pieces, place)).sum();
        Attempts { budget: (4 * held).max(1 << 20), failed: BTreeSet::new() }
    }

    /// Where a walk of so many bytes failed.
    fn fail(&mut self, start: u64, bytes: u64) {
        self.failed.insert(start);
        self.budget = self.budget.saturating_sub(bytes.max(chunk::SMALLEST));
    }
}

/// What the main arena has beyond its first stretch: something else moved the break, or it could not be moved.
pub(super) fn rest_of_main(image: &Image<'_>, reading: &mut Reading, claimed: &[Range], key: Option<u64>) {
    if reading.walked() >= reading.system {
        return;
    }
    let mut attempts = Attempts::new(image, reading, claimed);
    for _ in 0..MOST_STRETCHES {
        let missing = reading.system.saturating_sub(reading.walked());
        if missing == 0 {
            return;
        }
        // What others took of the break, malloc counts too.
        if between(reading) == missing {
            reading.header_bytes += missing;
            return;
        }
        let mut taken = claimed.to_vec();
        taken.extend(reading.walks.iter().map(|walk| walk.run.range()));
        let behind = behind_last(image, reading);
        let behind = behind
            .and_then(|place| whole_stretch(image, reading, place, missing, key, &|_| true, &mut attempts));
        let found = behind.or_else(|| {
            // A stretch begins where the system gave memory, but for what was lost to alignment.
            let is_near = |at: u64| at % 0x1000 < 0x20;
            let mut places = mapped::unclaimed(image, &taken).into_iter();
            places
                .find_map(|place| whole_stretch(image, reading, place, missing, key, &is_near, &mut attempts))
        });
        let Some((stretch, walk)) = found else { return };
        reading.add(walk, &stretch);
    }
}

/// Bytes between the stretches that grew with the break.
fn between(reading: &Reading) -> u64 {
    let ends = reading.walks.windows(2);
    ends.map(|pair| pair[1].run.range().start.0.saturating_sub(pair[0].end)).sum()
}

/// The rest of the region that the last stretch ends in.
fn behind_last(image: &Image<'_>, reading: &Reading) -> Option<Range> {
    let end = reading.walks.iter().map(|walk| walk.end).max()?;
    let region = image.region(end)?;
    Range::new(Address(end), region.range.end).filter(|range| range.size().0 > 0)
}

/// The first stretch in a place that is walked to its end without a contradiction.
fn whole_stretch(
    image: &Image<'_>,
    reading: &Reading,
    place: Range,
    missing: u64,
    key: Option<u64>,
    may_begin: &dyn Fn(u64) -> bool,
    attempts: &mut Attempts,
) -> Option<(Stretch, walk::Walk)> {
    let mut cursor = Cursor::new(image.pieces);
    // Only where memory is held: a region of terabytes may hold a page.
    let held = image
        .pieces
        .within(place)
        .flat_map(|(start, bytes)| (start.0.next_multiple_of(16)..start.0 + bytes.len() as u64).step_by(16));
    let mut behind_failed = place.start.0;
    for start in held.filter(|&start| may_begin(start) || start == place.start.0) {
        if attempts.budget == 0 {
            return None;
        }
        if start < behind_failed || attempts.failed.contains(&start) {
            continue;
        }
        let word = cursor.word(start + 8).unwrap_or_default();
        let is_possible = word & chunk::FLAGS == chunk::PREV_INUSE
            && (chunk::SMALLEST..=missing).contains(&(word & !chunk::FLAGS));
        if !is_possible {
            continue;
        }
        let top = (start..place.end.0).contains(&reading.top).then_some(reading.top);
        let size = top.and_then(|top| image.word(top + 8)).map_or(0, |word| word & !chunk::FLAGS);
        let limit = top.map_or(place.end.0, |top| top.saturating_add(size).min(place.end.0));
        let limit = limit.min(start.saturating_add(missing));
        let stretch = Stretch { start, limit, top, is_main: true, is_busy: false, known: None };
        if !walk::agree(&mut cursor, stretch, start) {
            continue;
        }
        let Some(walk) = walk::walk(image.pieces, stretch, key) else {
            attempts.fail(start, 0);
            continue;
        };
        if walk.is_whole && walk.damage.is_empty() {
            return Some((stretch, walk));
        }
        attempts.fail(start, walk.end - start);
        // A row that contradicts itself does so from each of its chunks on; one that is only too long may begin later.
        behind_failed = walk.damage.first().map_or(start, |damage| damage.at.0);
    }
    None
}

/// Behind the header of a heap, or of an arena and its heap: where the first chunk stands.
fn first_chunk(state_size: u64, heap: u64, arena: u64, info: u64) -> Option<u64> {
    let holds_arena = arena > heap && arena - heap < heap_info::ALIGNMENT;
    let behind = if holds_arena { arena.checked_add(state_size) } else { heap.checked_add(info) };
    behind?.checked_next_multiple_of(16)
}
