use residue_model::Bytes;
use residue_model::recording::{Recording, StackSums};

use super::group::{Grouping, held, sites};
use super::{Filter, MarkView, PathId, Paths, Shape, Site, Skip, marks};

/// What is asked of a recording.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Which part of it.
    pub filter: Filter,
    /// Which call paths are one site.
    pub grouping: Grouping,
    /// Which functions only pass on.
    pub skip: Skip,
    /// Only sites that asked for at least so many bytes in all.
    pub least: Bytes,
}

/// A recording, understood: where the program asked for memory, and how that went.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What passed the filter.
    pub recording: Recording,
    /// Its call paths.
    pub paths: Paths,
    /// Where memory was asked for; those that held most at the end first, then those that ever did.
    pub sites: Vec<Site>,
    /// What the program did in its own phases.
    pub marks: Vec<MarkView>,
    /// Only a part of the time is looked at: lifetimes, ages, sizes and what was temporary are unknown.
    pub is_window: bool,
    /// What the sites did together, where a filter left some out.
    pub chosen: Option<Chosen>,
}

/// What the sites did that passed a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// How often they asked.
    pub allocations: u64,
    /// For how many bytes.
    pub allocated: Bytes,
    /// Blocks of theirs that stood at the end.
    pub live_blocks: u64,
    /// Their bytes.
    pub live: Bytes,
    /// What they held when the program held most.
    pub at_peak: Bytes,
}

impl Recorded {
    /// Understands a recording.
    pub fn of(recording: &Recording, question: &Question) -> Recorded {
        let whole = recording;
        let recording = question.filter.apply(whole);
        let paths = Paths::of(&recording, &question.skip);
        let mut sites = sites(&recording, &paths, question.grouping);
        let marks = marks::views(&recording, &paths);
        sites.retain(|site| site.sums.allocated >= question.least);
        sites.sort_by_key(|site| {
            std::cmp::Reverse((site.sums.live, site.sums.live_blocks, site.sums.peak, site.sums.allocated))
        });
        let is_part = !question.filter.is_empty() || question.least > Bytes::ZERO;
        let chosen = is_part.then(|| chosen(&sites));
        Recorded { paths, sites, marks, is_window: question.filter.is_window(), chosen, recording }
    }

    /// Bytes that a site held at the end of each slot of the timeline.
    pub fn held(&self, site: &Site) -> Vec<u64> {
        held(&self.recording, &site.stacks)
    }

    /// Whether somebody goes on growing like a leak, or lost blocks.
    pub fn has_leak(&self) -> bool {
        self.grows() || self.has_lost()
    }

    /// Whether somebody goes on growing like a leak.
    pub fn grows(&self) -> bool {
        self.sites.iter().any(|site| site.growth.shape == Shape::Leak)
    }

    /// Whether blocks are left that nobody could reach.
    pub fn has_lost(&self) -> bool {
        self.sites.iter().any(|site| site.sums.lost_blocks.is_some_and(|lost| lost > 0))
    }

    /// What nobody could reach any more at the end: blocks and bytes. None when nobody looked.
    pub fn lost(&self) -> Option<(u64, Bytes)> {
        let lost = |sums: &StackSums| sums.lost_blocks.zip(sums.lost);
        let known = self.sites.iter().any(|site| lost(&site.sums).is_some());
        let all = self.sites.iter().filter_map(|site| lost(&site.sums));
        known.then(|| {
            all.fold((0, Bytes::ZERO), |(blocks, bytes), (more, size)| (blocks + more, bytes + size))
        })
    }

    /// Whether nothing at all was seen.
    pub fn is_blind(&self) -> bool {
        self.recording.totals.events == 0
    }

    /// The frames of a path without how the program was started, the innermost first.
    pub fn own_frames(&self, path: PathId) -> impl Iterator<Item = &super::Frame> {
        self.paths.own_frames(path)
    }

    /// The frames of a path, the innermost first.
    pub fn frames(&self, path: PathId) -> impl Iterator<Item = &super::Frame> {
        self.paths.frames(path)
    }
}

fn chosen(sites: &[Site]) -> Chosen {
    sites.iter().fold(Chosen::default(), |sum, site| Chosen {
        allocations: sum.allocations + site.sums.allocations,
        allocated: sum.allocated + site.sums.allocated,
        live_blocks: sum.live_blocks + site.sums.live_blocks,
        live: sum.live + site.sums.live,
        at_peak: sum.at_peak + site.sums.at_peak,
    })
}
