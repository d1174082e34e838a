use super::site::{Family, Site};

/// When there are so many slots, each two become one. Even.
pub(crate) const SLOTS: usize = 256;
/// The first slots are so long, in ticks: about a millisecond. A power of two.
const FIRST: u64 = 1 << 21;
/// So many points are kept before those of light sites go.
const MOST_POINTS: usize = 1 << 20;
/// So many sites, the heaviest, keep their points then.
const KEPT: usize = 4096;

/// A site at the end of a slot in which it changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) slot: u16,
    pub(crate) live: u64,
    pub(crate) live_blocks: u64,
    pub(crate) allocated: u64,
    pub(crate) allocations: u64,
}

/// All sites at the end of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) live: u64,
    pub(crate) live_blocks: u64,
    pub(crate) peak: u64,
    pub(crate) allocated: u64,
    pub(crate) allocations: u64,
    pub(crate) rss: Option<u64>,
}

/// The course of things, in slots of one length.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// How long a slot is, in ticks.
    pub(crate) slot: u64,
    /// When the slot that is filled ends.
    pub(crate) end: u64,
    pub(crate) totals: Vec<Total>,
    /// The slot that is filled.
    pub(crate) current: Total,
    /// Sites that changed in it.
    changed: Vec<u32>,
    points: usize,
    /// Sites whose points were given up.
    pub(crate) untold: usize,
}

impl Timeline {
    pub(crate) fn from(start: u64) -> Timeline {
        Timeline {
            slot: FIRST,
            end: start.saturating_add(FIRST),
            totals: Vec::with_capacity(SLOTS),
            current: Total::default(),
            changed: Vec::new(),
            points: 0,
            untold: 0,
        }
    }

    /// A site changes in this slot.
    #[inline]
    pub(crate) fn touch(&mut self, number: u32, site: &mut Site) {
        if !site.is_changed {
            site.is_changed = true;
            self.changed.push(number);
        }
    }

    /// Ends slots until the time is in the one that is filled.
    pub(crate) fn advance(&mut self, time: u64, heap: &Family, sites: &mut [Site]) {
        while time >= self.end && self.end != u64::MAX {
            self.close(heap, sites);
            self.end = self.end.saturating_add(self.slot);
        }
    }

    /// Ends the slot that is filled.
    fn close(&mut self, heap: &Family, sites: &mut [Site]) {
        self.note_points(sites);
        let current = std::mem::take(&mut self.current);
        self.totals.push(Total {
            live: heap.live,
            live_blocks: heap.live_blocks,
            peak: current.peak.max(heap.live),
            ..current
        });
        // A slot in which nothing happens began as it ended.
        self.current.peak = heap.live;
        if self.totals.len() == SLOTS {
            self.halve(sites);
        }
        if self.points > MOST_POINTS {
            self.forget_light(sites);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "there are 256 slots")]
    fn note_points(&mut self, sites: &mut [Site]) {
        let slot = self.totals.len() as u16;
        for number in self.changed.drain(..) {
            let Some(site) = sites.get_mut(number as usize) else { continue };
            site.is_changed = false;
            let allocated = std::mem::take(&mut site.slot_allocated);
            let allocations = std::mem::take(&mut site.slot_allocations);
            if !site.is_untold {
                let (live, live_blocks) = (site.live, site.live_blocks);
                site.points.push(Point { slot, live, live_blocks, allocated, allocations });
                self.points += 1;
            }
        }
    }

    /// Makes one slot of each two.
    fn halve(&mut self, sites: &mut [Site]) {
        self.slot *= 2;
        let pairs = self.totals.chunks(2);
        self.totals = pairs.map(|pair| pair.iter().copied().reduce(joined).unwrap_or_default()).collect();
        self.points = 0;
        for site in sites {
            let mut joined: Vec<Point> = Vec::with_capacity(site.points.len() / 2 + 1);
            for point in &site.points {
                let slot = point.slot / 2;
                match joined.last_mut().filter(|last| last.slot == slot) {
                    Some(last) => {
                        let allocated = last.allocated.saturating_add(point.allocated);
                        *last = Point {
                            slot,
                            allocated,
                            allocations: last.allocations + point.allocations,
                            ..*point
                        };
                    }
                    None => joined.push(Point { slot, ..*point }),
                }
            }
            self.points += joined.len();
            site.points = joined;
        }
    }

    /// Gives up the points of all but the heaviest sites.
    fn forget_light(&mut self, sites: &mut [Site]) {
        let mut told: Vec<(u64, u32)> = (0..)
            .zip(sites.iter())
            .filter(|(_, site)| !site.points.is_empty())
            .map(|(number, site)| (site.peak, number))
            .collect();
        told.sort_unstable_by(|one, other| other.cmp(one));
        for (_, number) in told.into_iter().skip(KEPT) {
            let site = &mut sites[number as usize];
            site.is_untold = true;
            self.untold += 1;
            self.points -= site.points.len();
            site.points = Vec::new();
        }
    }

    /// The slot that is filled, as if it ended now: the total, and what its sites would have for a point.
    pub(crate) fn open_slot(&self, heap: &Family) -> Total {
        Total {
            live: heap.live,
            live_blocks: heap.live_blocks,
            peak: self.current.peak.max(heap.live),
            ..self.current
        }
    }
}

/// Two slots, one after the other, as one.
fn joined(first: Total, second: Total) -> Total {
    Total {
        peak: first.peak.max(second.peak),
        allocated: first.allocated.saturating_add(second.allocated),
        allocations: first.allocations + second.allocations,
        rss: second.rss.or(first.rss),
        ..second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_has_a_bounded_number_of_slots() {
        let mut timeline = Timeline::from(0);
        let mut sites = [Site::default()];
        let heap = Family { live: 7, ..Family::default() };

        for second in 0..100_000_u64 {
            timeline.advance(second << 31, &heap, &mut sites);
            sites[0].slot_allocations += 1;
            timeline.current.allocations += 1;
            let (site, timeline) = (&mut sites[0], &mut timeline);
            timeline.touch(0, site);
        }
        timeline.advance(100_000 << 31, &heap, &mut sites);

        assert!((SLOTS / 2..SLOTS).contains(&timeline.totals.len()), "{}", timeline.totals.len());
        assert!(timeline.end - timeline.slot <= 100_000 << 31 && 100_000 << 31 < timeline.end);
        assert_eq!(timeline.end, timeline.slot * (timeline.totals.len() as u64 + 1));
        let counted = |counts: &mut dyn Iterator<Item = u64>| counts.sum::<u64>();
        let last = timeline.current.allocations;
        assert_eq!(counted(&mut timeline.totals.iter().map(|total| total.allocations)) + last, 100_000);
        let told = counted(&mut sites[0].points.iter().map(|point| point.allocations));
        assert_eq!(told + sites[0].slot_allocations, 100_000);
        assert!(sites[0].points.windows(2).all(|pair| pair[0].slot < pair[1].slot));
    }
}
