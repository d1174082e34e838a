use residue_model::{Arena, Bytes, Heap};

use super::{HeapState, HeapSums, Pins, SizeRow, sizes, types};
use crate::reachability::Amount;
use crate::reachability::tests::image::{Image, Process};

fn amount(blocks: u64, bytes: u64) -> Amount {
    Amount { blocks, bytes: Bytes(bytes) }
}

#[test]
fn sums_are_those_of_all_arenas_of_all_heaps() {
    let arena = |factor: u64| Arena {
        system_bytes: Bytes(1000 * factor),
        live_bytes: Bytes(100 * factor),
        live_blocks: factor,
        free_bytes: Bytes(10 * factor),
        cached_bytes: Bytes(20 * factor),
        top_bytes: Bytes(30 * factor),
        own_bytes: Bytes(3 * factor),
        trim_gain: Bytes(5 * factor),
        ..Arena::default()
    };
    let heaps = [
        Heap { arenas: vec![arena(1), arena(2)], ..Heap::default() },
        Heap { arenas: vec![arena(4)], ..Heap::default() },
    ];

    let sums = HeapSums::of(&heaps);

    let expected = HeapSums {
        system: Bytes(7000),
        live: Bytes(700),
        live_blocks: 7,
        free: Bytes(420),
        trim_gain: Bytes(35),
        own: Bytes(21),
    };
    assert_eq!(sums, expected);
}

/// A third of it free, and at least a megabyte, is worth a word; half of that returnable makes it merely kept.
#[test]
fn leak_or_fragmentation_is_a_matter_of_thirds_and_halves() {
    let state = |system: u64, free: u64, trim_gain: u64| {
        let (system, free, trim_gain) = (Bytes::kib(system), Bytes::kib(free), Bytes::kib(trim_gain));
        HeapSums { system, free, trim_gain, ..HeapSums::default() }.state()
    };

    assert_eq!(state(9 << 10, 3 << 10, 0), HeapState::Fragmented);
    assert_eq!(state(9 << 10, (3 << 10) - 1, 0), HeapState::Live);
    assert_eq!(state(1100, 1024, 0), HeapState::Fragmented);
    assert_eq!(state(1100, 1023, 0), HeapState::Live, "less than a megabyte is nothing");
    assert_eq!(state(9 << 10, 4 << 10, 2 << 10), HeapState::Kept);
    assert_eq!(state(9 << 10, 4 << 10, (2 << 10) - 1), HeapState::Fragmented);
}

#[test]
fn live_blocks_are_counted_by_size() {
    let process = Image::new()
        .block("a", 24)
        .block("b", 24)
        .block("c", 24)
        .freed("gone", 24)
        .block("d", 104)
        .freed("gone too", 56)
        .build();

    let row = |size, blocks| SizeRow { size: Bytes(size), amount: amount(blocks, size * blocks) };
    assert_eq!(sizes(&process.blocks), [row(104, 1), row(24, 3)]);
}

#[test]
fn live_blocks_are_counted_by_type() {
    let process = Image::new()
        .block("zeros", 1048)
        .block("text", 104)
        .block("more", 56)
        .freed("gone", 2040)
        .text("text", "words that somebody wrote into a block of memory some time ago, and left")
        .text("more", "words that somebody wrote into another block")
        .build();

    let found = process.with_types(|told| types(&process.blocks, told));

    let rows: Vec<_> = found.rows.iter().map(|row| (row.what.name().into_owned(), row.amount)).collect();
    assert_eq!(rows, [("zeros".into(), amount(1, 1048)), ("text".into(), amount(2, 160))]);
    assert_eq!(found.every, 1);
    assert_eq!(found.rows[1].preview.as_deref(), Some("words that somebody wrote into a block of memory"));
}

fn pins(process: &Process) -> Pins {
    process.with_types(|told| Pins::of(&process.blocks, &process.pieces(), told))
}

/// The rows without their types: size, blocks, pages.
fn rows(pins: &Pins) -> Vec<(u64, u64, u64)> {
    pins.rows.iter().map(|row| (row.size.0, row.blocks, row.pages)).collect()
}

#[test]
fn one_small_block_pins_a_page() {
    let process = Image::new().freed("before", 2040).block("pin", 40).freed("after", 1992).build();

    let pins = pins(&process);

    assert_eq!((pins.pages, pins.live, pins.free), (1, Bytes(40), Bytes(4056)));
    assert_eq!(rows(&pins), [(40, 1, 1)]);
    assert_eq!(pins.rows[0].first.0, process.range("pin").start.0);
}

/// A quarter of a page and more is no waste to speak of.
#[test]
fn a_page_that_is_a_quarter_live_is_not_pinned() {
    let live = |size| pins(&Image::new().block("a", size).block("b", 504).freed("rest", 2488).build()).pages;

    assert_eq!(live(504), 1, "1008 of 4096");
    assert_eq!(live(520), 0, "1024 of 4096");
}

/// A block over the edge of a page keeps both.
#[test]
fn a_block_may_pin_two_pages() {
    // `pin` begins sixteen bytes before the end of its first page.
    let process = Image::new().freed("before", 4056).block("pin", 104).freed("after", 4008).build();

    let pins = pins(&process);

    assert_eq!(rows(&pins), [(104, 1, 2)]);
    assert_eq!((pins.pages, pins.live, pins.free), (2, Bytes(104), Bytes(8192 - 104)));
}

#[test]
fn blocks_of_one_kind_are_one_row() {
    let mut image = Image::new();
    for page in 0..10 {
        image = image.freed("", 2024).block("", 24).freed("", 1992);
        image = if page < 3 { image.block("", 24) } else { image.freed("", 24) };
    }
    let pins = pins(&image.build());

    assert_eq!(pins.pages, 10);
    assert_eq!(rows(&pins), [(24, 13, 10)], "a page with two of them is one page");
}

/// A page that is in no dump pins nothing that we know of.
#[test]
fn a_page_that_is_not_held_does_not_count() {
    let image = Image::new().freed("before", 2040).block("pin", 40).freed("after", 1992).block("other", 40);
    let start = image.address("before") - 16;
    let pins = pins(&image.unheld(start, start + 0x1000).build());

    assert_eq!(rows(&pins), [(40, 1, 1)]);
    assert_eq!(pins.pages, 1);
}
