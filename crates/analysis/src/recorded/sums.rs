use std::collections::BTreeMap;
use std::time::Duration;

use residue_model::Bytes;
use residue_model::recording::{Ages, Histogram, StackSums, Timeline};

/// Adds what another call path did. Peaks of several paths need not have been at once: see [`peak`].
pub(super) fn add(sums: &mut StackSums, other: &StackSums) {
    for (sum, more) in [
        (&mut sums.allocations, other.allocations),
        (&mut sums.frees, other.frees),
        (&mut sums.reallocations, other.reallocations),
        (&mut sums.live_blocks, other.live_blocks),
        (&mut sums.at_peak_blocks, other.at_peak_blocks),
        (&mut sums.temporary, other.temporary),
        (&mut sums.short_lived, other.short_lived),
        (&mut sums.aligned, other.aligned),
    ] {
        *sum = sum.saturating_add(more);
    }
    sums.allocated += other.allocated;
    sums.usable += other.usable;
    sums.live += other.live;
    sums.at_peak += other.at_peak;
    sums.lost_blocks = both(sums.lost_blocks, other.lost_blocks, u64::saturating_add);
    sums.lost = both(sums.lost, other.lost, |a, b| a + b);
    if other.peak > sums.peak {
        (sums.peak, sums.peak_at) = (other.peak, other.peak_at);
    }
    sums.largest_alignment = sums.largest_alignment.max(other.largest_alignment);
    sums.smallest = sums.smallest.min(other.smallest);
    sums.largest = sums.largest.max(other.largest);
    add_counts(&mut sums.sizes, &other.sizes);
    add_counts(&mut sums.lifetimes, &other.lifetimes);
    add_ages(&mut sums.ages, &other.ages);
    sums.threads = sums.threads.max(other.threads);
    for (sum, more) in sums.variance.iter_mut().zip(other.variance) {
        *sum += more;
    }
}

/// A sum is only known when both parts are.
fn both<T>(sum: Option<T>, more: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    Some(add(sum?, more?))
}

fn add_counts(sum: &mut Histogram, more: &Histogram) {
    sum.0.resize(sum.0.len().max(more.0.len()), 0);
    for (sum, more) in sum.0.iter_mut().zip(&more.0) {
        *sum = sum.saturating_add(*more);
    }
}

fn add_ages(sum: &mut Ages, more: &Ages) {
    let mut ages: BTreeMap<Duration, (u64, Bytes)> = BTreeMap::new();
    for &(age, blocks, bytes) in sum.0.iter().chain(&more.0) {
        let entry = ages.entry(age).or_default();
        *entry = (entry.0.saturating_add(blocks), entry.1 + bytes);
    }
    sum.0 = ages.into_iter().map(|(age, (blocks, bytes))| (age, blocks, bytes)).collect();
}

/// Adds the bytes that a path held at the end of each slot.
pub(super) fn add_history(held: &mut [u64], sums: &StackSums) {
    let mut points = sums.points.iter().peekable();
    let mut live = 0;
    for (slot, held) in held.iter_mut().enumerate() {
        while let Some(point) = points.next_if(|point| usize::from(point.slot) <= slot) {
            live = point.live.0;
        }
        *held = held.saturating_add(live);
    }
}

/// The most that several paths held at once, at least: as much as one of them ever did, as all did at the end of a slot, and as
/// they did at the program's peak.
pub(super) fn peak(sums: &mut StackSums, held: &[u64], timeline: &Timeline) {
    let top = held.iter().enumerate().max_by_key(|(slot, bytes)| (**bytes, std::cmp::Reverse(*slot)));
    if let Some((slot, &bytes)) = top.filter(|(_, bytes)| **bytes > sums.peak.0) {
        sums.peak = Bytes(bytes);
        sums.peak_at = timeline.slot * u32::try_from(slot).unwrap_or(u32::MAX);
    }
    sums.peak = sums.peak.max(sums.at_peak);
}

/// The value that a part of all counted values, 0 to 1, does not exceed: found to a factor of two, and placed within it as if
/// values were spread evenly. None when nothing was counted.
pub fn quantile(counts: &Histogram, part: f64) -> Option<f64> {
    let wanted = part * counts.count() as f64;
    let mut below = 0.0;
    for (entry, &count) in counts.0.iter().enumerate().filter(|(_, count)| **count > 0) {
        let count = count as f64;
        if below + count >= wanted {
            let (least, beyond) = Histogram::span(entry);
            let (least, beyond) = (least as f64, beyond.map_or(2.0 * least as f64, |beyond| beyond as f64));
            return Some(least + (beyond - least) * ((wanted - below) / count));
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_where_its_value_was_counted() {
        let mut counts = vec![0; 12];
        counts[Histogram::entry(3)] = 90;
        counts[Histogram::entry(1500)] = 10;
        let lifetimes = Histogram(counts);
        let is_within = |part: f64, range: std::ops::RangeInclusive<f64>| {
            quantile(&lifetimes, part).is_some_and(|value| range.contains(&value))
        };
        assert!(is_within(0.5, 2.0..=4.0) && is_within(0.95, 1024.0..=2048.0));
        assert_eq!(quantile(&Histogram::default(), 0.5), None);
    }

    #[test]
    fn what_one_part_does_not_know_the_sum_does_not_know() {
        let part = |lost| StackSums { allocations: 1, smallest: Bytes(8), lost, ..StackSums::default() };
        let of = |parts: [Option<Bytes>; 2]| {
            let mut sums = part(parts[0]);
            add(&mut sums, &part(parts[1]));
            sums.lost
        };
        assert_eq!(of([Some(Bytes(1)), Some(Bytes(2))]), Some(Bytes(3)));
        assert_eq!(of([Some(Bytes(1)), None]), None);
    }

    /// Two that held much one after the other never held it together.
    #[test]
    fn peaks_that_were_not_at_once_do_not_add_up() {
        let recording = residue_testkit::Sketch::of("app", 4, Duration::from_secs(1))
            .stack(&["a", "main"])
            .blocks(100, |slot| if slot == 0 { 5 } else { 1 })
            .stack(&["b", "main"])
            .blocks(100, |slot| if slot == 2 { 5 } else { 1 })
            .build();
        let (mut sums, mut held) = (StackSums::default(), vec![0; 4]);
        for stack in &recording.stacks {
            add(&mut sums, stack);
            add_history(&mut held, stack);
        }
        peak(&mut sums, &held, &recording.timeline);
        assert_eq!((held, sums.peak), (vec![600, 200, 600, 200], Bytes(600)));
    }
}
