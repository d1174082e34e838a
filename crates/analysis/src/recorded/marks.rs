use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use residue_model::Bytes;
use residue_model::recording::{AllocationKind, Mark, Recording};

use super::{PathId, Paths};

/// What a program did in a phase that it named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarkView {
    /// As the program calls it.
    pub name: String,
    /// How often it began.
    pub begun: u64,
    /// How often it ended.
    pub ended: u64,
    /// The time between, in all.
    pub time: Duration,
    /// Allocations within.
    pub allocations: u64,
    /// Their bytes.
    pub allocated: Bytes,
    /// Blocks allocated within and not freed within.
    pub net_blocks: i64,
    /// Their bytes.
    pub net: i64,
    /// Who did that, the most left behind first.
    pub sites: Vec<MarkSite>,
}

/// What a site did within a mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkSite {
    /// The path that left most.
    pub path: PathId,
    /// From whom memory was asked.
    pub kind: AllocationKind,
    /// Allocations within.
    pub allocations: u64,
    /// Their bytes.
    pub allocated: Bytes,
    /// Blocks allocated less blocks freed.
    pub net_blocks: i64,
    /// The same in bytes.
    pub net: i64,
    /// The most that one path left: the path shown.
    most: i64,
}

/// The phases of a recording.
pub(super) fn views(recording: &Recording, paths: &Paths) -> Vec<MarkView> {
    recording.marks.iter().map(|mark| view(mark, paths)).collect()
}

fn view(mark: &Mark, paths: &Paths) -> MarkView {
    let mut sites: HashMap<_, MarkSite> = HashMap::new();
    for sums in &mark.stacks {
        let path = paths.asked(sums.stack);
        let nothing = MarkSite { path, kind: sums.kind, most: sums.net, ..MarkSite::default() };
        let site = sites.entry((sums.kind, paths.innermost(path))).or_insert(nothing);
        site.allocations = site.allocations.saturating_add(sums.allocations);
        site.allocated += sums.allocated;
        site.net_blocks = site.net_blocks.saturating_add(sums.net_blocks);
        site.net = site.net.saturating_add(sums.net);
        if sums.net > site.most {
            (site.path, site.most) = (path, sums.net);
        }
    }
    let mut sites: Vec<MarkSite> = sites.into_values().collect();
    sites.sort_by_key(|site| (Reverse((site.net, site.allocated)), site.path));
    MarkView {
        name: mark.name.clone(),
        begun: mark.begun,
        ended: mark.ended,
        time: mark.time,
        allocations: sites.iter().map(|site| site.allocations).sum(),
        allocated: sites.iter().map(|site| site.allocated).sum(),
        net_blocks: sites.iter().map(|site| site.net_blocks).sum(),
        net: sites.iter().map(|site| site.net).sum(),
        sites,
    }
}
