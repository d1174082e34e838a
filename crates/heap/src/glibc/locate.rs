//! Finds arenas by their structure, without symbols.

use std::collections::BTreeSet;

use residue_model::{Address, Range, Region};

use super::layout::{BINS, STATES, State, heap_info};
use crate::Image;

/// The arenas of one libc: most processes have one ring, one that calls `dlmopen` has more.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) state: &'static State,
    /// The main one first, then in the order of the ring.
    pub(super) arenas: Vec<u64>,
    /// The first is the main arena, as told by where it stands.
    pub(super) has_main: bool,
    /// Following its links came back to the start.
    pub(super) is_closed: bool,
}

/// Regions beyond this size are no module's data.
const LARGEST_DATA: u64 = 8 << 20;

/// So many empty lists in a row are no chance.
const EMPTY_IN_A_ROW: u64 = 8;

/// More arenas than this no process has: eight a processor is the limit that glibc sets itself.
const MOST_ARENAS: usize = 1 << 16;

/// All rings, each told from the empty lists of one of its arenas.
pub(super) fn rings(image: &Image<'_>) -> Vec<Ring> {
    let mut rings: Vec<Ring> = Vec::new();
    let mut known = BTreeSet::new();
    let mut open: Vec<Ring> = Vec::new();
    for region in image.regions.iter().filter(|region| may_hold_arena(region)) {
        for (start, bytes) in image.pieces.within(region.range) {
            for first in empty_lists(start.0, bytes) {
                if known.contains(&first) {
                    continue;
                }
                // The list that was found is one of 127, in one of four layouts.
                let candidates = STATES.iter().flat_map(|state| {
                    (0..BINS)
                        .filter_map(move |list| Some((state, first.checked_sub(state.bins + 16 * list)?)))
                });
                let mut found = candidates.filter_map(|(state, at)| ring(image, state, at));
                if let Some(ring) = found.next() {
                    for &arena in &ring.arenas {
                        known.extend((0..BINS).map(|list| arena + ring.state.bins + 16 * list));
                    }
                    let place = if ring.is_closed { &mut rings } else { &mut open };
                    place.push(ring);
                }
            }
        }
    }
    // Part of a ring that is closed elsewhere tells nothing new.
    open.retain(|ring| {
        !rings.iter().any(|closed| ring.arenas.iter().any(|arena| closed.arenas.contains(arena)))
    });
    rings.extend(open);
    rings
}

fn may_hold_arena(region: &Region) -> bool {
    region.protection.write && !region.protection.shared && region.size().0 <= LARGEST_DATA
}

/// The addresses of lists that begin a row of empty ones: each of their links is the list's own address, less two words.
fn empty_lists(start: u64, bytes: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut row = 0;
    let skipped = start.next_multiple_of(8) - start;
    let start = start + skipped;
    let bytes = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or_default();
    let words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")));
    let mut words = words.enumerate().peekable();
    while let Some((index, word)) = words.next() {
        let at = start + 8 * index as u64;
        if word != at.wrapping_sub(16) || words.peek().is_none_or(|&(_, next)| next != word) {
            row = 0;
            continue;
        }
        words.next();
        row += 1;
        if row == EMPTY_IN_A_ROW {
            found.push(at - 16 * (row - 1));
        }
    }
    found
}

/// The ring that an arena is a member of, if this is one.
fn ring(image: &Image<'_>, state: &'static State, first: u64) -> Option<Ring> {
    if !is_arena(image, state, first) {
        return None;
    }
    let mut arenas = vec![first];
    let mut is_closed = false;
    let mut at = image.word(first + state.next)?;
    while arenas.len() < MOST_ARENAS {
        if at == first {
            is_closed = true;
            break;
        }
        if !is_arena(image, state, at) || arenas.len() > 4096 && arenas.contains(&at) {
            break;
        }
        arenas.push(at);
        at = image.word(at + state.next)?;
    }
    // A ring of one that is open is a chance hit as likely as a damaged process.
    if !is_closed && arenas.len() < 2 {
        return None;
    }
    let main = arenas.iter().position(|&arena| !stands_in_heap(arena));
    if let Some(main) = main {
        arenas.rotate_left(main);
    }
    Some(Ring { state, arenas, has_main: main.is_some(), is_closed })
}

/// All arenas but the main one stand behind the header of their first heap.
fn stands_in_heap(arena: u64) -> bool {
    heap_info::SIZES.contains(&(arena % heap_info::ALIGNMENT))
}

fn is_arena(image: &Image<'_>, state: &State, at: u64) -> bool {
    let word = |offset: u64| at.checked_add(offset).and_then(|at| image.word(at));
    let (Some(top), Some(system), Some(next)) = (word(state.top), word(state.system_mem), word(state.next))
    else {
        return false;
    };
    // The most that it ever had stands behind; the flags of this, of older versions two more.
    let most = word(state.system_mem + 8).unwrap_or_default();
    let flags = image.int(at + 4).unwrap_or(u32::MAX);
    let is_unused = system == 0 && top == at + state.bins - 16;
    // Whole pages, but for a static program: its thread-local storage stands in front of the heap in the same page.
    let is_used = system > 0 && system.is_multiple_of(16) && image.is_writable(top) && top % 16 == 0;
    at.is_multiple_of(8)
        && flags <= 7
        && most >= system
        && most.is_multiple_of(16)
        && image.is_writable(next)
        && (is_used || is_unused)
        && !is_older(image, state, at)
}

/// Before 2.23 there was no count of threads, and all behind it stood one word earlier: what would be that count is the
/// memory of the arena then, a number of pages.
fn is_older(image: &Image<'_>, state: &State, at: u64) -> bool {
    let threads = image.word(at + state.system_mem - 8).unwrap_or_default();
    state.versions.1 > 22 && threads != 0 && threads.is_multiple_of(0x1000)
}

/// Where an arena's structure stands.
pub(super) fn extent(state: &State, arena: u64) -> Range {
    Range { start: Address(arena), end: Address(arena + state.size) }
}
