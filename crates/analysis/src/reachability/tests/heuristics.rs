//! Pointers into a block that mean its start, each alone: what is true of it with the heuristic must be false without.

use super::image::{CONSTANTS, Image, PLAIN};
use crate::reachability::LeakKind::{Possible, Reachable};
use crate::reachability::{Heuristics, Rules};

/// How a block that begins with these words is held by a pointer to `offset`, when only these heuristics count.
fn held(heuristics: &str, size: u64, words: &[(u64, u64)], offset: u64) -> bool {
    let mut image = Image::new().block("it", size);
    for &(at, is) in words {
        image = image.word("it", at, is);
    }
    let process = image.variable_into("it", offset).build();
    assert_eq!(process.kind_by("it", PLAIN), Possible, "without any heuristic");
    let heuristics = Heuristics::parse(heuristics).expect("a name");
    process.kind_by("it", Rules { heuristics, ..PLAIN }) == Reachable
}

/// The three of the others, which must not find what the fourth does.
fn others(than: &str) -> String {
    let all = ["stdstring", "length64", "newarray", "multipleinheritance"];
    all.into_iter().filter(|name| *name != than).collect::<Vec<_>>().join(",")
}

/// Length, capacity and count of owners, then the text and its zero: 25 bytes more than the capacity, and up to 15 more
/// that nobody asked for.
#[test]
fn an_old_string_is_held_by_its_text() {
    let string = |length, capacity| [(0, length), (8, capacity)];
    let is_held = |length, capacity| held("stdstring", 104, &string(length, capacity), 24);

    assert!(is_held(40, 79), "as it was asked for");
    assert!(is_held(79, 79), "full");
    assert!(is_held(0, 64), "15 bytes more than asked for");
    assert!(!is_held(0, 63), "16 bytes more are another block");
    assert!(!is_held(0, 80), "the zero at its end has no room");
    assert!(!is_held(80, 79), "longer than it has room for");
    assert!(!is_held(0, u64::MAX), "no capacity of this world");
    assert!(!held("stdstring", 104, &string(40, 79), 16), "not where the text begins");
    assert!(!held(&others("stdstring"), 104, &string(40, 79), 24));
}

#[test]
fn a_block_behind_its_length_is_held() {
    let is_held = |length| held("length64", 104, &[(0, length)], 8);

    assert!(is_held(96), "as it was asked for");
    assert!(is_held(81), "15 bytes more than asked for");
    assert!(!is_held(80), "16 bytes more are another block");
    assert!(!is_held(97), "longer than the block");
    assert!(!held("length64", 104, &[(0, 96)], 16), "not where it begins");
    assert!(!held("stdstring,multipleinheritance", 104, &[(0, 96)], 8));
}

#[test]
fn an_array_behind_its_count_is_held() {
    let is_held = |count| held("newarray", 1048, &[(0, count)], 8);

    assert!(is_held(26), "26 of 40 bytes");
    assert!(is_held(41), "41 of 25 bytes, and 15 that nobody asked for");
    assert!(!is_held(32), "32 of 32 bytes would leave 16 that nobody asked for");
    assert!(!is_held(0), "none at all need no block");
    assert!(!is_held(1041), "more elements than bytes");
    assert!(is_held(1), "one");
    assert!(!held("newarray", 1048, &[(0, 26)], 16), "not where the elements begin");
    assert!(!held(&others("newarray"), 1048, &[(0, 26)], 8));
}

/// Both parts begin with a table of functions, which stands among constants.
#[test]
fn an_object_of_two_bases_is_held_by_the_second() {
    let tables = |first, second| [(0, first), (48, second)];
    let is_held = |first, second| held("multipleinheritance", 104, &tables(first, second), 48);
    let table = CONSTANTS + 0x100;

    assert!(is_held(table, table + 0x40));
    assert!(is_held(CONSTANTS, CONSTANTS + 0xfff8), "the first and the last constant");
    assert!(!is_held(table, CONSTANTS + 0x1_0000), "behind the constants");
    assert!(!is_held(CONSTANTS - 8, table), "in front of the constants");
    assert!(!is_held(table + 4, table), "tables stand on words");
    assert!(!is_held(table, 0));
    assert!(!held("multipleinheritance", 104, &tables(table, table), 56), "not where a part begins");
    assert!(!held("multipleinheritance", 104, &tables(table, table), 44), "between words");
    assert!(!held(&others("multipleinheritance"), 104, &tables(table, table), 48));
}

/// Behind what a heuristic found, pointers to starts go on as ever.
#[test]
fn what_a_heuristic_finds_holds_others() {
    let process = Image::new()
        .block("it", 104)
        .block("child", 24)
        .word("it", 0, 96)
        .word("it", 8, super::image::HEAP + 16 + 112)
        .variable_into("it", 8)
        .build();

    let kinds = |rules| (process.kind_by("it", rules), process.kind_by("child", rules));
    assert_eq!(kinds(PLAIN), (Possible, Possible));
    assert_eq!(kinds(Rules::default()), (Reachable, Reachable));
}

#[test]
fn names_are_those_of_memcheck() {
    let one = Heuristics { stdstring: true, ..Heuristics::NONE };

    assert_eq!(Heuristics::parse("all"), Some(Heuristics::ALL));
    assert_eq!(Heuristics::parse("none"), Some(Heuristics::NONE));
    assert_eq!(Heuristics::parse("stdstring"), Some(one));
    assert_eq!(Heuristics::parse("stdstring, newarray"), Some(Heuristics { newarray: true, ..one }));
    for wrong in ["", "std", "stdstring,", "ALL", "length64;newarray"] {
        assert_eq!(Heuristics::parse(wrong), None, "{wrong:?}");
    }
}
