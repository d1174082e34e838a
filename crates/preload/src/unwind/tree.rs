//! The shared tree of stacks: threads and processes add to it without locks.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use residue_recording::wire::{Header, INDEX_SLOTS, NODES, hash};

use crate::segment::Segment;

/// No chain of taken slots is longer, unless the program wrote over them.
const LONGEST_CHAIN: usize = 4096;

/// So many nodes a thread remembers.
const RECENT: usize = 4096;

/// The nodes that a thread needed last: the shared tree is spread over much memory. All zeros is none.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Recent([Known; RECENT]);

/// What `child` said.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Known {
    code: u64,
    caller: u32,
    node: u32,
}

impl Recent {
    /// The node of a frame that was called from `caller`'s; a new one if there was none. None when the tree is full.
    #[inline]
    pub(super) fn child(&mut self, segment: &Segment, caller: u32, code: u64) -> Option<u32> {
        let mixed = (code ^ u64::from(caller) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let known = &mut self.0[(mixed >> 40) as usize % RECENT];
        if known.code != code || known.caller != caller || known.node == 0 {
            *known = Known { code, caller, node: child(segment, caller, code)? };
        }
        Some(known.node)
    }
}

/// As it stands in the shared tree.
#[cold]
#[inline(never)]
fn child(segment: &Segment, caller: u32, code: u64) -> Option<u32> {
    let (index, nodes) = (segment.index(), segment.nodes());
    let mut mine = 0;
    let start = hash(caller, code);
    for step in 0..LONGEST_CHAIN {
        let slot = &index[(start + step) % INDEX_SLOTS];
        let mut found = slot.load(Acquire);
        if found == 0 {
            if mine == 0 {
                mine = take(segment)?;
                nodes[mine as usize].code.store(code, Relaxed);
                nodes[mine as usize].caller.store(caller, Relaxed);
            }
            match slot.compare_exchange(0, mine, AcqRel, Acquire) {
                Ok(_) => return Some(mine),
                Err(other) => found = other,
            }
        }
        let node = &nodes[found as usize % NODES];
        if node.code.load(Relaxed) == code && node.caller.load(Relaxed) == caller {
            return Some(found % NODES as u32);
        }
    }
    None
}

/// A node of our own. When another thread is quicker to add the same frame it is lost, which is rare.
fn take(segment: &Segment) -> Option<u32> {
    let header = segment.header();
    let taken: &AtomicU32 = &header.nodes;
    let last = NODES as u32 - 1;
    // Looked at before it is added to: a full tree must not count up until it begins anew.
    let mine = if taken.load(Relaxed) < last { taken.fetch_add(1, Relaxed) + 1 } else { NODES as u32 };
    if mine > last {
        header.trouble.fetch_or(Header::FULL, Relaxed);
        return None;
    }
    Some(mine)
}
