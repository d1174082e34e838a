use std::cmp::Reverse;

use residue_model::Bytes;
use residue_model::recording::AllocationKind;

use super::{Measure, Recorded, Shape, Site};

/// What of a recording is asked for: a question, and the sites that answer it, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// Who has blocks that nobody could reach any more when the program ended.
    Lost,
    /// Who goes on growing.
    Growing,
    /// Who holds what was not freed at the end.
    Live,
    /// Who held what the program had when it held most.
    Peak,
    /// Who asked for most in all.
    Allocated,
    /// Whose blocks are freed at once.
    Temporary,
    /// Who is given more than was asked for.
    Wasted,
}

/// Fewer temporary blocks are no churn.
const FEWEST_TEMPORARY: u64 = 100;
/// Less slack is none of the program's troubles.
const LEAST_SLACK: Bytes = Bytes::kib(4);

impl Section {
    /// Those of a page, in the order in which they matter.
    pub const ALL: [Section; 6] =
        [Section::Lost, Section::Growing, Section::Live, Section::Peak, Section::Temporary, Section::Wasted];

    /// The number that ranks a site: bytes, or blocks of those that are temporary. 0 for a site that does not belong here.
    pub fn weight(self, site: &Site) -> u64 {
        let sums = &site.sums;
        match self {
            Section::Lost => sums.lost.unwrap_or_default().0,
            Section::Growing if site.growth.shape.grows() => {
                u64::try_from(site.growth.net).unwrap_or_default()
            }
            Section::Growing => 0,
            Section::Live => sums.live.0.max(u64::from(sums.live_blocks > 0)),
            Section::Peak => sums.at_peak.0,
            Section::Allocated => sums.allocated.0,
            Section::Temporary if sums.temporary < FEWEST_TEMPORARY => 0,
            Section::Temporary => sums.temporary,
            // Of mappings and the break the kernel gives pages, which is no waste of an allocator.
            Section::Wasted if site.kind != AllocationKind::Heap => 0,
            Section::Wasted => {
                Some(site.slack_at_peak()).filter(|slack| *slack >= LEAST_SLACK).unwrap_or_default().0
            }
        }
    }

    /// By which of its paths a site is told here.
    pub const fn measure(self) -> Measure {
        match self {
            Section::Lost | Section::Growing | Section::Live => Measure::Live,
            Section::Peak => Measure::Peak,
            Section::Temporary => Measure::Temporary,
            Section::Allocated | Section::Wasted => Measure::Allocated,
        }
    }

    /// The sites that belong here, the worst first. Those that surely grow come before those that seem to.
    pub fn of(self, recorded: &Recorded) -> Vec<&Site> {
        let mut sites: Vec<&Site> = recorded.sites.iter().filter(|site| self.weight(site) > 0).collect();
        let is_unsure = |site: &Site| self == Section::Growing && site.growth.shape != Shape::Leak;
        sites.sort_by_key(|site| (is_unsure(site), Reverse(self.weight(site))));
        sites
    }
}
