use super::image::{DATA, HEAP, Image, PLAIN};
use crate::reachability::LeakKind::{Definite, Indirect, Possible, Reachable};
use crate::reachability::{Heuristics, Rules};

#[test]
fn a_block_behind_a_lost_one_is_indirectly_lost() {
    let process = Image::new()
        .block("held", 24)
        .block("below", 40)
        .block("lost", 24)
        .block("behind", 56)
        .variable("held")
        .points("held", "below")
        .points("lost", "behind")
        .build();

    let kinds = process.kinds(PLAIN);

    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [("behind", Indirect), ("below", Reachable), ("held", Reachable), ("lost", Definite)]
    );
    process.assert_sums(PLAIN);
}

/// What `a + length` points at is behind `a`: with blocks side by side it would hold the wrong one.
#[test]
fn a_pointer_behind_the_end_holds_nothing() {
    let process = Image::new().block("first", 24).block("second", 40).variable_into("first", 24).build();

    assert_eq!((process.kind("first"), process.kind("second")), (Definite, Definite));
}

#[test]
fn the_last_byte_is_inside_and_the_byte_in_front_is_not() {
    let inside = |offset: u64| {
        Image::new().block("other", 24).block("it", 40).variable_into("it", offset).build().kind("it")
    };

    assert_eq!(inside(0), Reachable);
    assert_eq!((inside(1), inside(39)), (Possible, Possible));
    assert_eq!((inside(40), inside(8_u64.wrapping_neg())), (Definite, Definite));
}

#[test]
fn what_a_possibly_lost_block_holds_is_possibly_lost() {
    let process = Image::new()
        .block("middle", 40)
        .block("child", 24)
        .block("grandchild", 24)
        .variable_into("middle", 16)
        .points("middle", "child")
        .points_into("child", "grandchild", 8)
        .build();

    for name in ["middle", "child", "grandchild"] {
        assert_eq!(process.kind(name), Possible, "{name}");
    }
    process.assert_sums(PLAIN);
}

/// Whoever has both a pointer to the start and one to the middle is held by the first, in whatever order they are met.
#[test]
fn a_pointer_to_the_start_is_worth_more_than_one_inside() {
    for start_first in [true, false] {
        let image = Image::new().block("it", 40).block("child", 24).points("it", "child");
        let image = if start_first {
            image.variable("it").variable_into("it", 8)
        } else {
            image.variable_into("it", 8).variable("it")
        };
        let process = image.build();

        assert_eq!((process.kind("it"), process.kind("child")), (Reachable, Reachable));
        assert_eq!(process.search(PLAIN).possible.blocks, 0);
    }
}

/// The start is held by a block that itself is only possibly held: that is no chain of starts.
#[test]
fn a_start_behind_a_middle_is_only_possibly_held() {
    let process = Image::new()
        .block("middle", 40)
        .block("both", 24)
        .variable_into("middle", 8)
        .points("middle", "both")
        .build();

    assert_eq!(process.kind("both"), Possible);
}

#[test]
fn a_pointer_that_stands_askew_does_not_count() {
    let image = Image::new().block("it", 24);
    let to = image.address("it");
    let process = image.word_at(DATA + 1, to).build();

    assert_eq!(process.kind("it"), Definite);
}

#[test]
fn marks_in_low_bits_count_when_asked_for() {
    let tagged = Rules { tagged: true, ..PLAIN };
    for mark in 1..8 {
        let process = Image::new()
            .block("it", 40)
            .block("next", 24)
            .block("lost", 24)
            .block("behind", 24)
            .variable_into("it", mark)
            .points_into("it", "next", mark)
            .points_into("lost", "behind", mark)
            .build();

        assert_eq!((process.kind("it"), process.kind("next")), (Possible, Possible), "{mark}");
        assert_eq!(process.kind_by("it", tagged), Reachable, "{mark}");
        assert_eq!(process.kind_by("next", tagged), Reachable, "{mark}");
        assert_eq!(process.kind_by("lost", tagged), Definite, "{mark}");
        assert_eq!(process.kind_by("behind", tagged), Indirect, "{mark}");
    }
    let beyond = Image::new().block("it", 40).variable_into("it", 8).build();
    assert_eq!(beyond.kind_by("it", tagged), Possible, "eight is no mark");
}

/// Also where the marked word would lie in front of all blocks, or belongs to no block itself.
#[test]
fn a_marked_pointer_to_an_ended_block_holds_nothing() {
    let process = Image::new().freed("gone", 24).block("it", 24).variable_into("gone", 3).build();

    assert_eq!(process.kind_by("it", Rules { tagged: true, ..PLAIN }), Definite);
}

/// What was freed keeps what it held for a while, but nobody may use it any more.
#[test]
fn what_was_freed_holds_nothing() {
    let process =
        Image::new().freed("freed", 40).block("it", 24).variable("freed").points("freed", "it").build();

    assert_eq!(process.kinds(PLAIN).into_iter().collect::<Vec<_>>(), [("it", Definite)]);
}

/// Its chunk's own words are the allocator's: the size of the next chunk, the words in front of the first.
#[test]
fn what_stands_between_blocks_holds_nothing() {
    let image = Image::new().block("first", 24).block("it", 24);
    let to = image.address("it");
    let process = image.word_at(HEAP, to).word_at(HEAP + 8, to).word_at(HEAP + 40, to).build();

    assert_eq!(process.kind("it"), Definite);
}

/// A truncated core holds no bytes of some blocks: that ends no search, and what others hold stays held.
#[test]
fn a_block_that_is_not_in_the_dump_is_held_but_holds_nothing() {
    let image = Image::new().mapped("table", 0x9000).block("child", 24).block("other", 24);
    let table = image.address("table");
    let process = image
        .variable("table")
        .word("table", 0, HEAP + 16)
        .word("table", 0x8000, HEAP + 16 + 32)
        .unheld(table - 16, table + 0x6000)
        .build();

    assert_eq!(process.kind("table"), Reachable);
    assert_eq!(process.kind("child"), Definite, "the part that is missing held it");
    assert_eq!(process.kind("other"), Reachable, "the part that is there holds it");
}

#[test]
fn a_lost_block_with_a_hole_still_leads_on() {
    let image = Image::new().mapped("table", 0x9000).block("child", 24);
    let table = image.address("table");
    let process = image.word("table", 0x8000, HEAP + 16).unheld(table + 0x1000 - 16, table + 0x6000).build();

    assert_eq!((process.kind("table"), process.kind("child")), (Definite, Indirect));
}

#[test]
fn a_process_without_blocks_has_no_leaks() {
    let process = Image::new().build();

    let found = process.search(Rules { heuristics: Heuristics::ALL, ..PLAIN });

    assert!(found.lost.losses.is_empty() && found.possible_blocks.is_empty());
    assert_eq!(found.reachable.blocks, 0);
}

/// Who stops a search has no result: what was not reached by then is no leak.
#[test]
fn a_search_that_was_given_up_tells_of_no_leak() {
    use std::ops::ControlFlow;
    let process = Image::new().block("lost", 24).build();

    let found = process
        .with_scene(|scene| crate::reachability::Reachability::of(scene, PLAIN, &|_| ControlFlow::Break(())));

    assert!(found.interrupted && found.lost.blocks.is_empty());
}
