//! Walks glibc's heaps in cores of three versions, against what `mallinfo2` said right before the process ended.
//!
//! These cores tell no threads, so that caches are found without thread-local storage.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use residue_heap::{Glibc, HeapWalker, Image};
use residue_model::{Address, ArenaKind, Heap, Protection, Range, Region, Verified};

use crate::core_file::CoreFile;

const VERSIONS: [&str; 3] = ["2.36", "2.41", "2.43"];

fn core(version: &str) -> CoreFile {
    CoreFile::open(&format!("glibc-{version}.core.zst"))
}

fn heap(core: &CoreFile) -> Heap {
    let mut walked = core.look(|image| Glibc.walk(image));
    assert_eq!(walked.heaps.len(), 1);
    walked.heaps.remove(0)
}

/// A figure of `mallinfo2` as the program wrote it down.
fn stated(version: &str, name: &str) -> u64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/heap/glibc-{version}.txt"));
    let text = fs::read_to_string(path).expect("the truth is there");
    let field = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    field.unwrap_or_else(|| panic!("nothing is said of {name}")).parse().expect("a number")
}

#[test]
fn the_figures_of_mallinfo2_are_those_of_the_process() {
    for version in VERSIONS {
        let heap = heap(&core(version));
        let info = heap.mallinfo.expect("glibc has it");
        let walked = [
            ("arena", info.arena),
            ("ordblks", info.ordblks),
            ("smblks", info.smblks),
            ("hblks", info.hblks),
            ("hblkhd", info.hblkhd),
            ("fsmblks", info.fsmblks),
            ("uordblks", info.uordblks),
            ("fordblks", info.fordblks),
            ("keepcost", info.keepcost),
        ];
        for (name, value) in walked {
            assert_eq!(value, stated(version, name), "{name} of {version}");
        }
        assert_eq!(heap.verified(), Verified::Exact, "{version}: {:?}", heap.identities);
        assert!(
            heap.damage.is_empty() && heap.gaps.is_empty(),
            "{version}: {:?} {:?}",
            heap.damage,
            heap.gaps
        );
    }
}

#[test]
fn the_layout_is_told_from_the_structures_alone() {
    let layouts = VERSIONS.map(|version| heap(&core(version)).layout);
    assert_eq!(layouts, ["2.35 ... 2.41", "2.35 ... 2.41", "2.43"]);
}

/// The same program ran under all three: what it holds is the same, whatever the library keeps beside it.
#[test]
fn the_program_has_the_same_blocks_under_each_version() {
    let counts = VERSIONS.map(|version| heap(&core(version)).blocks.count());
    assert_eq!(counts, [53261; 3]);
}

/// Blocks, caches, free chunks, tops and what is malloc's own must be all that there is.
#[test]
fn the_parts_of_an_arena_are_the_whole() {
    for version in VERSIONS {
        for arena in heap(&core(version)).arenas {
            let parts =
                [arena.live_bytes, arena.free_bytes, arena.cached_bytes, arena.top_bytes, arena.own_bytes];
            let sum: u64 = parts.iter().map(|part| part.0).sum();
            assert_eq!(sum, arena.system_bytes.0, "{version}: {arena:?}");
        }
    }
}

/// A block that is overrun damages the size of the next: the walk must name both, go on behind, and say what it missed.
#[test]
fn an_overrun_costs_one_block_and_names_its_suspect() {
    for version in VERSIONS {
        let mut core = core(version);
        let whole = heap(&core);
        let blocks: Vec<_> = whole.blocks.live().collect();
        let (culprit, victim) = (blocks[5000], blocks[5001]);
        assert_eq!(victim.range.start.0 - culprit.range.end.0, 8, "neighbours");
        for byte in 0..8 {
            core.poke(culprit.range.end.0 + byte, b'A');
        }
        let damaged = heap(&core);
        let [damage] = &damaged.damage[..] else { panic!("one damage: {:?}", damaged.damage) };
        assert_eq!(damage.at, Address(culprit.range.end.0 - 8));
        assert_eq!(damage.suspect.map(|range| range.start), Some(culprit.range.start));
        assert_eq!(damage.unwalked.0, victim.range.size().0 + 8);
        assert_eq!(damaged.blocks.count() + 1, whole.blocks.count());
        assert_eq!(damaged.verified(), Verified::Partial { unexplained: damage.unwalked });
    }
}

/// A thread that splits a chunk links what is left of it before it writes its size: whatever stood there before must not
/// be taken for one.
#[test]
fn a_chunk_that_is_linked_before_it_has_a_size_costs_no_more_than_itself() {
    const FIRST_LIST: u64 = 0x60;
    let mut core = core("2.36");
    let arenas = heap(&core).arenas;
    let arena = arenas.iter().find(|arena| arena.free_blocks > 0).expect("one has free chunks").address.0;
    let mut heads = (0..126).map(|list| arena + FIRST_LIST + 16 * list);
    let chunk =
        core.look(|image| heads.find_map(|head| image.word(head + 16).filter(|&first| first != head)));
    let chunk = chunk.expect("a free chunk is listed");
    poke_word(&mut core, chunk + 8, 0x7f95_bc01_70d0);

    let heap = heap(&core);

    let Verified::Partial { unexplained } = heap.verified() else { panic!("it is taken for exact") };
    assert!(unexplained.0 < 64 << 10, "{:?}", heap.identities);
    assert!(heap.damage.iter().any(|damage| damage.what.contains("in a list of free ones says")));
}

/// Where `mp_` stands.
fn settings(heap: &Heap) -> Address {
    heap.metadata.iter().find(|range| range.size().0 == 0x80).expect("it was found").start
}

fn poke_word(core: &mut CoreFile, at: u64, word: u64) {
    (at..).zip(word.to_le_bytes()).for_each(|(at, byte)| core.poke(at, byte));
}

#[test]
fn whatever_users_set_malloc_up_to_its_settings_are_found() {
    // `trim_threshold`, `top_pad` and `mmap_threshold`, all of which `mallopt` and `GLIBC_TUNABLES` take.
    let set_up = [[i64::MAX as u64, 0, 0], [0, 0, 1 << 62], [u64::MAX, 0x2_0000, u64::MAX]];
    for (version, words) in VERSIONS.into_iter().flat_map(|version| set_up.map(|words| (version, words))) {
        let mut core = core(version);
        let plain = heap(&core);
        let at = settings(&plain);
        for (index, word) in (0..).zip(words) {
            poke_word(&mut core, at.0 + 8 * index, word);
        }
        let heap = heap(&core);
        assert_eq!((settings(&heap), &heap.layout), (at, &plain.layout), "{version}: {words:x?}");
        assert_eq!(heap.verified(), Verified::Exact, "{version}: {words:x?}");
        assert!(heap.parameters.iter().any(|row| row.name == "mmap_threshold" && row.value == words[2]));
    }
}

/// The start of a page of the stack, which no heap has.
fn page_of_stack(core: &CoreFile) -> u64 {
    core.look(|image| image.pieces.0.last().expect("a stack is there").0.0) + 0x1000
}

#[test]
fn a_page_that_begins_like_a_mapped_block_is_none_when_malloc_counts_no_more() {
    for version in VERSIONS {
        let mut core = core(version);
        let blocks = heap(&core).blocks.count();
        let page = page_of_stack(&core);
        poke_word(&mut core, page, 0);
        poke_word(&mut core, page + 8, if version == "2.43" { 0xff0 | 2 } else { 0x1000 | 2 });
        let heap = heap(&core);
        assert_eq!((heap.verified(), heap.blocks.count()), (Verified::Exact, blocks), "{version}");
        assert!(heap.blocks.live().all(|block| !block.range.contains(Address(page + 0x20))), "{version}");
    }
}

#[test]
fn an_address_at_the_end_of_all_is_a_gap() {
    for version in VERSIONS {
        let mut core = core(version);
        let plain = heap(&core);
        let thread = plain.arenas.iter().find(|arena| arena.kind == ArenaKind::Thread).expect("there is one");
        // The heap before this one.
        poke_word(&mut core, thread.extents[0].start.0 + 8, u64::MAX - 7);
        assert_eq!(heap(&core).gaps.len(), plain.gaps.len() + 1, "{version}");
        for offset in (0..0x80).step_by(8) {
            poke_word(&mut core, settings(&plain).0 + offset, u64::MAX - 3);
        }
        assert_eq!(heap(&core).gaps.len(), plain.gaps.len() + 2, "{version}");
    }
}

/// The main arena is said to have more than there is, and elsewhere anything may begin it: each row is as long as all.
#[test]
fn the_rest_of_an_arena_is_looked_for_in_time() {
    const SIZE: u64 = 64 << 20;
    let mut core = core("2.41");
    let arena = heap(&core).arenas[0].address.0;
    for field in [0x888, 0x890] {
        let system = core.look(|image| image.word(arena + field)).expect("it is there");
        poke_word(&mut core, arena + field, system + SIZE);
    }
    let row = [[0; 8], 0x21_u64.to_le_bytes(), [0; 8], [0; 8]].concat();
    let rows = row.repeat(usize::try_from(SIZE / 32).expect("it fits"));
    let began = Instant::now();
    let walked = core.look(|image| {
        let range = Range { start: Address(0x1000_0000), end: Address(0x1000_0000 + SIZE) };
        let protection = Protection { read: true, write: true, ..Protection::default() };
        let mut regions = image.regions.to_vec();
        regions.push(Region { range, protection, ..Region::default() });
        regions.sort_by_key(|region| region.range.start);
        let mut pieces = image.pieces.clone();
        pieces.0.push((range.start, &rows));
        pieces.0.sort_by_key(|piece| piece.0);
        Glibc.walk(&Image { pieces: &pieces, regions: &regions, ..*image })
    });
    assert_ne!(walked.heaps[0].verified(), Verified::Exact);
    // By the square of its size it would be minutes.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever stands in memory, the walk ends, and what it gives as live lies inside the heap and does not overlap.
    #[test]
    fn damaged_bytes_never_break_the_walk(
        version in 0_usize..3,
        pokes in proptest::collection::vec((0_usize..40_000, -24_i64..24, any::<u8>()), 1..60),
    ) {
        let mut core = core(VERSIONS[version]);
        let blocks: Vec<_> = heap(&core).blocks.live().collect();
        for (index, offset, byte) in pokes {
            core.poke(blocks[index].range.start.0.wrapping_add_signed(offset), byte);
        }
        let walked = core.look(|image| Glibc.walk(image));
        for heap in walked.heaps {
            let mut end = Address(0);
            for block in heap.blocks.live() {
                prop_assert!(block.range.start >= end && block.range.end >= block.range.start);
                end = block.range.end;
            }
        }
    }

    /// The same for malloc's own variables.
    #[test]
    fn damaged_variables_never_break_the_walk(
        version in 0_usize..3,
        pokes in proptest::collection::vec((0_usize..4, 0_u64..0x840, any::<u8>()), 1..40),
    ) {
        let mut core = core(VERSIONS[version]);
        let metadata = heap(&core).metadata;
        for (index, offset, byte) in pokes {
            let range = metadata[index % metadata.len()];
            core.poke(range.start.0 + offset % range.size().0, byte);
        }
        core.look(|image| Glibc.walk(image));
    }
}
