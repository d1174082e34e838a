use std::collections::HashMap;
use std::sync::Arc;

use residue_model::recording::{AllocationKind, Recording, StackSums};

use super::site::{Site, SitePath};
use super::sums::{add, add_history, peak};
use super::{Estimate, FrameId, Growth, PathId, Paths};

/// Which call paths are one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Those that end at the same line of the same function.
    #[default]
    Line,
    /// Those that are the same all the way.
    Stack,
    /// Those that end in the same function.
    Function,
    /// Those that end in the same module.
    Module,
}

/// What makes paths one site.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Call(FrameId),
    Path(PathId),
    Function(u32),
    Module(Option<Arc<str>>),
}

impl Grouping {
    fn key(self, path: PathId, paths: &Paths) -> Key {
        let Some(frame) = paths.innermost(path) else { return Key::Path(path) };
        match self {
            Grouping::Line => Key::Call(frame),
            Grouping::Stack => Key::Path(path),
            Grouping::Function => Key::Function(paths.function(frame)),
            Grouping::Module => Key::Module(paths.frame(frame).module.clone()),
        }
    }
}

/// The sites of a recording, in the order in which their first stacks stand there.
pub(super) fn sites(recording: &Recording, paths: &Paths, grouping: Grouping) -> Vec<Site> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<(AllocationKind, Key), usize> = HashMap::new();
    for (index, sums) in recording.stacks.iter().enumerate() {
        let path = paths.asked(sums.stack);
        let group = *known.entry((sums.kind, grouping.key(path, paths))).or_insert_with(|| {
            groups.push(Group::new(sums));
            groups.len() - 1
        });
        groups[group].add(u32::try_from(index).unwrap_or(u32::MAX), path, sums);
    }
    groups.into_iter().map(|group| group.site(recording)).collect()
}

/// A site while its paths come together.
struct Group {
    sums: StackSums,
    paths: HashMap<PathId, SitePath>,
    stacks: Vec<u32>,
}

impl Group {
    fn new(first: &StackSums) -> Group {
        let sums = StackSums {
            stack: first.stack,
            kind: first.kind,
            smallest: first.smallest,
            lost: first.lost.map(|_| residue_model::Bytes::ZERO),
            lost_blocks: first.lost_blocks.map(|_| 0),
            ..StackSums::default()
        };
        Group { sums, paths: HashMap::new(), stacks: Vec::new() }
    }

    fn add(&mut self, index: u32, path: PathId, sums: &StackSums) {
        let nothing = SitePath { path, lost: Some(residue_model::Bytes::ZERO), ..SitePath::default() };
        self.paths.entry(path).or_insert(nothing).add(sums);
        self.stacks.push(index);
        add(&mut self.sums, sums);
    }

    fn site(mut self, recording: &Recording) -> Site {
        let held = held(recording, &self.stacks);
        peak(&mut self.sums, &held, &recording.timeline);
        let mut paths: Vec<SitePath> = self.paths.into_values().collect();
        paths.sort_by_key(|path| (std::cmp::Reverse((path.live, path.at_peak, path.allocated)), path.path));
        let growth = Growth::of(&held, recording.timeline.slot, recording.program.recorded, &self.sums.ages);
        let estimate = recording.sampling.map(|sampling| Estimate::of(&self.sums, sampling));
        Site { kind: self.sums.kind, paths, sums: self.sums, growth, estimate, stacks: self.stacks }
    }
}

/// Bytes that stacks held together at the end of each slot.
pub(super) fn held(recording: &Recording, stacks: &[u32]) -> Vec<u64> {
    let mut held = vec![0; recording.timeline.totals.len()];
    for sums in stacks.iter().filter_map(|&index| recording.stacks.get(index as usize)) {
        add_history(&mut held, sums);
    }
    held
}
