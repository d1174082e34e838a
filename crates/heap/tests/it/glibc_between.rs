//! Threads that were stopped in the middle of malloc: each state in which they leave an arena, made from one at rest.
//!
//! The states are those that one sees who steps through `_int_malloc` and `_int_free` instruction by instruction. One chunk
//! between two states may cost that chunk, and never another: whoever held a block holds it still.

use std::collections::BTreeSet;

use residue_heap::{Glibc, HeapWalker, Image};
use residue_model::{ArenaKind, Heap, Thread, Verified};

use crate::core_file::CoreFile;

const VERSIONS: [&str; 3] = ["2.36", "2.41", "2.43"];

/// The size of a chunk that malloc cuts off, and the flag that the one before is in use.
const GIVEN: u64 = 0x30;
const PREV_INUSE: u64 = 1;

/// An arena at rest, whose thread is about to be in the middle.
struct Arena {
    core: CoreFile,
    /// Where `av->top` stands, and where the head of the list of chunks not sorted yet poses as a chunk.
    top: u64,
    unsorted: u64,
    before: Heap,
}

/// A free chunk in a list.
#[derive(Clone, Copy, Debug)]
struct Listed {
    at: u64,
    size: u64,
    next: u64,
    back: u64,
}

impl Arena {
    fn of(version: &str, index: usize) -> Arena {
        let core = CoreFile::open(&format!("glibc-{version}.core.zst"));
        let before = walk(&core, &[]);
        assert_eq!(before.verified(), Verified::Exact, "{version}: at rest");
        let at = before.arenas[index].address.0;
        let (top, unsorted) = if version == "2.43" { (at + 8, at + 8) } else { (at + 0x60, at + 0x60) };
        let mut arena = Arena { core, top, unsorted, before };
        // The lock is held.
        arena.poke(at, arena.word(at) & !0xffff_ffff | 1);
        arena
    }

    /// The arenas of all cores, the main ones and those of threads.
    fn all() -> Vec<(String, Arena)> {
        let arenas = VERSIONS.into_iter().flat_map(|version| {
            let whole = walk(&CoreFile::open(&format!("glibc-{version}.core.zst")), &[]);
            let kinds = whole.arenas.into_iter().map(|arena| arena.kind).enumerate();
            let own = kinds.filter(|&(_, kind)| kind != ArenaKind::Mapped);
            own.map(move |(index, kind)| (version, index, kind)).collect::<Vec<_>>()
        });
        arenas
            .map(|(version, index, kind)| (format!("{version} {kind:?}"), Arena::of(version, index)))
            .collect()
    }

    /// Those that have free chunks in lists; each version has one.
    fn with_lists() -> Vec<(String, Arena)> {
        let found: Vec<_> = Arena::all().into_iter().filter(|(_, arena)| !arena.list().is_empty()).collect();
        assert!(VERSIONS.iter().all(|version| found.iter().any(|(case, _)| case.starts_with(version))));
        found
    }

    fn word(&self, at: u64) -> u64 {
        self.core.look(|image| image.word(at)).expect("it is there")
    }

    fn poke(&mut self, at: u64, word: u64) {
        (at..).zip(word.to_le_bytes()).for_each(|(at, byte)| self.core.poke(at, byte));
    }

    /// All free chunks, list by list.
    fn lists(&self) -> Vec<Vec<Listed>> {
        let list = |head: u64| {
            let chunk = |at: u64| {
                let size = self.word(at + 8) & !7;
                Listed { at, size, next: self.word(at + 16), back: self.word(at + 24) }
            };
            let first = self.word(head + 16);
            let chunks = std::iter::successors(Some(first), |&at| Some(self.word(at + 16)));
            chunks.take_while(|&at| at != head).map(chunk).collect()
        };
        (0..127).map(|index| list(self.unsorted + 16 * index)).collect()
    }

    /// The longest list.
    fn list(&self) -> Vec<Listed> {
        self.lists().into_iter().max_by_key(Vec::len).expect("there are lists")
    }

    /// A free chunk large enough to be split.
    fn large(&self) -> Listed {
        let all = self.lists().into_iter().flatten();
        all.max_by_key(|chunk| chunk.size).filter(|chunk| chunk.size >= 4 * GIVEN).expect("one is large")
    }

    fn unlink(&mut self, chunk: Listed) {
        self.poke(chunk.back + 16, chunk.next);
        self.poke(chunk.next + 24, chunk.back);
    }

    /// Puts what may not have a size yet in front of the chunks not sorted yet.
    fn put(&mut self, at: u64) {
        let first = self.word(self.unsorted + 16);
        self.poke(at + 24, self.unsorted);
        self.poke(at + 16, first);
        self.poke(self.unsorted + 16, at);
        self.poke(first + 24, at);
    }

    /// What is walked now, and of which no more than one chunk of this size is unexplained, nor anything that was live
    /// before missing.
    fn walked(&self, case: &str, most: u64, registers: &[u64]) -> Heap {
        let heap = walk(&self.core, registers);
        let unexplained = match heap.verified() {
            Verified::Exact => 0,
            Verified::Partial { unexplained } => unexplained.0,
        };
        let says = format!("{case}: {:?} {:?}", heap.identities, heap.damage);
        assert!(unexplained <= most, "{unexplained} of {most}: {says}");
        assert!(live(&self.before).is_subset(&live(&heap)), "{says}");
        assert!(heap.gaps.iter().any(|gap| gap.why.contains("inside malloc")), "{case}");
        heap
    }

    /// What is live now and was not before.
    fn added(&self, heap: &Heap) -> Vec<u64> {
        live(heap).difference(&live(&self.before)).copied().collect()
    }
}

fn walk(core: &CoreFile, registers: &[u64]) -> Heap {
    let threads = [Thread { tid: 1, registers: registers.to_vec(), ..Thread::default() }];
    let mut walked = core.look(|image| Glibc.walk(&Image { threads: &threads, ..*image }));
    assert_eq!(walked.heaps.len(), 1);
    walked.heaps.remove(0)
}

fn live(heap: &Heap) -> BTreeSet<u64> {
    heap.blocks.live().map(|block| block.range.start.0).collect()
}

/// Free chunks that are walked and not in lists.
fn unlisted(heap: &Heap) -> u64 {
    let chunks = heap.identities.iter().find(|identity| identity.what == "free chunks in lists");
    chunks.expect("it is always told").unexplained()
}

#[test]
fn a_chunk_that_is_between_two_in_a_list_costs_no_other() {
    for (case, mut arena) in Arena::with_lists() {
        let list = arena.list();
        let hidden = list[0];
        // `fwd->bk = victim` is done, `bck->fd = victim` is not.
        arena.poke(hidden.back + 16, hidden.next);
        let heap = arena.walked(&case, hidden.size, &[]);
        assert_eq!(unlisted(&heap), 1, "{case}: {list:x?}");

        // And the other way about, where it can be seen.
        arena.poke(hidden.back + 16, hidden.at);
        arena.poke(hidden.next + 24, hidden.back);
        let heap = arena.walked(&case, 0, &[]);
        assert_eq!(unlisted(&heap), 0, "{case}");
    }
}

#[test]
fn a_chunk_that_is_in_use_before_it_leaves_its_list_costs_no_other() {
    for (case, mut arena) in Arena::with_lists() {
        let chunk = arena.list()[0];
        let behind = chunk.at + chunk.size + 8;
        arena.poke(behind, arena.word(behind) | PREV_INUSE);
        let heap = arena.walked(&case, 0, &[]);
        assert_eq!(arena.added(&heap), [chunk.at + 16], "{case}");
        assert!(heap.damage.iter().any(|damage| damage.what.contains("but in use")), "{case}");
    }
}

#[test]
fn what_is_left_of_a_chunk_is_in_a_list_before_it_is_one() {
    for (case, mut arena) in Arena::with_lists() {
        let whole = arena.large();
        arena.unlink(whole);
        arena.put(whole.at + GIVEN);
        let heap = arena.walked(&case, whole.size, &[]);
        assert_eq!(unlisted(&heap), 1, "{case}");
        assert_eq!(arena.added(&heap), [0; 0], "{case}");
    }
}

/// The part that is given away has its size, and the rest has that of a chunk which stood there once.
#[test]
fn a_chunk_that_is_being_split_leads_nobody_astray() {
    // What once stood there: too much for anything, one that ends nowhere, and one that reaches into another.
    for stale in [0, 0x7f95_bc01_70d0, 0x41, 0x30 | PREV_INUSE] {
        for (case, mut arena) in Arena::with_lists() {
            let case = format!("{case} {stale:x}");
            let whole = arena.large();
            let rest = whole.at + GIVEN;
            arena.unlink(whole);
            arena.put(rest);
            arena.poke(whole.at + 8, GIVEN | PREV_INUSE);
            arena.poke(rest + 8, stale);
            // Further such headers.
            for at in (rest + 0x30..whole.at + whole.size - 16).step_by(0x30) {
                arena.poke(at + 8, 0x31);
            }
            let left = whole.size - GIVEN;
            let heap = arena.walked(&case, left, &[left | PREV_INUSE]);
            assert_eq!(arena.added(&heap), [whole.at + 16], "{case}: {:?}", heap.damage);
            assert!(!heap.damage.is_empty(), "{case}: it is no heap at rest");
        }
    }
}

#[test]
fn a_top_that_is_being_cut_costs_nothing() {
    for (case, mut arena) in Arena::all() {
        let old = arena.word(arena.top);
        let size = arena.word(old + 8) & !7;
        assert!(size > 4 * GIVEN, "{case}");
        for (step, header) in [("moved", size), ("cut", GIVEN)] {
            let case = format!("{case} {step}");
            arena.poke(arena.top, old + GIVEN);
            arena.poke(old + GIVEN + 8, 0);
            arena.poke(old + 8, header | PREV_INUSE);
            let heap = arena.walked(&case, 0, &[]);
            assert_eq!(arena.added(&heap), [old + 16], "{case}: {:?}", heap.damage);
        }
    }
}

/// What was freed right before the top has its size already; the arena does not know yet.
#[test]
fn a_top_that_is_about_to_grow_backwards_costs_nothing() {
    for (case, mut arena) in Arena::all() {
        let top = arena.word(arena.top);
        let all = arena.word(top + 8) & !7;
        let blocks = arena.before.blocks.all().map(|block| block.range.start.0 - 16);
        let last = blocks.filter(|&at| at < top).max().expect("something stands before the top");
        let own = arena.word(last + 8);
        assert_eq!(last + (own & !7), top, "{case}");
        arena.poke(last + 8, own + all);
        let heap = arena.walked(&case, 0, &[]);
        assert_eq!(arena.added(&heap), [0; 0], "{case}");
    }
}

/// A thread takes the first of a list, or gives one, and counts it then.
#[test]
fn a_cache_that_is_about_to_be_counted_is_one() {
    for version in ["2.36", "2.41"] {
        let core = CoreFile::open(&format!("glibc-{version}.core.zst"));
        let before = walk(&core, &[]);
        let cache = before.arenas.iter().find(|arena| arena.kind == ArenaKind::Main).expect("it has one");
        let cache = cache.extents[0].start.0 + 16;
        let word = |at: u64| core.look(|image| image.word(at)).expect("it is there");
        let size = word(cache - 8) & !7;
        assert_eq!(size, 0x290, "{version}: the first of all blocks is the cache of the first thread");
        let counts: Vec<u64> = (0..64).map(|list| word(cache + 2 * list) & 0xffff).collect();
        let list = (0..).zip(&counts).find(|&(_, &count)| count > 1).expect("something is cached").0;
        for change in [1, -1] {
            let mut core = core.clone();
            let off = counts[usize::try_from(list).expect("few")].wrapping_add_signed(change);
            (cache + 2 * list..)
                .zip(u16::try_from(off).expect("few").to_le_bytes())
                .for_each(|(at, byte)| core.poke(at, byte));
            let heap = walk(&core, &[]);
            assert_eq!(live(&heap), live(&before), "{version} {change}");
            assert_eq!(heap.verified(), Verified::Exact, "{version} {change}");
        }
    }
}
