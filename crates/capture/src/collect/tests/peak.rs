use std::collections::HashMap;

use proptest::prelude::*;
use residue_model::recording::AllocationKind;
use residue_recording::{Event, Kind};

use super::written::{Written, allocate, free};
use crate::collect::Estimate;

/// What a program has, kept in the simplest way.
#[derive(Default)]
struct Naive {
    blocks: HashMap<u64, (u32, u64)>,
    peak: u64,
    /// The blocks that stood at the peak.
    at_peak: HashMap<u64, (u32, u64)>,
    peaks: HashMap<u32, u64>,
}

impl Naive {
    fn look(&mut self) {
        let live = self.blocks.values().map(|(_, size)| size).sum();
        if live > self.peak {
            (self.peak, self.at_peak) = (live, self.blocks.clone());
        }
        for stack in 0..8 {
            let peak = self.peaks.entry(stack).or_default();
            *peak = (*peak).max(sum(&self.blocks, stack).1);
        }
    }
}

fn sum(blocks: &HashMap<u64, (u32, u64)>, stack: u32) -> (u64, u64) {
    let of_stack = blocks.values().filter(|(other, _)| *other == stack);
    of_stack.fold((0, 0), |(count, bytes), (_, size)| (count + 1, bytes + size))
}

proptest! {
    /// The peak of all, of each, and of each when all had most.
    #[test]
    fn peaks_are_exact(
        steps in prop::collection::vec((0..40_u64, 1..2000_u64, 1..8_u32, 0..3_u8), 1..400)
    ) {
        let (mut written, mut naive) = (Written::new(1, Estimate::Exact), Naive::default());
        for (time, (slot, size, stack, action)) in (1..).zip(steps) {
            let address = 4096 + 32 * slot;
            match (naive.blocks.contains_key(&address), action) {
                (false, _) => {
                    written.push(0, allocate(time, address, size, stack));
                    naive.blocks.insert(address, (stack, size));
                }
                (true, 0) => {
                    written.push(0, Event::new(Kind::ReallocateBegin, time, address, 0, 0));
                    written.push(0, Event::new(Kind::ReallocateEnd, time, address, size, stack));
                    naive.blocks.insert(address, (stack, size));
                }
                (true, _) => {
                    written.push(0, free(time, address));
                    naive.blocks.remove(&address);
                }
            }
            naive.look();
        }
        written.read(u64::MAX);

        let recording = written.recording();

        prop_assert_eq!(recording.totals.peak.0, naive.peak);
        for sums in &recording.stacks {
            // There are no frames here: the sites stand in the order in which they came.
            let number = recording.stacks.iter().position(|other| std::ptr::eq(other, sums)).expect("it is one");
            let stack = written.image().sites[number].stack;
            let (blocks, bytes) = sum(&naive.blocks, stack);
            prop_assert_eq!((sums.live_blocks, sums.live.0), (blocks, bytes));
            let (blocks, bytes) = sum(&naive.at_peak, stack);
            prop_assert_eq!((sums.at_peak_blocks, sums.at_peak.0), (blocks, bytes));
            prop_assert_eq!(sums.peak.0, naive.peaks[&stack]);
            prop_assert_eq!(sums.allocations - sums.frees, sums.live_blocks);
            prop_assert_eq!(sums.sizes.count(), sums.allocations);
            prop_assert_eq!(sums.lifetimes.count(), sums.frees);
            prop_assert_eq!(sums.ages.0.iter().map(|(_, blocks, _)| blocks).sum::<u64>(), sums.live_blocks);
        }
    }
}

/// Parts of a mapping go, then the rest: the mapping counts as freed once.
#[test]
fn mappings_have_a_peak_of_their_own() {
    let mut written = Written::new(1, Estimate::Exact);
    let event = |kind, time, address, size| Event::new(kind, time, address, size, 1);
    for event in [
        event(Kind::Map, 1, 0x10_0000, 0x5001),
        event(Kind::Unmap, 2, 0x10_2000, 0x1000),
        event(Kind::BreakUp, 3, 0x20_0000, 0x8000),
        event(Kind::BreakDown, 4, 0x20_4000, 0x4000),
        event(Kind::Map, 5, 0x10_0000, 0x1000),
        event(Kind::Unmap, 6, 0x10_0000, 0x10_0000),
    ] {
        written.push(0, event);
    }
    written.read(u64::MAX);

    let recording = written.recording();

    let rows: Vec<_> = recording
        .stacks
        .iter()
        .map(|sums| (sums.kind, sums.allocations, sums.frees, sums.live.0, sums.at_peak.0))
        .collect();
    let mapping = (AllocationKind::Mapping, 2, 2, 0, 0x5000);
    assert_eq!(rows, [mapping, (AllocationKind::Break, 1, 0, 0x4000, 0x8000)]);
    assert_eq!((recording.totals.mapped.0, recording.totals.mapped_peak.0), (0x4000, 0xd000));
    assert_eq!((recording.totals.peak.0, recording.totals.allocations), (0, 0));
}
