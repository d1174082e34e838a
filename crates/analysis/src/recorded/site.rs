use std::cmp::Reverse;

use residue_model::Bytes;
use residue_model::recording::{AllocationKind, StackSums};

use super::{Estimate, Growth, Measure, PathId};

/// Where the program asked for memory: all call paths that meet there.
#[derive(Clone, Debug)]
pub struct Site {
    /// From whom.
    pub kind: AllocationKind,
    /// The paths that end here, without allocators and wrappers; those that hold most first. There is at least one.
    pub paths: Vec<SitePath>,
    /// What they did together. Its `peak` is at least so much where there are several paths; its `points` are empty: see
    /// [`Recorded::held`](super::Recorded::held).
    pub sums: StackSums,
    /// How it went over time.
    pub growth: Growth,
    /// The bounds of what was estimated; None when every allocation was recorded.
    pub estimate: Option<Estimate>,
    /// Which of the recording's stacks these are.
    pub(super) stacks: Vec<u32>,
}

/// One of the call paths that meet at a site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SitePath {
    /// Which.
    pub path: PathId,
    /// How often it asked.
    pub allocations: u64,
    /// For how many bytes.
    pub allocated: Bytes,
    /// Bytes that stood at the end.
    pub live: Bytes,
    /// Blocks that did.
    pub live_blocks: u64,
    /// Of these, what nobody could reach; None when nobody looked.
    pub lost: Option<Bytes>,
    /// Bytes that stood when the program held most.
    pub at_peak: Bytes,
    /// Blocks that were freed at once.
    pub temporary: u64,
}

impl SitePath {
    pub(super) fn add(&mut self, sums: &StackSums) {
        self.allocations = self.allocations.saturating_add(sums.allocations);
        self.allocated += sums.allocated;
        self.live += sums.live;
        self.live_blocks = self.live_blocks.saturating_add(sums.live_blocks);
        self.lost = self.lost.zip(sums.lost).map(|(lost, more)| lost + more);
        self.at_peak += sums.at_peak;
        self.temporary = self.temporary.saturating_add(sums.temporary);
    }

    /// What it weighs.
    pub fn weight(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Live => self.live.0,
            Measure::Peak => self.at_peak.0,
            Measure::Allocated => self.allocated.0,
            Measure::Temporary => self.temporary,
        }
    }
}

impl Site {
    /// The path that weighs most.
    pub fn path(&self, measure: Measure) -> PathId {
        let heaviest = self.paths.iter().max_by_key(|path| (path.weight(measure), Reverse(path.path)));
        heaviest.map_or(PathId::ROOT, |path| path.path)
    }

    /// The part of its blocks that were freed by the next call of their thread, 0 to 1; None when there were none.
    pub fn temporary_share(&self) -> Option<f64> {
        (self.sums.allocations > 0).then(|| self.sums.temporary as f64 / self.sums.allocations as f64)
    }

    /// What allocators gave beyond what was asked for, of all blocks ever: the price of their size classes and of alignment.
    pub fn slack(&self) -> Bytes {
        self.sums.usable - self.sums.allocated
    }

    /// How much of that stood at the site's peak, when slack is spread evenly over its blocks.
    pub fn slack_at_peak(&self) -> Bytes {
        let share = self.slack().0 as f64 / (self.sums.allocated.0 as f64).max(1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, saturates")]
        Bytes((self.sums.peak.0 as f64 * share) as u64)
    }

    /// Whether all that stood at the end was allocated shortly before: within a tenth of the time. Its least age says how old
    /// the oldest was.
    pub fn is_young(&self, recorded: std::time::Duration) -> bool {
        let ages = &self.sums.ages.0;
        !ages.is_empty() && ages.iter().all(|(least, blocks, _)| *blocks == 0 || *least < recorded / 10)
    }
}
