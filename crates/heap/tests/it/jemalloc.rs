//! Walks jemalloc in cores of a program that keeps a table of each block it holds, and asks jemalloc for its own counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use residue_heap::{HeapWalker, Image, Jemalloc, Walked};
use residue_model::{Bytes, Heap, Pieces, Range, Verified};

use crate::core_file::CoreFile;

const DEBIAN: &str = "jemalloc-5.3.0-debian";
const QUANTUM8: &str = "jemalloc-5.3.0-quantum8";
const CONFIGURED: &str = "jemalloc-5.3.0-configured";
const WIDE: &str = "jemalloc-5.3.0-debian13";
const GUARDED: &str = "jemalloc-5.3.0-guarded";

/// A core, and what its program said.
struct Case {
    core: CoreFile,
    facts: BTreeMap<String, u64>,
}

impl Case {
    fn open(name: &str) -> Case {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/heap").join(name);
        let facts = fs::read_to_string(format!("{}.txt", path.display())).expect("the truth is there");
        let facts = facts.lines().map(|line| {
            let (name, value) = line.split_once('=').expect("a name and a value");
            let value =
                value.strip_prefix("0x").map_or_else(|| value.parse(), |hex| u64::from_str_radix(hex, 16));
            (name.to_owned(), value.expect("a number"))
        });
        Case { facts: facts.collect(), core: CoreFile::open(&format!("{name}.core.zst")) }
    }

    fn fact(&self, name: &str) -> u64 {
        self.facts[name]
    }

    /// Where each block of the program stands, and its usable bytes.
    fn truth(&self, image: &Image<'_>) -> BTreeMap<u64, u64> {
        let rows = (0..self.fact("blocks")).map(|row| self.fact("table") + row * 16);
        let word = |at| image.word(at).expect("the table is in the core");
        rows.map(|at| (word(at), word(at + 8))).collect()
    }
}

fn heap(walked: Walked) -> Heap {
    let [heap] =
        <[Heap; 1]>::try_from(walked.heaps).unwrap_or_else(|_| panic!("one heap: {:?}", walked.gaps));
    heap
}

fn found(heap: &Heap) -> BTreeMap<u64, u64> {
    heap.blocks.live().map(|block| (block.range.start.0, block.size().0)).collect()
}

/// Every block of the program with its usable size, and of others only those of the C and C++ library: what libstdc++
/// keeps for exceptions, and a table of the loader for each thread. In a static program there is none of these.
#[test]
fn every_block_is_found_and_nothing_else() {
    let cases: [(&str, &[u64]); 5] = [
        (DEBIAN, &[81920, 320, 320, 320]),
        (QUANTUM8, &[]),
        (CONFIGURED, &[81920, 320, 320]),
        (GUARDED, &[81920, 320, 320]),
        (WIDE, &[81920, 320, 320]),
    ];
    for (name, others) in cases {
        let case = Case::open(name);
        let (heap, truth) = case.core.look(|image| (heap(Jemalloc.walk(image)), case.truth(image)));
        let mut found = found(&heap);
        let lost: Vec<_> = truth.iter().filter(|(at, size)| found.remove(at) != Some(**size)).collect();
        assert!(lost.is_empty(), "{name}: {lost:x?}");
        let mut left: Vec<_> = found.into_values().collect();
        left.sort_by_key(|&size| std::cmp::Reverse(size));
        assert_eq!(left, others, "{name}");
        assert_eq!(heap.verified(), Verified::Exact, "{name}: {:?} {:?}", heap.identities, heap.damage);
        assert!(heap.gaps.is_empty(), "{name}: {:?}", heap.gaps);
    }
}

/// Builds differ in where blocks begin and in how many levels their map has.
#[test]
fn the_build_is_told_by_its_structures() {
    let layout = |name| heap(Case::open(name).core.look(|image| Jemalloc.walk(image))).layout;
    assert_eq!(layout(DEBIAN), "5.3.0, quantum 16, addresses of 48 bits");
    assert_eq!(layout(QUANTUM8), "5.3.0, quantum 8, addresses of 48 bits");
    assert_eq!(layout(WIDE), "5.3.0, quantum 16, addresses of 57 bits");
}

/// What `mallctl(3)` said while the program ran, from outside: `stats.allocated` counts what threads keep and the blocks
/// in which their caches are, one of `stacks` bytes for each thread and each `tcache.create`.
#[test]
fn the_sums_are_those_of_mallctl() {
    let cases = [
        (DEBIAN, 7 * 28672),
        (QUANTUM8, 5 * 32768),
        (CONFIGURED, 3 * 40960 + 2 * 49152),
        (GUARDED, 5 * 28672),
    ];
    for (name, stacks) in cases {
        let case = Case::open(name);
        let heap = heap(case.core.look(|image| Jemalloc.walk(image)));
        let live: u64 = heap.blocks.live().map(|block| block.size().0).sum();
        assert_eq!(live, case.fact("allocated") - case.fact("cached") - stacks, "{name}");
        let stated = |what: &str| -> u64 {
            heap.identities.iter().filter(|one| one.what.starts_with(what)).map(|one| one.walked).sum()
        };
        assert_eq!(stated("bytes allocated"), case.fact("allocated"), "{name}");
        assert_eq!(stated("bytes of active pages"), case.fact("active"), "{name}");
    }
}

/// What the system gave is live, kept by a thread, free or jemalloc's own: nothing is left over.
#[test]
fn arenas_sum_up_to_what_the_system_gave() {
    for name in [DEBIAN, QUANTUM8, CONFIGURED, GUARDED, WIDE] {
        let heap = heap(Case::open(name).core.look(|image| Jemalloc.walk(image)));
        for arena in &heap.arenas {
            let parts = [arena.live_bytes, arena.cached_bytes, arena.free_bytes, arena.own_bytes];
            assert_eq!(parts.into_iter().sum::<Bytes>(), arena.system_bytes, "{name}: {arena:?}");
        }
        let live: u64 = heap.arenas.iter().map(|arena| arena.live_blocks).sum();
        assert_eq!(live, heap.blocks.count(), "{name}");
    }
}

/// A page that was never touched is in no live process's memory: the map and the bases are full of them.
#[test]
fn pages_that_were_never_touched_may_be_absent() {
    let case = Case::open(DEBIAN);
    let (whole, sparse) = case.core.look(|image| {
        let pages = image.pieces.0.iter().flat_map(|(start, bytes)| {
            let pages = (start.0..).step_by(4096).zip(bytes.chunks(4096));
            pages.filter(|(_, page)| page.iter().any(|&byte| byte != 0))
        });
        let pieces = Pieces(pages.map(|(at, page)| (residue_model::Address(at), page)).collect());
        (heap(Jemalloc.walk(image)), heap(Jemalloc.walk(&Image { pieces: &pieces, ..*image })))
    });
    assert!(whole == sparse, "{:?} {:?} {:?}", sparse.identities, sparse.damage, sparse.gaps);
}

/// Pointers in jemalloc's own memory keep nothing alive: its blocks, and the stacks and halves of each cache.
#[test]
fn what_is_jemallocs_own_holds_no_block_of_the_program() {
    let case = Case::open(DEBIAN);
    let heap = heap(case.core.look(|image| Jemalloc.walk(image)));
    let is_inside = |range: &Range, at: u64| range.contains(residue_model::Address(at));
    let clash =
        heap.blocks.live().find(|block| heap.metadata.iter().any(|own| is_inside(own, block.range.start.0)));
    assert_eq!(clash, None);
    assert!(
        heap.metadata.is_sorted()
            && heap.metadata.iter().map(|range| range.size()).sum::<Bytes>() > Bytes::mib(10)
    );
}

/// The `edata_t` of the extent that begins with this page: the words `{bits, page}` in jemalloc's own memory.
fn edata(image: &Image<'_>, heap: &Heap, page: u64) -> u64 {
    let mut places = heap.metadata.iter().flat_map(|own| (own.start.0..own.end.0).step_by(128));
    let is_it = |at: &u64| {
        image.word(at + 8) == Some(page) && image.word(*at).is_some_and(|bits| bits & 0xe_0000 == 0)
    };
    places.find(is_it).expect("each slab has its extent")
}

/// A live place is marked as free and not counted: that slab is named, 64 bytes are unexplained, the rest stands.
#[test]
fn a_bit_that_fell_in_a_slab_is_named() {
    let mut case = Case::open(DEBIAN);
    let (before, at, place) = case.core.look(|image| {
        let heap = heap(Jemalloc.walk(image));
        let small = heap.blocks.live().find(|block| block.size() == Bytes(64)).expect("a block of 64 bytes");
        let page = small.range.start.0 / 4096 * 4096;
        let at = edata(image, &heap, page);
        (heap, at, (small.range.start.0 - page) / 64)
    });
    let byte = at + 64 + place / 8;
    let word = case.core.look(|image| image.word(byte / 8 * 8).expect("the bitmap"));
    case.core.poke(byte, word.to_le_bytes()[(byte % 8) as usize] | 1 << (place % 8));
    let after = heap(case.core.look(|image| Jemalloc.walk(image)));
    assert_eq!(after.damage.len(), 1, "{:?}", after.damage);
    assert_eq!(after.verified(), Verified::Partial { unexplained: Bytes(64) });
    assert_eq!(after.blocks.count() + 1, before.blocks.count());
}

/// A slab whose extent was written over is lost, page for page, and nothing else is: the walk goes on behind it.
#[test]
fn an_extent_that_was_written_over_costs_its_own_pages() {
    let mut case = Case::open(DEBIAN);
    let (before, at, page) = case.core.look(|image| {
        let heap = heap(Jemalloc.walk(image));
        let small = heap.blocks.live().find(|block| block.size() == Bytes(64)).expect("a block of 64 bytes");
        let page = small.range.start.0 / 4096 * 4096;
        (heap.clone(), edata(image, &heap, page), page)
    });
    (8..24).for_each(|offset| case.core.poke(at + offset, 0x41));
    let after = heap(case.core.look(|image| Jemalloc.walk(image)));
    let lost = |start: u64| (page..page + 4096).contains(&start);
    let expected: Vec<_> = found(&before).into_keys().filter(|&start| !lost(start)).collect();
    let cached = |heap: &Heap| heap.arenas.iter().map(|arena| arena.cached_blocks).sum::<u64>();
    assert_eq!(found(&after).into_keys().collect::<Vec<_>>(), expected);
    assert!(cached(&after) <= cached(&before));
    assert!(after.damage.iter().any(|damage| damage.unwalked == Bytes(4096)), "{:?}", after.damage);
    let Verified::Partial { unexplained } = after.verified() else { panic!("a page is gone") };
    assert!(unexplained >= Bytes(4096), "{unexplained}");
}

/// The map gone, jemalloc is still there: saying nothing would pass for a process without a heap.
#[test]
fn without_the_map_jemalloc_is_recognised_and_not_walked() {
    let mut case = Case::open(DEBIAN);
    let root = case.core.look(|image| {
        let heap = heap(Jemalloc.walk(image));
        *heap
            .metadata
            .iter()
            .find(|own| own.size() == Bytes::mib(2) && own.start.0 % 4096 != 0)
            .expect("the root")
    });
    (root.start.0 - 120..root.start.0 - 112).for_each(|at| case.core.poke(at, 0));
    let walked = case.core.look(|image| Jemalloc.walk(image));
    assert!(walked.heaps.is_empty());
    assert_eq!(
        walked.recognised.iter().map(|one| (&*one.name, one.walked)).collect::<Vec<_>>(),
        [("jemalloc", false)]
    );
    assert_eq!(walked.gaps.len(), 1);
}

/// A header as 5.2 wrote it: other fields between the arena and the size class.
#[test]
fn another_version_is_recognised_and_not_walked() {
    const AT: u64 = 0x7f00_0000_0000;
    let header = [2 << 20, 0, 0x03a0_efff, AT + 0x200, (2 << 20) - 0x200];
    let bytes: Vec<u8> = header.into_iter().flat_map(u64::to_le_bytes).collect();
    let range = Range { start: residue_model::Address(AT), end: residue_model::Address(AT + (2 << 20)) };
    let protection = residue_model::Protection { read: true, write: true, ..Default::default() };
    let region = residue_model::Region { range, protection, ..Default::default() };
    let pieces = Pieces(vec![(range.start, &bytes[..])]);
    let image = Image { pieces: &pieces, regions: &[region], threads: &[], rest: &residue_model::NoMemory };
    let walked = Jemalloc.walk(&image);
    assert!(walked.heaps.is_empty());
    assert_eq!(walked.recognised[0].evidence, "a block of jemalloc's own memory at 0x7f0000000000");
    assert_eq!(walked.gaps.len(), 1);
}

#[test]
fn a_process_without_jemalloc_has_none() {
    let walked = CoreFile::open("musl-1.2.3-static.core.zst").look(|image| Jemalloc.walk(image));
    assert!(walked.heaps.is_empty() && walked.recognised.is_empty() && walked.gaps.is_empty());
}

/// The core, and each word in jemalloc's own memory that is not zero: where a byte that is changed may matter.
static DAMAGEABLE: LazyLock<(CoreFile, Vec<u64>)> = LazyLock::new(|| {
    let case = Case::open(GUARDED);
    let words = case.core.look(|image| {
        let heap = heap(Jemalloc.walk(image));
        let words = heap.metadata.iter().flat_map(|own| (own.start.0..own.end.0).step_by(8));
        words.filter(|&at| image.word(at).is_some_and(|word| word != 0)).collect()
    });
    (case.core, words)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever stands in jemalloc's own memory, the walk ends, and counts no block twice.
    #[test]
    fn damage_never_breaks_the_walk(
        hits in proptest::collection::vec((any::<prop::sample::Index>(), 0_u64..8, any::<u8>()), 1..200),
    ) {
        let (core, words) = &*DAMAGEABLE;
        let mut core = core.clone();
        for (place, byte, value) in hits {
            core.poke(words[place.index(words.len())] + byte, value);
        }
        let walked = core.look(|image| Jemalloc.walk(image));
        for heap in &walked.heaps {
            let live: Vec<_> = heap.blocks.live().map(|block| block.range).collect();
            prop_assert!(live.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
        prop_assert!(!walked.recognised.is_empty() || walked.heaps.is_empty());
    }
}
