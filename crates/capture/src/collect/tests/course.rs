use std::time::Duration;

use residue_recording::{Event, Kind};

use super::written::{Written, allocate, free};
use crate::collect::Estimate;

const MILLISECOND: u64 = 1_000_000;

#[test]
fn a_path_has_points_where_it_changed_and_the_program_a_total_a_slot() {
    let mut written = Written::new(1, Estimate::Exact);
    written.push(0, allocate(MILLISECOND, 4096, 100, 1));
    written.push(0, allocate(50 * MILLISECOND, 8192, 10, 2));
    written.push(0, free(90 * MILLISECOND, 4096));
    written.read(u64::MAX);

    let recording = written.recording();

    let slot = recording.timeline.slot;
    let slots =
        |time: u64| u16::try_from(Duration::from_nanos(time).as_nanos() / slot.as_nanos()).expect("few");
    let points: Vec<_> = recording.stacks[0].points.iter().map(|point| (point.slot, point.live.0)).collect();
    assert_eq!(points, [(0, 100), (slots(90 * MILLISECOND), 0)]);
    assert_eq!(recording.stacks[1].points.len(), 1);
    let live: Vec<u64> = recording.timeline.totals.iter().map(|total| total.live.0).collect();
    assert_eq!(live.len(), usize::from(slots(90 * MILLISECOND)) + 1);
    assert_eq!((live[0], live[usize::from(slots(50 * MILLISECOND))], live[live.len() - 1]), (100, 110, 10));
    assert_eq!(recording.timeline.totals[live.len() - 1].peak.0, 110);
    assert_eq!(recording.program.recorded, Duration::from_millis(90));
}

/// Thousands of paths that change all the time: the heaviest are told in full, of the others nothing is lost but the time.
#[test]
fn many_paths_have_fewer_points_the_lighter_they_are() {
    let mut written = Written::new(1, Estimate::Exact);
    let mut time = 0;
    for round in 0..60_u64 {
        for stack in 1..=1000_u64 {
            time += 2_000;
            let address = 4096 + 16 * (stack + 1000 * round);
            written.push(0, allocate(time, address, stack, u32::try_from(stack).expect("small")));
            if stack % 100 == 0 {
                written.read(u64::MAX);
            }
        }
        time += 2 * MILLISECOND;
    }

    let recording = written.recording();

    let points = |stack: usize| &recording.stacks[stack - 1].points;
    // A round takes about two slots: of four, or of sixteen, one point stays.
    assert_eq!((points(1000).len(), points(500).len(), points(1).len()), (60, 29, 8));
    for sums in &recording.stacks {
        assert_eq!(sums.points.iter().map(|point| point.allocations).sum::<u64>(), 60);
        assert_eq!(sums.points.last().map(|point| point.live), Some(sums.live));
        assert!(sums.points.windows(2).all(|pair| pair[0].slot < pair[1].slot));
        assert!(sums.points.iter().all(|point| usize::from(point.slot) < recording.timeline.totals.len()));
    }
}

#[test]
fn lives_and_ages_are_told_in_time() {
    let mut written = Written::new(1, Estimate::Exact);
    written.push(0, allocate(0, 4096, 8, 1));
    written.push(0, allocate(0, 8192, 8, 1));
    written.push(0, free(500_000, 4096));
    written.push(0, allocate(1_000_000, 4096, 8, 1));
    written.push(0, free(3_100_000, 4096));
    written.read(u64::MAX);

    let sums = &written.recording().stacks[0];

    assert_eq!((sums.short_lived, sums.temporary), (1, 1));
    // 500 us is from 256 to 511, 2100 us from 2048 to 4095.
    assert_eq!((sums.lifetimes.0[9], sums.lifetimes.0[12], sums.lifetimes.count()), (1, 1, 2));
    assert_eq!(sums.ages.0.len(), 1);
    let (age, blocks, bytes) = sums.ages.0[0];
    assert_eq!((age, blocks, bytes.0), (Duration::from_micros(3072), 1, 8));
}

/// What is estimated from one byte in 64 KiB is near the truth, and within the margins that it gives itself.
#[test]
fn samples_estimate_what_was_there() {
    const INTERVAL: u64 = 1 << 16;
    let mut written = Written::new(1, Estimate::of(INTERVAL));
    // Each block of 1000 bytes is picked with the chance of 1 - e^(-1000/65536): 151.4 of 10000.
    for number in 0..151 {
        written.push(0, allocate(number, 4096 + 1024 * number, 1000, 1));
    }
    written.read(u64::MAX);

    let sums = &written.recording().stacks[0];

    assert!((9900..=10_050).contains(&sums.allocations), "{}", sums.allocations);
    assert!(sums.live.0.abs_diff(1000 * sums.allocations) < 1000, "{:?}", sums.live);
    // One sample stands for 66, and 151 of them for sqrt(151) * 66 more or less: 807.
    let margin = sums.variance[0].sqrt();
    assert!((790.0..820.0).contains(&margin), "{margin}");
    assert!((sums.variance[1] - sums.variance[0] * 1e6).abs() < 1.0);
}

#[test]
fn marks_have_what_their_thread_did_within() {
    let mut written = Written::new(2, Estimate::Exact);
    let mark = |kind, time| Event::new(kind, time, 0, 0, 0);
    written.push(0, allocate(1, 4096, 8, 1));
    written.push(0, mark(Kind::MarkBegin, 2));
    written.push(0, allocate(3, 8192, 32, 1));
    written.push(1, allocate(4, 12288, 64, 1));
    written.push(0, allocate(5, 16384, 16, 2));
    written.push(0, free(6, 16384));
    written.push(0, free(7, 4096));
    written.push(0, mark(Kind::MarkEnd, 9));
    written.push(0, allocate(10, 20480, 128, 1));
    written.read(u64::MAX);

    let recording = written.recording();

    let mark = &recording.marks[0];
    assert_eq!((mark.begun, mark.ended, mark.time), (1, 1, Duration::from_nanos(7)));
    let rows: Vec<_> = mark
        .stacks
        .iter()
        .map(|sums| (sums.allocations, sums.allocated.0, sums.net_blocks, sums.net))
        .collect();
    assert_eq!(rows, [(1, 32, 0, 24), (1, 16, 0, 0)]);
}
