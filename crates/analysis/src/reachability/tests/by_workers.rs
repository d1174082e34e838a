//! Several threads find what one finds.

use std::ops::ControlFlow;

use super::image::{HEAP, Image, PLAIN, Process};
use crate::reachability::{Reachability, Rules};

/// Blocks of 120 bytes, more than are worth a second thread.
const COUNT: u64 = 40_000;
const STRIDE: u64 = 128;

/// A table of all blocks at random, so that all of them are there to be shared at once, and pointers between them at
/// random, so that threads meet.
fn tangle(mut chance: u64) -> Process {
    let mut next = move || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance
    };
    let mut image = Image::new();
    for _ in 0..COUNT {
        image = image.block("", 120);
    }
    let start = |index: u64| HEAP + 16 + STRIDE * index;
    image = image.mapped("table", COUNT * 8);
    let table = image.address("table");
    for index in 0..COUNT {
        // A third is in the table; others hang on blocks, by starts and by middles.
        if next() % 3 == 0 {
            image = image.word_at(table + 8 * index, start(index));
        }
        for word in 0..3 {
            let (to, into) = (next() % COUNT, if next() % 4 == 0 { 8 + next() % 100 } else { 0 });
            if next() % 5 == 0 {
                image = image.word_at(start(index) + 8 * word, start(to) + into);
            }
        }
    }
    image.variable("table").build()
}

fn assert_equal(one: &Reachability, other: &Reachability) {
    assert_eq!(one.reachable, other.reachable);
    assert_eq!(one.possible, other.possible);
    assert_eq!(one.possible_blocks, other.possible_blocks);
    assert_eq!(one.lost.blocks, other.lost.blocks);
    assert_eq!(one.lost.losses, other.lost.losses);
    let sums = |found: &Reachability| found.holders.iter().map(|(_, amount)| *amount).collect::<Vec<_>>();
    assert_eq!(sums(one), sums(other));
}

#[test]
fn several_workers_find_what_one_finds() {
    for chance in [88_172_645_463_325_252, 1_442_695_040_888_963_407] {
        let process = tangle(chance);
        let alone = process.search(PLAIN);
        assert!(alone.reachable.blocks > COUNT / 3 && alone.possible.blocks > 100, "{:?}", alone.possible);
        assert!(alone.lost.losses.len() > 100);

        for workers in [2, 3, 8] {
            let together = process.search(Rules { workers, ..PLAIN });
            assert_equal(&alone, &together);
        }
    }
}

/// Whoever gives up in the middle must not leave the others waiting.
#[test]
fn several_workers_end_when_one_is_told_to() {
    let process = tangle(7);
    for workers in [1, 4] {
        let found = process.with_scene(|scene| {
            Reachability::of(scene, Rules { workers, ..PLAIN }, &|_| ControlFlow::Break(()))
        });
        assert!(found.interrupted);
    }
}
