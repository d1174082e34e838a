//! From chunk to chunk.

use residue_model::{Address, Bytes, Damage, Pieces, Range, Run};

use super::cursor::Cursor;
use super::layout::{CACHE_SIZES, CACHES, chunk};
use super::split;
use crate::Image;

/// Memory that is parted into chunks from its first byte on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) start: u64,
    /// No chunk reaches beyond.
    pub(super) limit: u64,
    /// The last chunk of its arena, from which new ones are cut, if it stands in this stretch.
    pub(super) top: Option<u64>,
    pub(super) is_main: bool,
    /// A thread is inside malloc there: a chunk or the top may be between two states.
    pub(super) is_busy: bool,
    /// A chunk whose size is known, though not from its header.
    pub(super) known: Option<Range>,
}

impl Stretch {
    /// The top ends where its stretch does, which is where a page ends.
    fn is_top(&self, at: u64, size: u64) -> bool {
        (at + size).is_multiple_of(PAGE) || !self.is_busy
    }
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Sum {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }

    pub(super) fn join(&mut self, other: Sum) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

/// A stretch, walked. Bytes are those of chunks, their headers counted.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) run: Run,
    /// What the flags call in use: what caches and fastbins keep is among it.
    pub(super) in_use: Sum,
    pub(super) free: Sum,
    pub(super) largest_free: u64,
    pub(super) top_bytes: u64,
    /// Whole pages inside free chunks that hold memory.
    pub(super) idle_bytes: u64,
    pub(super) fence_bytes: u64,
    /// In use, and of the size of a cache: what the program may use of them begins here.
    pub(super) cache_like: Vec<u64>,
    /// In use by its flags, but marked with the key of the caches: free chunks that a cache keeps.
    pub(super) keyed: Sum,
    pub(super) damage: Vec<Damage>,
    /// The first byte behind what was walked.
    pub(super) end: u64,
    /// The walk came to the top, or to the posts that end a stretch.
    pub(super) is_whole: bool,
}

/// So much room for bookkeeping is taken for granted; beyond it, memory must be held that is worth it.
const ALWAYS: u64 = 1 << 30;

/// Bits take an eighth of a byte for sixteen of memory, twice: a range of which less than this part is held is a lie.
const HELD_PART: u64 = 256;

/// Of more damages than this only the bytes are counted.
const MOST_DAMAGES: usize = 64;

/// So many chunks in a row must agree before a place is believed to begin one.
const AGREEING: usize = 4;

const PAGE: u64 = 0x1000;

/// Walks a stretch, and once more when it went wrong because a chunk was being split. `newest` is what was last put into
/// the list of free chunks not sorted yet. None when the size of the stretch is a lie.
pub(super) fn mended(image: &Image<'_>, stretch: Stretch, newest: u64, key: Option<u64>) -> Option<Walk> {
    let first = walk(image.pieces, stretch, key)?;
    let Some(rest) = split::rest(image, stretch, newest, &first) else { return Some(first) };
    walk(image.pieces, Stretch { known: Some(rest), ..stretch }, key)
}

/// Walks a stretch. None when its size is a lie.
pub(super) fn walk(pieces: &Pieces<'_>, stretch: Stretch, key: Option<u64>) -> Option<Walk> {
    let range = Range::new(Address(stretch.start), Address(stretch.limit))?;
    let size = range.size().0;
    if size > ALWAYS && held(pieces, range) < size / HELD_PART {
        return None;
    }
    let mut walk = Walk {
        run: Run::packed(range, chunk::HEAD, chunk::TAIL),
        in_use: Sum::default(),
        free: Sum::default(),
        largest_free: 0,
        top_bytes: 0,
        idle_bytes: 0,
        fence_bytes: 0,
        cache_like: Vec::new(),
        keyed: Sum::default(),
        damage: Vec::new(),
        end: stretch.start,
        is_whole: false,
    };
    let mut cursor = Cursor::new(pieces);
    let mut at = stretch.start;
    let mut before: Option<Chunk> = None;
    while at < stretch.limit {
        match step(&mut cursor, stretch, at) {
            Step::Chunk { size, prev_in_use } => {
                if let Some(before) = before.take() {
                    walk.close(&mut cursor, pieces, before, at, prev_in_use);
                }
                walk.run.begin(Address(at));
                let keyed = key.is_some_and(|key| cursor.word(at + 24) == Some(key));
                before = Some(Chunk { at, size, keyed });
                at += size;
            }
            Step::Top { size, prev_in_use } => {
                if let Some(before) = before.take() {
                    walk.close(&mut cursor, pieces, before, at, prev_in_use);
                }
                walk.run.begin(Address(at));
                walk.top_bytes = size;
                at += size;
                walk.is_whole = true;
                break;
            }
            Step::Fence { prev_in_use } => {
                if let Some(before) = before.take() {
                    walk.close(&mut cursor, pieces, before, at, prev_in_use);
                }
                walk.run.begin(Address(at));
                walk.fence_bytes = 2 * chunk::FENCEPOST;
                at += walk.fence_bytes;
                walk.is_whole = true;
                break;
            }
            Step::Broken(what) => {
                let suspect = before.take().map(|before| {
                    walk.run.begin(Address(at));
                    walk.take_live(before);
                    Range { start: Address(before.at + chunk::HEAD), end: Address(at + chunk::TAIL) }
                });
                let next = resync(&mut cursor, stretch, at).unwrap_or(stretch.limit);
                walk.damaged(at, what, suspect, next - at);
                at = next;
            }
        }
    }
    if let Some(before) = before {
        walk.take_live(before);
    }
    walk.end = at.min(stretch.limit);
    walk.run.shorten(Address(walk.end));
    Some(walk)
}

#[derive(Clone, Copy)]
struct Chunk {
    at: u64,
    size: u64,
    keyed: bool,
}

pub(super) enum Step {
    Chunk { size: u64, prev_in_use: bool },
    Top { size: u64, prev_in_use: bool },
    Fence { prev_in_use: bool },
    Broken(String),
}

/// What stands at an address where a chunk should begin. A size is believed only when it is possible: a damaged header
/// must cost one gap, not the walk.
#[inline]
pub(super) fn step(cursor: &mut Cursor<'_>, stretch: Stretch, at: u64) -> Step {
    let Some(word) = cursor.word(at + 8) else {
        return Step::Broken("the header of a chunk cannot be read".into());
    };
    let (size, prev_in_use) = (word & !chunk::FLAGS, word & chunk::PREV_INUSE != 0);
    if let Some(known) = stretch.known.filter(|known| known.start.0 == at) {
        return Step::Chunk { size: known.size().0, prev_in_use: true };
    }
    let fits = size % 16 == 0 && size <= stretch.limit.saturating_sub(at);
    if stretch.top == Some(at) {
        if fits && size >= chunk::FENCEPOST && stretch.is_top(at, size) {
            return Step::Top { size, prev_in_use };
        }
        // It has moved, and its size is not written yet. In front of it stands what was cut from it.
        if stretch.is_busy {
            return Step::Top { size: stretch.limit - at, prev_in_use: true };
        }
        return Step::Broken(format!("the size of the top is {word:#x}"));
    }
    let flags = if stretch.is_main { chunk::IS_MMAPPED | chunk::NON_MAIN } else { chunk::IS_MMAPPED };
    if fits
        && size >= chunk::SMALLEST
        && word & flags == 0
        && stretch.top.is_none_or(|top| at > top || at + size <= top)
    {
        return Step::Chunk { size, prev_in_use };
    }
    // What is cut from the top still has the size of all of it, or what becomes a part of the top has it already.
    if let Some(top) = stretch.top.filter(|&top| stretch.is_busy && at < top && size == stretch.limit - at) {
        return Step::Chunk { size: top - at, prev_in_use };
    }
    if size == chunk::FENCEPOST
        && cursor.word(at + 24).is_some_and(|next| next & !chunk::FLAGS <= chunk::FENCEPOST)
    {
        return Step::Fence { prev_in_use };
    }
    Step::Broken(format!("the size of a chunk is {word:#x}"))
}

/// The next place where chunks agree with each other, or the top.
fn resync(cursor: &mut Cursor<'_>, stretch: Stretch, broken: u64) -> Option<u64> {
    let mut at = broken + 16;
    while at < stretch.limit {
        at = cursor.next_held(at)?.checked_next_multiple_of(16)?;
        if at >= stretch.limit {
            return None;
        }
        if stretch.top == Some(at) || agree(cursor, stretch, at) {
            return Some(at);
        }
        at += 16;
    }
    None
}

pub(super) fn agree(cursor: &mut Cursor<'_>, stretch: Stretch, start: u64) -> bool {
    let mut at = start;
    for index in 0..AGREEING {
        match step(cursor, stretch, at) {
            Step::Chunk { size, .. } => {
                if !says_twice(cursor, at, size) {
                    return false;
                }
                at += size;
            }
            Step::Top { .. } | Step::Fence { .. } => return index > 0,
            Step::Broken(_) => return false,
        }
    }
    true
}

/// What a free chunk says of its size, it says twice. One in use need not.
pub(super) fn says_twice(cursor: &mut Cursor<'_>, at: u64, size: u64) -> bool {
    let next = at + size;
    let is_in_use = cursor.word(next + 8).is_some_and(|word| word & chunk::PREV_INUSE != 0);
    is_in_use || cursor.word(next) == Some(size)
}

impl Walk {
    /// Books a chunk, now that the next one says whether it is in use.
    #[inline]
    fn close(
        &mut self,
        cursor: &mut Cursor<'_>,
        pieces: &Pieces<'_>,
        before: Chunk,
        next: u64,
        in_use: bool,
    ) {
        if in_use {
            self.take_live(before);
            return;
        }
        self.free.add(before.size);
        self.largest_free = self.largest_free.max(before.size);
        if before.size > 0x1000 {
            self.idle_bytes += idle(pieces, before);
        }
        let said = cursor.word(next).unwrap_or_default();
        if said != before.size {
            let what = format!(
                "a free chunk of {:#x} bytes is followed by a copy of its size that says {said:#x}",
                before.size
            );
            self.damaged(before.at, what, None, 0);
        }
    }

    #[inline]
    fn take_live(&mut self, before: Chunk) {
        self.in_use.add(before.size);
        if before.keyed {
            self.keyed.add(before.size);
            return;
        }
        self.run.set_live(Address(before.at), true);
        if CACHE_SIZES.contains(&before.size) && CACHES.iter().any(|cache| cache.fits(before.size)) {
            self.cache_like.push(before.at + chunk::HEAD);
        }
    }

    fn damaged(&mut self, at: u64, what: String, suspect: Option<Range>, unwalked: u64) {
        if self.damage.len() == MOST_DAMAGES {
            let last = self.damage.last_mut().expect("there are many");
            last.unwalked += Bytes(unwalked);
            return;
        }
        self.damage.push(Damage { at: Address(at), what, suspect, unwalked: Bytes(unwalked) });
    }
}

/// How much of a range is held.
pub(super) fn held(pieces: &Pieces<'_>, range: Range) -> u64 {
    pieces.within(range).map(|(_, bytes)| bytes.len() as u64).sum()
}

/// Whole pages inside a free chunk, which `malloc_trim` gives back. Its own words stay. Source: `mtrim`.
fn idle(pieces: &Pieces<'_>, free: Chunk) -> u64 {
    const OWN: u64 = 0x30;
    let (start, end) = ((free.at + OWN).next_multiple_of(PAGE), (free.at + free.size) / PAGE * PAGE);
    Range::new(Address(start), Address(end)).map_or(0, |pages| held(pieces, pages))
}
