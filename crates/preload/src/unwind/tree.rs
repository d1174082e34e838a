//! The shared tree of stacks: threads and processes add to it without locks.
//!
//! The index over its nodes has levels, each twice as large as the one before. A level has buckets of a cache line; a node
//! stands in the bucket of its hash in the first level where that had room. So a tree of some thousand nodes has an index of
//! some pages, and what a growing tree has found once it goes on finding: nothing ever moves.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32};

use residue_recording::wire::{Header, INDEX_SLOTS, NODES, Node};

use crate::segment::Segment;
use crate::sys;

/// The slots of a bucket: a line of the cache.
const BUCKET: usize = 16;
/// The buckets of the first level: a page.
const FIRST: usize = 64;
const LEVELS: usize = 11;
/// A slot has the node's number in the low bits, and above some bits of its hash: most others are told apart by them.
const NUMBER: u32 = NODES as u32 - 1;
/// So many nodes are given memory at a time.
const STRETCH: u32 = 2048;

const _: () = assert!(FIRST * ((1 << LEVELS) - 1) * BUCKET <= INDEX_SLOTS && NODES.is_power_of_two());

/// Nodes that were found before, each at its hash: most are found again here at once. What a hint says is compared.
static HINTS: [AtomicU32; 16_384] = [const { AtomicU32::new(0) }; 16_384];

/// So many levels, and nodes, are known to have memory behind them: the file system that they are in may be full, and
/// the kernel ends who touches what is not there.
static LEVELS_THERE: AtomicU32 = AtomicU32::new(0);
static NODES_THERE: AtomicU32 = AtomicU32::new(0);
/// There was no more memory: the tree stays as it is.
static IS_DRY: AtomicBool = AtomicBool::new(false);

/// The node of a frame that was called from `caller`'s; a new one if there was none. None when the tree is full.
pub(super) fn child(segment: &Segment, caller: u32, code: u64) -> Option<u32> {
    let hash = hash(caller, code);
    let hint = &HINTS[(hash >> 40) as usize % HINTS.len()];
    let hinted = hint.load(Relaxed);
    if hinted != 0 && is(segment, hinted, caller, code) {
        return Some(hinted);
    }
    let found = indexed(segment, hash, caller, code)?;
    hint.store(found, Relaxed);
    Some(found)
}

#[inline(always)]
fn is(segment: &Segment, number: u32, caller: u32, code: u64) -> bool {
    let node = &segment.nodes()[(number & NUMBER) as usize];
    node.code.load(Acquire) == code && node.caller.load(Relaxed) == caller
}

#[inline(never)]
fn indexed(segment: &Segment, hash: u64, caller: u32, code: u64) -> Option<u32> {
    let tag = (hash as u32) & !NUMBER;
    let mut mine = 0;
    for level in 0..LEVELS {
        for slot in bucket(segment, level, hash)? {
            let mut found = slot.load(Acquire);
            if found == 0 {
                if mine == 0 {
                    mine = take(segment)?;
                    let node = &segment.nodes()[mine as usize];
                    // The code last: a node with code is whole.
                    node.caller.store(caller, Relaxed);
                    node.code.store(code, Release);
                }
                match slot.compare_exchange(0, mine | tag, AcqRel, Acquire) {
                    Ok(_) => return Some(mine),
                    Err(other) => found = other,
                }
            }
            if found & !NUMBER == tag && is(segment, found, caller, code) {
                return Some(found & NUMBER);
            }
        }
    }
    segment.header().trouble.fetch_or(Header::FULL, Relaxed);
    None
}

/// All bits of it are as good.
#[inline(always)]
fn hash(caller: u32, code: u64) -> u64 {
    let mixed =
        (code ^ u64::from(caller) << 40 ^ u64::from(caller) << 15).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[inline(always)]
fn bucket(segment: &Segment, level: usize, hash: u64) -> Option<&'static [AtomicU32]> {
    if level >= LEVELS_THERE.load(Relaxed) as usize && !is_there(segment, level) {
        return None;
    }
    let before = FIRST * ((1 << level) - 1);
    let number = before + (hash >> 40) as usize % (FIRST << level);
    segment.index().get(number * BUCKET..(number + 1) * BUCKET)
}

#[cold]
fn is_there(segment: &Segment, level: usize) -> bool {
    if IS_DRY.load(Relaxed) {
        return false;
    }
    let slots = segment.index()[FIRST * ((1 << level) - 1) * BUCKET..][..(FIRST << level) * BUCKET].as_ptr();
    let is_there = sys::populate(slots.cast_mut().cast(), (FIRST << level) * BUCKET * size_of::<AtomicU32>());
    if is_there {
        LEVELS_THERE.fetch_max(level as u32 + 1, Relaxed);
    } else {
        IS_DRY.store(true, Relaxed);
        segment.header().trouble.fetch_or(Header::FULL, Relaxed);
    }
    is_there
}

/// A node of our own. When another thread is quicker to add the same frame it is lost, which is rare.
fn take(segment: &Segment) -> Option<u32> {
    let header = segment.header();
    let taken: &AtomicU32 = &header.nodes;
    // Looked at before it is added to: a full tree must not count up until it begins anew.
    let mine = if taken.load(Relaxed) < NUMBER { taken.fetch_add(1, Relaxed) + 1 } else { NODES as u32 };
    if mine > NUMBER || (mine >= NODES_THERE.load(Relaxed) && !are_there(segment, mine)) {
        header.trouble.fetch_or(Header::FULL, Relaxed);
        return None;
    }
    Some(mine)
}

/// Gives memory to all nodes up to a new one, and to some more.
#[cold]
fn are_there(segment: &Segment, mine: u32) -> bool {
    if IS_DRY.load(Relaxed) {
        return false;
    }
    let (start, end) = (NODES_THERE.load(Relaxed), (mine + 1).next_multiple_of(STRETCH));
    let nodes = &segment.nodes()[start as usize..end as usize];
    let are_there = sys::populate(nodes.as_ptr().cast_mut().cast(), size_of_val::<[Node]>(nodes));
    if are_there {
        NODES_THERE.fetch_max(end, Relaxed);
    } else {
        IS_DRY.store(true, Relaxed);
    }
    are_there
}
