//! Finds arenas by their structure, without symbols.

use std::collections::BTreeSet;

use residue_model::{Address, Range, Region};

use super::layout::{BINS, STATES, State, chunk, heap_info};
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

/// So many lists in a row are no chance.
const IN_A_ROW: u64 = 8;

/// More arenas than this no process has: eight a processor is the limit that glibc sets itself.
const MOST_ARENAS: usize = 1 << 16;

/// All rings, each told from the lists of free chunks of one of its arenas.
///
/// An empty list is told by itself. Where chunks of all sizes are free, no few lists in a row are empty, and those that
/// are not cost a look at their chunks: so these are looked for where libc keeps its data, and elsewhere only when nothing
/// was found.
pub(super) fn rings(image: &Image<'_>) -> Vec<Ring> {
    let mut search = Search { image, rings: Vec::new(), open: Vec::new(), known: BTreeSet::new() };
    search.through(|_| true, |_, _, _| false);
    search.through(|region| stands_by_file(image, region), is_filled(image));
    if search.rings.is_empty() && search.open.is_empty() {
        search.through(|_| true, is_filled(image));
    }
    let Search { mut rings, mut open, .. } = search;
    // Part of a ring that is closed elsewhere tells nothing new.
    open.retain(|ring| {
        !rings.iter().any(|closed| ring.arenas.iter().any(|arena| closed.arenas.contains(arena)))
    });
    rings.extend(open);
    rings
}

struct Search<'a> {
    image: &'a Image<'a>,
    rings: Vec<Ring>,
    open: Vec<Ring>,
    /// The lists of all arenas that were found.
    known: BTreeSet<u64>,
}

impl Search<'_> {
    fn through(&mut self, wanted: impl Fn(&Region) -> bool, is_list: impl Fn(u64, u64, u64) -> bool) {
        for region in self.image.regions.iter().filter(|region| may_hold_arena(region) && wanted(region)) {
            for (start, bytes) in self.image.pieces.within(region.range) {
                for first in rows(start.0, bytes, &is_list) {
                    if !self.known.contains(&first) {
                        self.try_ring(first);
                    }
                }
            }
        }
    }

    /// Looks for the ring of the arena that a list belongs to: one of its 127, in one of four layouts.
    fn try_ring(&mut self, list: u64) {
        let candidates = STATES.iter().flat_map(|state| {
            (0..BINS).filter_map(move |index| Some((state, list.checked_sub(state.bins + 16 * index)?)))
        });
        let Some(ring) = candidates.into_iter().find_map(|(state, at)| ring(self.image, state, at)) else {
            return;
        };
        for &arena in &ring.arenas {
            self.known.extend((0..BINS).map(|index| arena + ring.state.bins + 16 * index));
        }
        let place = if ring.is_closed { &mut self.rings } else { &mut self.open };
        place.push(ring);
    }
}

/// A list that holds chunks: the first leads back to it, and the last on to it.
fn is_filled<'a>(image: &'a Image<'_>) -> impl Fn(u64, u64, u64) -> bool + 'a {
    |at, first, last| {
        let head = at.wrapping_sub(16);
        let leads_here = |chunk: u64, link: u64| {
            chunk.is_multiple_of(16) && chunk.checked_add(link).and_then(|at| image.word(at)) == Some(head)
        };
        first != 0 && last != 0 && leads_here(first, 24) && leads_here(last, 16)
    }
}

/// A module's data, or what begins as zeros behind it.
fn stands_by_file(image: &Image<'_>, region: &Region) -> bool {
    let has_file = |region: &Region| !region.is_private_anonymous();
    let before = region.range.start.0.checked_sub(1).and_then(|at| image.region(at));
    has_file(region) || before.is_some_and(|before| before.protection.write && has_file(before))
}

fn may_hold_arena(region: &Region) -> bool {
    region.protection.write && !region.protection.shared && region.size().0 <= LARGEST_DATA
}

/// The addresses of lists that begin a row of lists. The links of an empty one are its own address, less two words; of
/// another `is_list` decides, who gets its address and both links.
fn rows(start: u64, bytes: &[u8], is_list: impl Fn(u64, u64, u64) -> bool) -> Vec<u64> {
    let mut found = Vec::new();
    let mut row = 0;
    let skipped = start.next_multiple_of(8) - start;
    let start = start + skipped;
    let bytes = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or_default();
    let words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")));
    let mut words = words.enumerate().peekable();
    while let Some((index, word)) = words.next() {
        let at = start + 8 * index as u64;
        let next = words.peek().map(|&(_, next)| next);
        let is_empty = word == at.wrapping_sub(16) && next == Some(word);
        if !is_empty && !next.is_some_and(|next| is_list(at, word, next)) {
            row = 0;
            continue;
        }
        words.next();
        row += 1;
        if row == IN_A_ROW {
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
    let is_unused = system == 0 && most == 0 && top == at + state.bins - 16;
    let is_used = system > 0
        && (system % 0x1000 == 0 && most % 0x1000 == 0 || ends_page(image, top))
        && image.is_writable(top)
        && top % 16 == 0;
    at.is_multiple_of(8)
        && flags <= 7
        && most >= system
        && image.is_writable(next)
        && (is_used || is_unused)
        && !is_older(image, state, at)
}

/// Whether the chunk of a top ends with a page: what another moved the break by, the main arena counts as its own, and
/// that is any number of bytes. Before 2.34 the loader does so with `GLIBC_TUNABLES`.
fn ends_page(image: &Image<'_>, top: u64) -> bool {
    let size = top.checked_add(8).and_then(|at| image.word(at)).unwrap_or_default();
    size & chunk::PREV_INUSE != 0
        && top.checked_add(size & !chunk::FLAGS).is_some_and(|end| end % 0x1000 == 0)
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
