//! Walks musl's allocator in cores of a program that wrote down each block that it held.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use residue_heap::{HeapWalker, Image, Mallocng};
use residue_model::{Address, ArenaKind, Bytes, Heap, Verified};

use crate::core_file::CoreFile;

fn heap(image: &Image<'_>) -> Heap {
    let mut walked = Mallocng.walk(image);
    assert_eq!(walked.heaps.len(), 1, "{:?}", walked.gaps);
    walked.heaps.remove(0)
}

/// Where each block stands and how many bytes were asked for.
fn truth(name: &str) -> BTreeMap<u64, u64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/heap").join(name);
    let text = fs::read_to_string(path).expect("the truth is there");
    text.lines()
        .map(|line| {
            let (address, size) = line.split_once(' ').expect("an address and a size");
            let digits = address.strip_prefix("0x").expect("in hex");
            (u64::from_str_radix(digits, 16).expect("a number"), size.parse().expect("a number"))
        })
        .collect()
}

fn found(heap: &Heap) -> BTreeMap<u64, u64> {
    heap.blocks.live().map(|block| (block.range.start.0, block.size().0)).collect()
}

/// Every block where it is and as large as it was asked for, in slots of groups in groups, cycled, aligned up to 8 MiB,
/// mapped alone, resized in place; and none that is not.
#[test]
fn every_block_has_the_size_that_was_asked_for() {
    for name in ["musl-1.2.3-static", "musl-1.2.3-dynamic"] {
        let heap = CoreFile::open(&format!("{name}.core.zst")).look(heap);
        let truth: BTreeMap<_, _> =
            truth(&format!("{name}.txt")).into_iter().map(|(at, size)| (at, size.max(1))).collect();
        let found = found(&heap);
        let differing = |one: &BTreeMap<u64, u64>, other: &BTreeMap<u64, u64>| {
            one.iter()
                .filter(|(at, size)| other.get(at) != Some(size))
                .map(|(&at, &size)| (at, size))
                .collect::<Vec<_>>()
        };
        assert_eq!((differing(&truth, &found), differing(&found, &truth)), (vec![], vec![]), "{name}");
        assert_eq!(heap.verified(), Verified::Exact, "{name}: {:?} {:?}", heap.identities, heap.damage);
        assert!(heap.gaps.is_empty(), "{:?}", heap.gaps);
    }
}

/// What the system gave is live, free or the allocator's own: nothing is left over.
#[test]
fn arenas_sum_up_to_what_the_system_gave() {
    let heap = CoreFile::open("musl-1.2.3-static.core.zst").look(heap);
    for arena in &heap.arenas {
        let parts = arena.live_bytes.0 + arena.free_bytes.0 + arena.own_bytes.0;
        assert_eq!(parts, arena.system_bytes.0, "{arena:?}");
    }
    let kinds: Vec<_> = heap.arenas.iter().map(|arena| (arena.kind, arena.live_blocks)).collect();
    let single = kinds.iter().find(|(kind, _)| *kind == ArenaKind::Mapped).expect("some are mapped alone");
    let large = truth("musl-1.2.3-static.txt").into_values().filter(|&size| size >= 131_052).count();
    assert_eq!(single.1, large as u64, "{kinds:?}");
}

/// mallocng keeps a zero behind each block; a program that writes one byte too many leaves it there for all to see.
#[test]
fn a_byte_written_behind_a_block_names_the_block() {
    let mut core = CoreFile::open("musl-1.2.3-static.core.zst");
    let (start, size) = truth("musl-1.2.3-static.txt").into_iter().nth(7).expect("blocks");
    core.poke(start + size, 0x5a);
    let heap = core.look(heap);
    let suspects: Vec<_> = heap.damage.iter().map(|damage| (damage.at, damage.suspect)).collect();
    let [(at, Some(suspect))] = suspects[..] else { panic!("{suspects:?}") };
    assert_eq!((at, suspect.start, suspect.size().0), (Address(start + size), Address(start), size));
    assert_ne!(heap.verified(), Verified::Exact);
}

/// A core that lost a page of metas, or a group, says what it cannot see.
#[test]
fn what_is_damaged_is_named() {
    let heap_before = CoreFile::open("musl-1.2.3-static.core.zst").look(heap);
    let page = heap_before.metadata.iter().map(|range| range.start.0).max().expect("pages of metas");
    let mut core = CoreFile::open("musl-1.2.3-static.core.zst");
    core.poke(page, 0xee);
    let broken = core.look(heap);
    assert_eq!(broken.gaps.len(), 1, "{:?}", broken.gaps);
    assert_ne!(broken.verified(), Verified::Exact);

    let group = heap_before.arenas[0].extents[3];
    let mut core = CoreFile::open("musl-1.2.3-static.core.zst");
    core.poke(group.start.0, 0xee);
    let broken = core.look(heap);
    assert!(broken.damage.iter().any(|damage| damage.at == group.start), "{:?}", broken.damage);
    assert!(matches!(broken.verified(), Verified::Partial { unexplained } if unexplained >= group.size()));
}

/// A thread that stands still while it makes a group has counted its slots and not yet filled them in: that is no loss.
/// More than a thread can leave is.
#[test]
fn a_thread_inside_of_malloc_is_no_damage() {
    let counted = |slots: i16| {
        let mut core = CoreFile::open("musl-1.2.3-static.core.zst");
        let count = core.look(heap).arenas[0].address.0 + 464 + 8 * 23;
        let before = core.look(|image| image.word(count).expect("a count"));
        let after = before.wrapping_add_signed(slots.into());
        after.to_le_bytes().into_iter().zip(count..).for_each(|(byte, at)| core.poke(at, byte));
        core.look(heap)
    };
    let stopped = counted(2);
    assert_eq!((stopped.verified(), stopped.gaps.len()), (Verified::Exact, 1), "{:?}", stopped.gaps);
    let wrong = counted(200);
    assert_eq!(wrong.verified(), Verified::Partial { unexplained: Bytes(200) });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever stands where the allocator keeps its own, the walk comes to an end and says what it found.
    #[test]
    fn no_bytes_make_it_fail(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        static CORE: LazyLock<CoreFile> = LazyLock::new(|| CoreFile::open("musl-1.2.3-static.core.zst"));
        let mut core = CORE.clone();
        let heap = core.look(heap);
        let own: Vec<u64> = heap.metadata.iter().flat_map(|range| (range.start.0..range.end.0).step_by(3)).collect();
        let heads = heap.blocks.runs().iter().flat_map(|run| run.range().start.0..run.range().start.0 + 16);
        let near = heap.blocks.live().flat_map(|block| block.range.start.0 - 8..block.range.start.0);
        let places: Vec<u64> = own.into_iter().chain(heads).chain(near).collect();
        for (place, byte) in changes {
            core.poke(*place.get(&places), byte);
        }
        for heap in core.look(|image| Mallocng.walk(image)).heaps {
            let bytes: u64 = heap.blocks.live().map(|block| block.size().0).sum();
            prop_assert!(bytes < 1 << 24, "no more than the core holds");
        }
    }
}
