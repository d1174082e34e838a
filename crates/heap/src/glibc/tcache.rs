//! What threads keep of what they freed, found without thread-local storage where that is not known.
//!
//! Cached chunks look as if they were in use, and a link below the first of a list is no pointer since 2.32: who does
//! not know the caches finds leaks that are none.

use std::collections::BTreeSet;

use residue_model::{Address, Pieces};

use super::layout::{CACHES, Cache, Count, Key, SMALL_LISTS, Versions, chunk, reveal};
use crate::Image;

/// The cache of one thread.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) layout: &'static Cache,
    /// Where the program's part of its chunk begins.
    pub(super) at: u64,
    /// The chunks in it, by where the program's part of them begins.
    pub(super) chunks: Vec<u64>,
    /// What marks them, where there is any.
    pub(super) key: Option<u64>,
    /// The chunk whose link leads nowhere, and where: in a cache whose place is known, a list may be broken.
    pub(super) broken: Option<(u64, u64)>,
    /// One list is one longer or shorter than its count: its thread was about to count what it took or gave.
    is_off: bool,
    /// Nothing but zeros: only who knows a thread that uses it can tell it from any block.
    pub(super) is_blank: bool,
}

/// How many chunks of one size a thread keeps at most, by any setting that there is.
const LONGEST: u64 = 0xffff;

/// The cache that stands at an address that nothing is known of, if one does.
///
/// A program's own table of lists can look like the cache of another version, and like those that mark nothing.
pub(super) fn read(pieces: &Pieces<'_>, at: u64, span: Versions) -> Option<Found> {
    let mut marking = of_versions(span).filter(|layout| layout.key == Key::Random);
    marking.find_map(|layout| read_as(pieces, layout, at, false))
}

/// The cache at an address that a thread has in its storage, or where an arena begins. One of its lists may be broken, and
/// one be about to be counted.
fn read_known(pieces: &Pieces<'_>, at: u64, span: Versions) -> Option<Found> {
    let whole = of_versions(span).find_map(|layout| read_as(pieces, layout, at, false));
    whole.or_else(|| of_versions(span).find_map(|layout| read_as(pieces, layout, at, true)))
}

fn of_versions(span: Versions) -> impl Iterator<Item = &'static Cache> {
    CACHES.iter().filter(move |layout| layout.versions.meet(span).is_some())
}

fn read_as(pieces: &Pieces<'_>, layout: &'static Cache, at: u64, may_break: bool) -> Option<Found> {
    let word = |at: u64| pieces.word(Address(at));
    if !layout.fits(word(at.checked_sub(8)?)? & !chunk::FLAGS) || !at.is_multiple_of(16) {
        return None;
    }
    let mut found =
        Found { layout, at, chunks: Vec::new(), key: None, broken: None, is_off: false, is_blank: true };
    let mut lists = Vec::new();
    for list in 0..layout.bins {
        let (count, head) = (count(pieces, layout, at, list)?, word(at + layout.entries + 8 * list)?);
        found.is_blank &= count == 0 && head == 0;
        lists.push((count, head));
    }
    match layout.count {
        Count::Room => read_by_room(pieces, layout, &lists, &mut found)?,
        _ => read_by_count(pieces, layout, &lists, &mut found)?,
    }
    if (found.broken.is_some() || found.is_off) && !may_break {
        return None;
    }
    found.key = match layout.key {
        Key::None => None,
        Key::Cache => Some(at),
        // All have the same; the last freed stands first.
        Key::Random => found.chunks.first().and_then(|&chunk| word(chunk + 8)),
    };
    let is_marked = |&chunk: &u64| found.key.is_none() || word(chunk + 8) == found.key;
    (found.chunks.iter().all(is_marked) && found.key != Some(0)).then_some(found)
}

fn count(pieces: &Pieces<'_>, layout: &Cache, at: u64, list: u64) -> Option<u64> {
    if layout.count == Count::Bytes {
        return pieces.bytes(Address(at + list), 1).map(|byte| u64::from(byte[0]));
    }
    pieces.bytes(Address(at + 2 * list), 2).map(|half| u64::from(u16::from_le_bytes([half[0], half[1]])))
}

/// Counts say how long each list is.
fn read_by_count(pieces: &Pieces<'_>, layout: &Cache, lists: &[(u64, u64)], found: &mut Found) -> Option<()> {
    for (list, &(count, head)) in lists.iter().enumerate() {
        let size = Some(chunk::SMALLEST + 16 * list as u64);
        let was_whole = found.broken.is_none();
        let length = follow(pieces, layout, head, size, count + 1, found)?;
        if length == count || was_whole && found.broken.is_some() {
            continue;
        }
        if found.is_off || length.abs_diff(count) > 1 {
            return None;
        }
        found.is_off = true;
    }
    Some(())
}

/// Counts say how much room is left in each list, so that with the length of the list they give one number everywhere.
fn read_by_room(pieces: &Pieces<'_>, layout: &Cache, lists: &[(u64, u64)], found: &mut Found) -> Option<()> {
    let small = usize::try_from(SMALL_LISTS).unwrap_or_default();
    let mut limits = Vec::new();
    for (list, &(room, head)) in lists.iter().enumerate() {
        let size = (list < small).then_some(chunk::SMALLEST + 16 * list as u64);
        let length = follow(pieces, layout, head, size, LONGEST, found)?;
        limits.push(room + length);
    }
    // Most lists agree, whichever one is off.
    let mut sorted = limits[..small].to_vec();
    sorted.sort_unstable();
    let limit = sorted[small / 2];
    found.is_blank = false;
    // A thread that was stopped while it took or gave one is off by one in one list.
    let off = limits[..small].iter().filter(|&&other| other != limit).count();
    (off <= 1 && limit > 0 && limit <= LONGEST).then_some(())
}

/// Follows a list to its end, and says how long it is; none when it is no such list. One list may end in a link that
/// leads to no chunk: a block that was written after it was freed.
fn follow(
    pieces: &Pieces<'_>,
    layout: &Cache,
    head: u64,
    size: Option<u64>,
    most: u64,
    found: &mut Found,
) -> Option<u64> {
    let (mut at, mut before, mut length) = (head, None, 0);
    // A list that leads back into itself is found where it comes by a place again. Source: Brent, 1980.
    let (mut place, mut next_place) = (0, 1);
    while at != 0 {
        let header = at.checked_sub(8).and_then(|at| pieces.word(Address(at))).unwrap_or_default();
        let header = header & !chunk::FLAGS;
        let fits = size.map_or(header >= chunk::SMALLEST, |size| header == size);
        if at % 16 != 0 || !fits || length == most || at == place {
            let before = before.filter(|_| found.broken.is_none())?;
            found.broken = Some((before, at));
            break;
        }
        found.chunks.push(at);
        length += 1;
        if length == next_place {
            (place, next_place) = (at, 2 * next_place);
        }
        let link = pieces.word(Address(at))?;
        before = Some(at);
        at = if layout.is_mangled { reveal(at, link) } else { link };
    }
    Some(length)
}

/// Caches that threads' own storage points at, and those that stand first in an arena.
///
/// Source: `tcache` is a thread-local variable of libc, whose block stands right below the thread's control block.
pub(super) fn of_threads(image: &Image<'_>, firsts: &[u64], span: Versions) -> Vec<Found> {
    const STORAGE: u64 = 0x2000;
    let mut places: BTreeSet<u64> = firsts.iter().map(|first| first + chunk::HEAD).collect();
    for thread in image.threads {
        let Some(block) = thread.thread_pointer else { continue };
        let below = (1..=STORAGE / 8).map_while(|word| block.0.checked_sub(8 * word));
        places.extend(below.map_while(|at| image.word(at)));
    }
    places.into_iter().filter_map(|at| read_known(image.pieces, at, span)).collect()
}
