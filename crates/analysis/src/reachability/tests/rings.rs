use residue_model::Bytes;

use super::image::{Image, PLAIN};
use crate::reachability::LeakKind::{Definite, Indirect, Reachable};
use crate::reachability::Loss;

/// Nobody points at a ring from outside: it must not show as blocks that are all lost behind each other, nor as several.
#[test]
fn a_leaked_ring_is_one_loss_with_members() {
    let process = Image::new()
        .block("a", 24)
        .block("b", 40)
        .block("c", 56)
        .points("a", "b")
        .points("b", "c")
        .points("c", "a")
        .build();

    let lost = process.search(PLAIN).lost;

    let [ring] = lost.losses[..] else { panic!("{lost:?}") };
    assert_eq!((ring.first, ring.members, ring.bytes.0), (process.block("a").id, 3, 120));
    assert_eq!((ring.retained_blocks, ring.retained_bytes.0), (3, 120));
    assert!(lost.blocks.iter().all(|block| block.is_definite && block.loss == 0));
}

#[test]
fn what_hangs_on_a_ring_is_lost_with_it() {
    let process = Image::new()
        .block("tail", 56)
        .block("a", 24)
        .block("b", 24)
        .block("end", 40)
        .points("a", "b")
        .points("b", "a")
        .points("b", "tail")
        .points("tail", "end")
        .build();

    let lost = process.search(PLAIN).lost;

    let [ring] = lost.losses[..] else { panic!("{lost:?}") };
    assert_eq!((ring.members, ring.retained_blocks, ring.retained_bytes.0), (2, 4, 144));
    assert_eq!((process.kind("tail"), process.kind("end")), (Indirect, Indirect));
}

#[test]
fn of_two_rings_the_one_that_is_pointed_at_is_lost_with_the_other() {
    let process = Image::new()
        .block("low0", 24)
        .block("low1", 24)
        .block("high0", 40)
        .block("high1", 40)
        .points("low0", "low1")
        .points("low1", "low0")
        .points("high0", "high1")
        .points("high1", "high0")
        .points("high1", "low0")
        .build();

    let lost = process.search(PLAIN).lost;

    let [ring] = lost.losses[..] else { panic!("{lost:?}") };
    assert_eq!((ring.first, ring.members, ring.retained_blocks), (process.block("high0").id, 2, 4));
    assert_eq!((process.kind("low0"), process.kind("low1")), (Indirect, Indirect));
    assert_eq!((process.kind("high0"), process.kind("high1")), (Definite, Definite));
}

#[test]
fn a_block_that_points_at_itself_is_lost_by_itself() {
    let process = Image::new().block("self", 24).points("self", "self").build();

    let lost = process.search(PLAIN).lost;

    assert_eq!(
        lost.losses,
        [Loss {
            first: process.block("self").id,
            members: 1,
            bytes: Bytes(24),
            retained_blocks: 1,
            retained_bytes: Bytes(24)
        }]
    );
    assert_eq!(process.kind("self"), Definite);
}

/// A ring by pointers into the middle is a ring: to free it, its members still need each other.
#[test]
fn a_ring_through_the_middle_of_blocks_is_one_loss() {
    let process =
        Image::new().block("a", 24).block("b", 40).points_into("a", "b", 16).points_into("b", "a", 8).build();

    let lost = process.search(PLAIN).lost;

    assert_eq!(lost.losses.iter().map(|ring| ring.members).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_ring_that_is_held_is_no_loss() {
    let process =
        Image::new().block("a", 24).block("b", 24).points("a", "b").points("b", "a").variable("b").build();

    assert_eq!((process.kind("a"), process.kind("b")), (Reachable, Reachable));
    assert!(process.search(PLAIN).lost.losses.is_empty());
}

/// Two who lost it: it came with the first, or the sums would tell of more than there was.
#[test]
fn what_two_losses_hold_counts_for_the_first() {
    let process = Image::new()
        .block("shared", 104)
        .block("one", 24)
        .block("other", 24)
        .points("one", "shared")
        .points("other", "shared")
        .build();

    let lost = process.search(PLAIN).lost;

    let retained: Vec<_> =
        lost.losses.iter().map(|loss| (loss.retained_blocks, loss.retained_bytes.0)).collect();
    assert_eq!(retained, [(2, 128), (1, 24)]);
    process.assert_sums(PLAIN);
}

/// Neither the search for rings nor the sharing out may go as deep as a list is long.
#[test]
fn a_lost_list_of_many_members_is_one_loss() {
    const LENGTH: usize = 200_000;
    let mut image = Image::new();
    let start = |index: usize| super::image::HEAP + 16 + 32 * index as u64;
    for index in 0..LENGTH {
        image = image.block("", 24);
        if index + 1 < LENGTH {
            image = image.word_at(start(index), start(index + 1));
        }
    }
    let process = image.build();

    let lost = process.search(PLAIN).lost;

    let [chain] = lost.losses[..] else { panic!("{} losses", lost.losses.len()) };
    assert_eq!((chain.members, chain.retained_blocks), (1, LENGTH as u64));
}
