//! A part of the time. What a timeline does not tell of its parts (lifetimes, sizes, who freed at once) is left out, and said.

use std::time::Duration;

use residue_model::recording::{Ages, Histogram, Point, Recording, StackSums, Total};
use residue_model::{Bytes, Gap};

/// The slots of a window: the first, and the one behind the last.
struct Slots {
    first: usize,
    end: usize,
    /// In which of them the program held most.
    top: usize,
}

/// Leaves of a recording what happened from one time to another, in whole slots of its timeline.
pub(super) fn cut(recording: &mut Recording, from: Duration, to: Duration) {
    let slot = recording.timeline.slot;
    let totals = &recording.timeline.totals;
    let number =
        |time: Duration| usize::try_from(time.as_nanos() / slot.as_nanos().max(1)).unwrap_or(usize::MAX);
    let first = number(from).min(totals.len());
    // A slot that was begun belongs to it.
    let end = number(to.saturating_sub(Duration::from_nanos(1))).saturating_add(1).clamp(first, totals.len());
    let top = (first..end).max_by_key(|&slot| (totals[slot].peak, std::cmp::Reverse(slot))).unwrap_or(first);
    let slots = Slots { first, end, top };
    for sums in &mut recording.stacks {
        slots.cut(sums, slot);
    }
    recording.stacks.retain(|sums| sums.allocations > 0 || sums.live_blocks > 0 || sums.frees > 0);
    slots.cut_totals(recording);
    recording.marks.clear();
    let of = "in a part of the time";
    recording.gaps.push(Gap::new(
        format!("lifetimes, ages, sizes, temporary and lost blocks {of}, and what marks enclose"),
        "they are only counted for the whole time: ask without --from and --to",
    ));
    recording.gaps.push(Gap::new(
        format!("the exact peak of call paths {of}"),
        format!("it is taken from the ends of slots of {} ms", slot.as_millis()),
    ));
}

impl Slots {
    fn cut(&self, sums: &mut StackSums, slot: Duration) {
        let stood = |end: usize| -> (Bytes, u64) {
            let before = sums.points.iter().take_while(|point| usize::from(point.slot) < end).last();
            before.map_or((Bytes::ZERO, 0), |point| (point.live, point.live_blocks))
        };
        let (before, at_top, after) = (stood(self.first), stood(self.top + 1), stood(self.end));
        let within: Vec<Point> = sums
            .points
            .iter()
            .filter(|point| (self.first..self.end).contains(&usize::from(point.slot)))
            .copied()
            .collect();
        let most = within.iter().max_by_key(|point| point.live).copied();
        let most = most.map_or((before.0, self.first), |point| (point.live, usize::from(point.slot)));
        let (peak, at) = if before.0 > most.0 { (before.0, self.first) } else { most };
        let allocations: u64 = within.iter().map(|point| point.allocations).sum();
        *sums = StackSums {
            stack: sums.stack,
            kind: sums.kind,
            allocations,
            frees: (before.1 + allocations).saturating_sub(after.1),
            allocated: within.iter().map(|point| point.allocated).sum(),
            live_blocks: after.1,
            live: after.0,
            peak,
            peak_at: slot * u32::try_from(at).unwrap_or(u32::MAX),
            at_peak: at_top.0,
            at_peak_blocks: at_top.1,
            smallest: sums.smallest,
            largest: sums.largest,
            threads: sums.threads,
            lost: None,
            lost_blocks: None,
            sizes: Histogram::default(),
            ages: Ages::default(),
            points: self.moved(&before, within),
            ..StackSums::default()
        };
    }

    /// The window's points on its own timeline, begun by what stood before.
    fn moved(&self, before: &(Bytes, u64), mut within: Vec<Point>) -> Vec<Point> {
        for point in &mut within {
            point.slot -= u16::try_from(self.first).unwrap_or(u16::MAX).min(point.slot);
        }
        if before.1 > 0 && within.first().is_none_or(|point| point.slot > 0) {
            within.insert(0, Point { live: before.0, live_blocks: before.1, ..Point::default() });
        }
        within
    }

    fn cut_totals(&self, recording: &mut Recording) {
        let timeline = &mut recording.timeline;
        let before = self.first.checked_sub(1).map_or_else(Total::default, |slot| timeline.totals[slot]);
        let kept: Vec<Total> = timeline.totals[self.first..self.end].to_vec();
        let last = kept.last().copied().unwrap_or(before);
        let totals = &mut recording.totals;
        totals.allocations = kept.iter().map(|total| total.allocations).sum();
        totals.allocated = kept.iter().map(|total| total.allocated).sum();
        totals.frees = (before.live_blocks + totals.allocations).saturating_sub(last.live_blocks);
        (totals.live, totals.live_blocks) = (last.live, last.live_blocks);
        totals.peak = timeline.totals.get(self.top).map_or(before.live, |total| total.peak);
        totals.peak_at = timeline.slot * u32::try_from(self.top).unwrap_or(u32::MAX);
        totals.temporary = 0;
        let end = timeline.slot * u32::try_from(self.end).unwrap_or(u32::MAX);
        let start = timeline.slot * u32::try_from(self.first).unwrap_or(u32::MAX);
        recording.program.recorded = end.min(recording.program.recorded).saturating_sub(start);
        timeline.totals = kept;
    }
}

#[cfg(test)]
mod tests {
    use residue_testkit::Sketch;

    use super::*;

    #[test]
    fn a_window_has_what_was_done_in_it_and_what_stood_at_its_end() {
        let mut recording = Sketch::of("app", 10, Duration::from_secs(1))
            .stack(&["grow", "main"])
            .blocks(100, u64::from)
            .stack(&["old", "main"])
            .blocks(50, |_| 2)
            .stack(&["late", "main"])
            .blocks(10, |slot| u64::from(slot > 8))
            .build();

        cut(&mut recording, Duration::from_secs(3), Duration::from_secs(6));

        let sums: Vec<_> = recording
            .stacks
            .iter()
            .map(|sums| (sums.allocations, sums.frees, sums.live.0, sums.peak.0, sums.at_peak.0))
            .collect();
        assert_eq!(sums, [(3, 0, 500, 500, 500), (0, 0, 100, 100, 100)]);
        assert_eq!(recording.timeline.totals.len(), 3);
        let totals = recording.totals;
        assert_eq!((totals.allocations, totals.live, totals.peak), (3, Bytes(600), Bytes(600)));
        let mut held = vec![0; 3];
        recording.stacks.iter().for_each(|sums| crate::recorded::sums::add_history(&mut held, sums));
        assert_eq!(held, [400, 500, 600]);
        assert_eq!(recording.program.recorded, Duration::from_secs(3));
    }

    #[test]
    fn a_window_beside_the_recording_is_empty() {
        let mut recording =
            Sketch::of("app", 4, Duration::from_secs(1)).stack(&["a"]).blocks(1, |_| 1).build();
        cut(&mut recording, Duration::from_secs(9), Duration::from_secs(12));
        assert_eq!((recording.timeline.totals.len(), recording.totals.allocations), (0, 0));
        assert_eq!(recording.totals.live_blocks, 1, "it goes on standing");
    }
}
