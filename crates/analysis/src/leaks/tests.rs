use residue_model::Bytes;

use super::{ChangeKind, EarlierRecord, Record, RecordChange, RecordFilter, compare, records};
use crate::reachability::LeakKind::{self, Definite, Indirect, Possible, Reachable};
use crate::reachability::tests::image::{Image, PLAIN, Process};

fn found(process: &Process, kinds: &[LeakKind], min_size: u64) -> Vec<Record> {
    let found = process.search(PLAIN);
    let filter = RecordFilter { kinds, min_size: Bytes(min_size) };
    process.with_types(|types| records(&found, &process.blocks, types, filter))
}

/// Kind, blocks, bytes, retained bytes, members of a ring.
fn told(records: &[Record]) -> Vec<(LeakKind, u64, u64, u64, Option<u32>)> {
    let tell = |record: &Record| {
        let amount = record.amount;
        (record.kind, amount.blocks, amount.bytes.0, record.retained.bytes.0, record.ring)
    };
    records.iter().map(tell).collect()
}

#[test]
fn blocks_of_one_type_and_size_are_one_record() {
    let process = Image::new().block("a", 40).block("b", 40).block("c", 40).block("other", 56).build();

    let records = found(&process, &[Definite], 0);

    assert_eq!(told(&records), [(Definite, 3, 120, 120, None), (Definite, 1, 56, 56, None)]);
    assert_eq!(records[0].size, Some(Bytes(40)));
    assert_eq!(records[0].addresses, ["a", "b", "c"].map(|name| process.range(name).start));
    assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [1, 2]);
}

/// A leak of messages has as many sizes as messages, and one cause.
#[test]
fn texts_of_all_sizes_are_one_record() {
    let process = Image::new()
        .block("short", 56)
        .block("long", 104)
        .text("short", "words that somebody wrote into another block")
        .text("long", "words that somebody wrote into a block of memory some time ago, and left")
        .build();

    let records = found(&process, &[Definite], 0);

    assert_eq!(told(&records), [(Definite, 2, 160, 160, None)]);
    assert_eq!((records[0].size, records[0].what.name().as_ref()), (None, "text"));
    assert_eq!(records[0].preview.as_deref(), Some("words that somebody wrote into another block"));
}

/// What is lost with a small block may be large: the one that retains most is the one to look at first.
#[test]
fn the_record_that_retains_most_comes_first() {
    let process = Image::new()
        .block("large", 1000)
        .block("small", 24)
        .block("huge", 5000)
        .points("small", "huge")
        .build();

    let records = found(&process, &LeakKind::ALL, 0);

    assert_eq!(
        told(&records),
        [(Definite, 1, 24, 5024, None), (Definite, 1, 1000, 1000, None), (Indirect, 1, 5000, 5000, None)]
    );
}

#[test]
fn records_are_of_the_kinds_that_are_asked_for() {
    let process = Image::new()
        .block("lost", 24)
        .block("behind", 40)
        .block("middle", 56)
        .block("held", 72)
        .points("lost", "behind")
        .variable_into("middle", 8)
        .variable("held")
        .build();
    let sizes = |kinds: &[LeakKind]| {
        found(&process, kinds, 0).iter().map(|record| record.amount.bytes.0).collect::<Vec<_>>()
    };

    assert_eq!(sizes(&LeakKind::ALL), [24, 40, 56, 72]);
    assert_eq!(sizes(&[Definite, Possible]), [24, 56]);
    assert_eq!(sizes(&[Indirect]), [40]);
    assert_eq!(sizes(&[Reachable]), [72]);
    assert_eq!(sizes(&[]), [0; 0]);
}

fn ring() -> Process {
    Image::new()
        .block("a", 24)
        .block("b", 24)
        .block("tail", 1000)
        .block("single", 24)
        .points("a", "b")
        .points("b", "a")
        .points("b", "tail")
        .build()
}

#[test]
fn a_ring_is_a_record_of_its_members_and_not_one_with_single_blocks() {
    let records = found(&ring(), &[Definite], 0);

    assert_eq!(told(&records), [(Definite, 2, 48, 1048, Some(2)), (Definite, 1, 24, 24, None)]);
    assert_eq!(records[0].retained.blocks, 3);
}

/// Its members may be anything: a parent and its child, a block of counts and a table.
#[test]
fn a_ring_of_unlike_blocks_is_one_record() {
    let ring = |image: Image, small: &str, large: &str| {
        image.block(small, 24).block(large, 104).points(small, large).points(large, small)
    };
    let process = ring(ring(Image::new(), "a", "b"), "c", "d").build();

    let records = found(&process, &[Definite], 0);

    assert_eq!(told(&records), [(Definite, 4, 256, 256, Some(2))]);
    assert_eq!(records[0].size, None, "their sizes differ");
    assert_eq!(records[0].addresses, ["a", "b", "c", "d"].map(|name| process.range(name).start));
}

/// A ring is one loss: all its members stay, or its number of blocks would be wrong.
#[test]
fn small_blocks_that_retain_much_are_not_left_out() {
    assert_eq!(told(&found(&ring(), &[Definite], 25)), [(Definite, 2, 48, 1048, Some(2))]);
    assert_eq!(told(&found(&ring(), &[Definite], 24)).len(), 2);
    assert_eq!(told(&found(&ring(), &[Definite], 1049)), []);
    assert_eq!(told(&found(&ring(), &[Indirect], 1000)), [(Indirect, 1, 1000, 1000, None)]);
    assert_eq!(told(&found(&ring(), &[Indirect], 1001)), []);
}

fn lost(blocks: &[(&str, u64)]) -> Vec<Record> {
    let process = blocks.iter().fold(Image::new(), |image, &(name, size)| image.block(name, size)).build();
    found(&process, &[Definite], 0)
}

/// How each record of a later run compares with an earlier one, by its size.
fn compared(earlier: &[Record], mut later: Vec<Record>) -> Vec<(Option<u64>, RecordChange)> {
    let earlier: Vec<_> = earlier.iter().map(EarlierRecord::of).collect();
    compare(&mut later, &earlier);
    later.iter().map(|record| (record.size.map(|size| size.0), record.change.expect("compared"))).collect()
}

#[test]
fn a_later_run_tells_new_increased_changed_and_same() {
    let earlier = lost(&[("a", 24), ("b", 40), ("c", 40), ("d", 56)]);
    let later = lost(&[("a", 24), ("b", 40), ("d", 56), ("e", 56), ("f", 72)]);

    let change = |kind, blocks, bytes| RecordChange { kind, blocks, bytes };
    let mut found = compared(&earlier, later);
    found.sort_by_key(|(size, _)| *size);
    assert_eq!(
        found,
        [
            (Some(24), change(ChangeKind::Same, 0, 0)),
            (Some(40), change(ChangeKind::Changed, -1, -40)),
            (Some(56), change(ChangeKind::Increased, 1, 56)),
            (Some(72), change(ChangeKind::New, 1, 72)),
        ]
    );
}

/// The first text of a leak is of one size, the second of another: it is still the same leak, and it grew.
#[test]
fn texts_that_became_more_increased() {
    let texts = |count: u64| {
        let image = (0..count).fold(Image::new(), |image, index| {
            let name = format!("t{index}");
            image.block(&name, 56 + 16 * index).text(&name, "words that somebody wrote into another block")
        });
        found(&image.build(), &[Definite], 0)
    };

    let increased = RecordChange { kind: ChangeKind::Increased, blocks: 1, bytes: 72 };
    assert_eq!(compared(&texts(1), texts(2)), [(None, increased)]);
    let fewer = RecordChange { kind: ChangeKind::Changed, blocks: -1, bytes: -72 };
    assert_eq!(compared(&texts(2), texts(1)), [(Some(56), fewer)]);
}

#[test]
fn rings_and_single_blocks_are_not_compared_with_each_other() {
    let earlier = lost(&[("a", 24), ("b", 24)]);
    let later = found(&ring(), &[Definite], 0);

    let kinds: Vec<_> = compared(&earlier, later).into_iter().map(|(_, change)| change.kind).collect();

    assert_eq!(kinds, [ChangeKind::New, ChangeKind::Changed]);
}
