use residue_model::recording::AllocationKind;

use super::estimate::Weight;
use super::spread::Spread;
use super::timeline::Point;

/// What one call path asked of one kind of memory: the model's `StackSums` while they grow. Counts and bytes are in units
/// of the estimate.
#[derive(Debug, Default)]
pub(crate) struct Site {
    pub(crate) stack: u32,
    pub(crate) kind: AllocationKind,
    pub(crate) allocations: u64,
    pub(crate) frees: u64,
    pub(crate) reallocations: u64,
    pub(crate) allocated: u64,
    pub(crate) usable: u64,
    pub(crate) live_blocks: u64,
    pub(crate) live: u64,
    pub(crate) peak: u64,
    /// A time stamp.
    pub(crate) peak_at: u64,
    /// What stood when the family held most, if `peak_seen` is the family's number; else it is what stands now: nothing
    /// changed here since.
    at_peak: u64,
    at_peak_blocks: u64,
    peak_seen: u64,
    pub(crate) temporary: u64,
    pub(crate) short_lived: u64,
    pub(crate) aligned: u64,
    pub(crate) largest_alignment: u64,
    pub(crate) smallest: u64,
    pub(crate) largest: u64,
    pub(crate) sizes: Spread,
    pub(crate) lifetimes: Spread,
    /// A bit for each of 64 groups of threads.
    pub(crate) threads: u64,
    pub(crate) variance: [f64; 3],
    /// What was asked for in this slot of the timeline.
    pub(crate) slot_allocated: u64,
    pub(crate) slot_allocations: u64,
    /// It stands in the list of those that changed in this slot.
    pub(crate) is_changed: bool,
    /// It is one of too many: its course is not kept.
    pub(crate) is_untold: bool,
    pub(crate) points: Vec<Point>,
}

/// The memory of one family: heap, or mappings and break together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Family {
    pub(crate) live_blocks: u64,
    pub(crate) live: u64,
    pub(crate) peak: u64,
    /// A time stamp.
    pub(crate) peak_at: u64,
    /// Goes up with each new peak.
    pub(super) peak_number: u64,
}

impl Family {
    /// Something was given.
    #[inline]
    pub(crate) fn give(&mut self, site: &mut Site, weight: &Weight, time: u64) {
        site.remember_peak(self.peak_number);
        site.live_blocks += weight.blocks;
        site.live = site.live.saturating_add(weight.bytes);
        if site.live > site.peak {
            (site.peak, site.peak_at) = (site.live, time);
        }
        self.live_blocks += weight.blocks;
        self.live = self.live.saturating_add(weight.bytes);
        if self.live > self.peak {
            (self.peak, self.peak_at) = (self.live, time);
            self.peak_number += 1;
        }
    }

    /// Something went back.
    #[inline]
    pub(crate) fn take(&mut self, site: &mut Site, blocks: u64, bytes: u64) {
        site.remember_peak(self.peak_number);
        site.live_blocks = site.live_blocks.saturating_sub(blocks);
        site.live = site.live.saturating_sub(bytes);
        self.live_blocks = self.live_blocks.saturating_sub(blocks);
        self.live = self.live.saturating_sub(bytes);
    }

    /// The bytes and blocks of a site when the family held most.
    pub(crate) fn at_peak(&self, site: &Site) -> (u64, u64) {
        if site.peak_seen == self.peak_number {
            (site.at_peak, site.at_peak_blocks)
        } else {
            (site.live, site.live_blocks)
        }
    }
}

impl Site {
    pub(crate) fn new(stack: u32, kind: AllocationKind) -> Site {
        Site { stack, kind, smallest: u64::MAX, ..Site::default() }
    }

    /// Before it changes: what stands was so at the last peak, unless it has changed since.
    #[inline]
    fn remember_peak(&mut self, number: u64) {
        if self.peak_seen != number {
            (self.at_peak, self.at_peak_blocks, self.peak_seen) = (self.live, self.live_blocks, number);
        }
    }
}
