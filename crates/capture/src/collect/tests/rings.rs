use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;
use residue_recording::wire::CAPACITY;
use residue_recording::{Event, Kind};

use super::written::{Written, allocate, free};
use crate::collect::Estimate;

/// The block is allocated by one thread and freed by another, whose ring comes first.
#[test]
fn rings_are_read_in_the_order_of_time() {
    let mut written = Written::new(2, Estimate::Exact);
    for number in 0..1000 {
        written.push(1, allocate(10 * number, 4096 + 16 * (number % 3), 16, 1));
        written.push(0, free(10 * number + 5, 4096 + 16 * (number % 3)));
    }

    assert_eq!(written.read(u64::MAX), 2000);

    let counted = written.image().counted;
    assert_eq!((counted.events, counted.unknown_frees, counted.overwritten), (2000, 0, 0));
    assert_eq!(written.recording().totals.live_blocks, 0);
}

/// The free was seen, but the allocation before it is not in its ring yet when the ring is looked at.
#[test]
fn what_is_later_than_the_time_noted_waits_for_the_next_round() {
    let mut written = Written::new(2, Estimate::Exact);
    written.push(0, free(105, 4096));

    assert_eq!(written.read(100), 0);
    written.push(1, allocate(99, 4096, 16, 1));
    assert_eq!(written.read(200), 2);

    assert_eq!(written.image().counted.unknown_frees, 0);
    assert_eq!(written.recording().totals.frees, 1);
}

#[test]
fn a_writer_that_waits_is_told_of_room() {
    let mut written = Written::new(1, Estimate::Exact);
    for number in 0..CAPACITY as u64 {
        written.push(0, allocate(number, 4096 + 16 * number, 16, 1));
    }
    written.ring(0).waiting.store(1, Relaxed);

    assert_eq!(written.read(u64::MAX), CAPACITY as u64);

    assert_eq!(written.ring(0).waiting.load(Relaxed), 0);
    assert_eq!(written.ring(0).tail.load(Relaxed), CAPACITY as u64);
    written.push(0, free(CAPACITY as u64, 4096));
    assert_eq!(written.read(u64::MAX), 1, "it goes on where the ring begins again");
    assert_eq!(written.recording().totals.live_blocks, CAPACITY as u64 - 1);
}

#[test]
fn a_failed_realloc_leaves_the_block_as_it_was() {
    let mut written = Written::new(1, Estimate::Exact);
    written.push(0, allocate(1, 4096, 100, 1));
    written.push(0, Event::new(Kind::ReallocateBegin, 2, 4096, 0, 0));
    written.push(0, Event::new(Kind::ReallocateFailed, 3, 4096, 0, 0));
    written.push(0, allocate(4, 8192, 10, 2));
    written.push(0, Event::new(Kind::ReallocateBegin, 5, 8192, 0, 0));
    written.push(0, Event::new(Kind::ReallocateEnd, 6, 12288, 20, 3));
    written.read(u64::MAX);

    let recording = written.recording();

    let rows: Vec<_> = recording
        .stacks
        .iter()
        .map(|sums| (sums.allocations, sums.frees, sums.reallocations, sums.live.0, sums.temporary))
        .collect();
    assert_eq!(rows, [(1, 0, 0, 100, 0), (1, 1, 0, 0, 0), (1, 0, 1, 20, 0)]);
}

/// A program that is killed within `realloc` has the old block still.
#[test]
fn a_thread_that_ends_within_realloc_leaves_its_block() {
    let mut written = Written::new(1, Estimate::Exact);
    written.push(0, allocate(1, 4096, 100, 1));
    written.push(0, Event::new(Kind::ReallocateBegin, 2, 4096, 0, 0));
    written.read(u64::MAX);
    let mut stream = written.streams[0].take().expect("it is read");
    written.images[0].as_mut().expect("it is there").end_thread(&mut stream.thread);

    let recording = written.recording();

    assert_eq!((recording.totals.live.0, recording.totals.frees), (100, 0));
    assert_eq!(recording.stacks[0].ages.0.iter().map(|(_, blocks, _)| blocks).sum::<u64>(), 1);
}

#[test]
fn strange_frees_and_blocks_given_twice_are_counted_and_nothing_is_negative() {
    let mut written = Written::new(1, Estimate::Exact);
    for event in
        [free(1, 4096), allocate(2, 4096, 10, 1), allocate(3, 4096, 20, 2), free(4, 4096), free(5, 4096)]
    {
        written.push(0, event);
    }
    written.read(u64::MAX);

    let (recording, counted) = (written.recording(), written.image().counted);

    assert_eq!((counted.unknown_frees, counted.overwritten), (2, 1));
    assert_eq!((recording.totals.live.0, recording.totals.allocations, recording.totals.frees), (0, 2, 2));
    assert!(recording.gaps.iter().any(|gap| gap.what == "1 frees"), "{:?}", recording.gaps);
}

#[test]
fn a_block_is_temporary_when_its_thread_frees_it_next() {
    let mut written = Written::new(2, Estimate::Exact);
    written.push(0, allocate(1, 4096, 8, 1));
    written.push(1, allocate(2, 8192, 8, 1));
    written.push(0, free(3, 4096));
    written.push(0, free(4, 8192));
    written.read(u64::MAX);

    let totals = written.recording().totals;

    assert_eq!((totals.temporary, totals.threads), (1, 2));
    assert_eq!(written.recording().stacks[0].threads, 2);
}

/// The writer of the ring has been overrun by something: the numbers of events make no sense.
#[test]
fn a_damaged_head_costs_events_and_nothing_else() {
    let mut written = Written::new(1, Estimate::Exact);
    written.push(0, allocate(1, 4096, 8, 1));
    written.read(u64::MAX);
    written.ring(0).head.store(u64::MAX - 3, Relaxed);

    assert_eq!(written.read(u64::MAX), 0);

    assert_eq!(written.image().counted.damaged, 1);
    assert_eq!(written.ring(0).tail.load(Relaxed), u64::MAX - 3);
    let recording = written.recording();
    assert_eq!(recording.totals.live_blocks, 1);
}

#[test]
fn call_paths_that_lead_in_a_ring_or_nowhere_end() {
    let mut written = Written::new(1, Estimate::Exact);
    written.module(0x1000);
    written.node(1, 0, 0x1234, 1);
    written.node(2, 1, 0x1334, 1);
    written.node(3, 5, 0x1434, 9);
    written.node(5, 5, 0x1534, 0);
    for (number, stack) in [2, 3, 5, 77, 1 << 20, 1 << 21, u32::MAX].into_iter().enumerate() {
        written.push(0, allocate(number as u64, 4096 + 16 * number as u64, 8, stack));
    }
    written.read(u64::MAX);

    let recording = written.recording();

    let frames = |number: usize| -> Vec<_> {
        let frames = recording.calls.frames(recording.stacks[number].stack);
        frames.map(|code| (code.module, code.address)).collect()
    };
    assert_eq!(frames(0), [(Some(0), 0x334), (Some(0), 0x234)]);
    assert_eq!(
        frames(1),
        [(None, 0x1434)],
        "a caller behind its callee ends the path, a module that is not there is none"
    );
    assert_eq!(frames(2), [(None, 0x1534)]);
    assert_eq!(recording.stacks.len(), 5, "what is no node is not known: one path");
    assert_eq!(frames(4), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The program may write anything to its rings.
    #[test]
    fn whatever_stands_in_a_ring_is_survived(
        seeds in prop::collection::vec((any::<[u64; 4]>(), 0..14_u8, any::<bool>()), 1..300)
    ) {
        let mut written = Written::new(2, Estimate::of(4096));
        for (number, (mut words, kind, is_wild)) in (0..).zip(seeds.iter().copied()) {
            if !is_wild {
                // Nearly right: a known kind, few addresses, a small size.
                words[0] %= 1 << 20;
                words[1] = u64::from(kind) << 56 | (words[1] % 64) << 4;
                words[2] %= 1 << 20;
            }
            written.damage(number % 2, [words].into_iter());
        }
        prop_assert_eq!(written.read(1 << 21), seeds.len() as u64);
        let recording = written.recording();
        let live: u64 = written.image().live.blocks().count() as u64;
        prop_assert!(live <= recording.totals.allocations.max(seeds.len() as u64));
        let bytes = crate::file::bytes(&recording);
        prop_assert_eq!(crate::file::read(&bytes[..], "x").expect("it is whole"), recording);
    }
}

/// Code that was made at run time has no module: number 0.
#[test]
fn a_module_that_is_none_is_not_looked_up() {
    let written = Written::new(1, Estimate::Exact);
    written.module(0x1000);

    let is_there = |number| written.segment.module(number).is_some_and(|module| module.bias == 0x1000);
    assert_eq!([0, 1, 1 << 20, usize::MAX].map(is_there), [false, true, false, false]);
}
