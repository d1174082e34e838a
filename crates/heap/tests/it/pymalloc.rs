//! Walks Python's small blocks in a core, against what the interpreter said of them in the same moment.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use residue_heap::{HeapWalker, Pymalloc, Walked};
use residue_model::{Heap, Run, Verified};

use crate::core_file::CoreFile;

static CORE: LazyLock<CoreFile> = LazyLock::new(|| CoreFile::open("python-3.11-pymalloc.core.zst"));

fn walked(core: &CoreFile) -> Walked {
    core.look(|image| Pymalloc.walk(image))
}

fn heap(core: &CoreFile) -> Heap {
    let mut walked = walked(core);
    assert_eq!(walked.heaps.len(), 1);
    walked.heaps.remove(0)
}

/// What `_PyObject_DebugMallocStats` printed: the figure behind a name, and how many blocks there are of each size.
struct Stats(String);

impl Stats {
    fn read() -> Stats {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/heap/python-3.11-pymalloc.txt");
        Stats(fs::read_to_string(path).expect("the statistics are there"))
    }

    fn figure(&self, name: &str) -> u64 {
        let line =
            self.0.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no line has `{name}`"));
        let figure = line.rsplit_once('=').expect("a figure").1.trim().replace(',', "");
        figure.parse().expect("a number")
    }

    fn blocks(&self) -> BTreeMap<u64, u64> {
        let rows = self.0.lines().filter_map(|line| {
            let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
            let [_, size, _, blocks, _] = numbers[..] else { return None };
            Some((size, blocks))
        });
        rows.collect()
    }
}

#[test]
fn every_size_has_as_many_blocks_as_the_interpreter_says() {
    let (heap, stats) = (heap(&CORE), Stats::read());
    let mut blocks = BTreeMap::new();
    heap.blocks.live().for_each(|block| *blocks.entry(block.size().0).or_insert(0) += 1);
    assert!(blocks.len() > 20);
    assert_eq!(blocks, stats.blocks());
    assert_eq!(heap.verified(), Verified::Exact, "{:?} {:?}", heap.identities, heap.damage);
}

#[test]
fn the_sums_are_those_of_the_interpreter() {
    let (heap, stats) = (heap(&CORE), Stats::read());
    let [arena] = &heap.arenas[..] else { panic!("one list of arenas") };
    assert_eq!(arena.extents.len() as u64, stats.figure("arenas allocated current"));
    assert_eq!(arena.live_bytes.0, stats.figure("bytes in allocated blocks"));
    assert_eq!(arena.free_bytes.0, stats.figure("bytes in available blocks"));
    assert_eq!(
        arena.own_bytes.0,
        stats.figure("lost to pool headers") + stats.figure("lost to quantization")
    );
    assert_eq!(arena.top_bytes.0, stats.figure("unused pools") + stats.figure("lost to arena alignment"));
    assert_eq!(arena.system_bytes.0, stats.figure("Total "));
}

/// Someone wrote over the first word of a pool's free list: the blocks behind it look live, and the pool's own count
/// says that they are not.
#[test]
fn a_free_list_that_ends_too_early_is_named() {
    let before = heap(&CORE);
    let free = |run: &&Run| {
        before.blocks.all().filter(|block| run.range().contains(block.range.start) && !block.live).count()
    };
    let run = before.blocks.runs().iter().find(|run| free(run) > 40).expect("a pool with many free blocks");
    let pool = run.range().start.0 - 48;
    let mut core = CORE.clone();
    (pool + 8..pool + 16).for_each(|at| core.poke(at, 0));
    let broken = heap(&core);
    assert_eq!(broken.damage.iter().map(|damage| damage.at.0).collect::<Vec<_>>(), [pool]);
    assert_ne!(broken.verified(), Verified::Exact);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_bytes_make_it_fail(changes in proptest::collection::vec((any::<prop::sample::Index>(), 0_u64..48, any::<u8>()), 1..20)) {
        let mut core = CORE.clone();
        let heap = heap(&core);
        let mut places: Vec<u64> = heap.blocks.runs().iter().map(|run| run.range().start.0 - 48).collect();
        places.extend(heap.metadata.iter().flat_map(|range| (range.start.0..range.end.0).step_by(48)));
        places.extend(heap.blocks.all().filter(|block| !block.live).map(|block| block.range.start.0));
        for (place, offset, byte) in changes {
            core.poke(*place.get(&places) + offset, byte);
        }
        for heap in walked(&core).heaps {
            prop_assert!(heap.blocks.live().map(|block| block.size().0).sum::<u64>() < 4 << 20);
        }
    }
}
