//! A chunk that a thread was splitting when it was stopped.
//!
//! malloc puts the rest of it first into the list of chunks not sorted yet, and writes its size last. Until then something
//! else stands there: the header of a chunk that once was leads a walk astray, and may even agree with all others. But what
//! stands behind the whole is still preceded by its size, and the size of the rest is in a register, to be written next.
//! Source: `_int_malloc`.
//!
//! None of these alone is a proof: blocks that nobody has written to are full of sizes that were true once.

use residue_model::{Address, Range};

use super::cursor::Cursor;
use super::layout::chunk;
use super::walk::{self, Step, Stretch, Walk};
use crate::Image;

/// So many chunks behind the whole must agree, at least.
const AGREEING: usize = 16;

/// What is left of a chunk that was being split, when that is why a walk went wrong. `newest` is the chunk that was last
/// put into the list of those not sorted yet.
pub(super) fn rest(image: &Image<'_>, stretch: Stretch, newest: u64, walk: &Walk) -> Option<Range> {
    let place = Range::new(Address(stretch.start), Address(stretch.limit))?;
    let is_wrong =
        !walk.damage.is_empty() || !walk.run.begins(Address(newest)) || walk.run.is_live(Address(newest));
    if !place.contains(Address(newest)) || !newest.is_multiple_of(16) || !is_wrong {
        return None;
    }
    let mut cursor = Cursor::new(image.pieces);
    let last = walk.damage.last().map_or(newest, |damage| damage.at.0);
    let words = image.threads.iter().flat_map(|thread| &thread.registers);
    let mut ends = words.filter_map(|word| {
        let size = word & !chunk::PREV_INUSE;
        let is_possible = size >= chunk::SMALLEST && size.is_multiple_of(16);
        newest.checked_add(size).filter(|&end| is_possible && end < stretch.limit)
    });
    let end = ends.find(|&end| {
        is_end_of_whole(&mut cursor, walk, newest, end) && is_sound(&mut cursor, stretch, end, last)
    });
    Range::new(Address(newest), Address(end?))
}

/// Whether the whole that is said to end here is made of a chunk and what is left of it.
fn is_end_of_whole(cursor: &mut Cursor<'_>, walk: &Walk, rest: u64, end: u64) -> bool {
    let Some(whole) = cursor.word(end).and_then(|size| end.checked_sub(size)) else { return false };
    let given = cursor.word(whole.saturating_add(8)).unwrap_or_default() & !chunk::FLAGS;
    let is_free = cursor.word(end + 8).is_some_and(|word| word & chunk::PREV_INUSE == 0);
    is_free && walk.run.begins(Address(whole)) && whole.checked_add(given) == Some(rest)
}

/// Whether all chunks from a place on agree with each other, up to another place and some more.
fn is_sound(cursor: &mut Cursor<'_>, stretch: Stretch, start: u64, last: u64) -> bool {
    let (mut at, mut count) = (start, 0);
    while at <= last || count < AGREEING {
        match walk::step(cursor, stretch, at) {
            Step::Chunk { size, .. } if walk::says_twice(cursor, at, size) => at += size,
            Step::Top { .. } | Step::Fence { .. } => return at > last,
            _ => return false,
        }
        count += 1;
    }
    true
}
