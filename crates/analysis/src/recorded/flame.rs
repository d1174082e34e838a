use std::collections::HashMap;

use residue_model::recording::AllocationKind;

use super::{Frame, Measure, PathId, Paths, Recorded};

/// A weighed tree of calls, from the outside in: what a flame graph draws.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flame {
    /// The first is the root: all of it, and no function. Each node stands behind the one that called it.
    pub nodes: Vec<FlameNode>,
    /// What of it was asked of the kernel by the program itself, and of no allocator.
    pub mapped: u64,
}

/// A function where it was called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlameNode {
    /// Which function. Its line is None where calls came from several of its lines. None for the root, and for what nobody
    /// knows the path of.
    pub frame: Option<Frame>,
    /// Who called: an index before this one; the root's own is 0.
    pub parent: u32,
    /// What it weighs without those that it called.
    pub own: u64,
    /// With them.
    pub total: u64,
}

impl Flame {
    /// The tree of all sites by a measure, without allocators and wrappers at the inner ends. Only paths that weigh something
    /// are in it.
    pub fn of(recorded: &Recorded, measure: Measure) -> Flame {
        let mut own: HashMap<PathId, u64> = HashMap::new();
        let mut flame = Flame { nodes: vec![FlameNode::default()], mapped: 0 };
        for site in &recorded.sites {
            for path in &site.paths {
                let weight = path.weight(measure);
                if weight > 0 {
                    let sum = own.entry(path.path).or_default();
                    *sum = sum.saturating_add(weight);
                }
                if site.kind != AllocationKind::Heap {
                    flame.mapped = flame.mapped.saturating_add(weight);
                }
            }
        }
        flame.nodes[0].own = own.remove(&PathId::ROOT).unwrap_or_default();
        flame.grow(&recorded.paths, &own);
        flame.sum();
        flame
    }

    /// The tree of some paths, with nothing weighed, and where in it each of them ends.
    pub(super) fn unweighed(
        paths: &Paths,
        of: impl Iterator<Item = PathId>,
    ) -> (Flame, HashMap<PathId, u32>) {
        let mut flame = Flame { nodes: vec![FlameNode::default()], mapped: 0 };
        let node_of = flame.grow(paths, &of.map(|path| (path, 0)).collect());
        (flame, node_of)
    }

    /// Adds paths with what they weigh, and gives the node of each.
    fn grow(&mut self, paths: &Paths, own: &HashMap<PathId, u64>) -> HashMap<PathId, u32> {
        let wanted = ancestors(paths, own.keys().copied());
        let mut node_of: HashMap<PathId, u32> = HashMap::from([(PathId::ROOT, 0)]);
        let mut children: HashMap<(u32, u32), u32> = HashMap::new();
        for path in paths.all().filter(|path| wanted[path.0 as usize]) {
            let Some(frame) = paths.innermost(path) else { continue };
            let parent = node_of[&paths.caller(path)];
            let node = *children.entry((parent, paths.function(frame))).or_insert_with(|| {
                let frame = Some(paths.frame(frame).clone());
                self.nodes.push(FlameNode { frame, parent, ..FlameNode::default() });
                u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
            });
            node_of.insert(path, node);
            let node = &mut self.nodes[node as usize];
            node.own = node.own.saturating_add(own.get(&path).copied().unwrap_or_default());
            if let Some(merged) = node.frame.as_mut().filter(|merged| merged.line != paths.frame(frame).line)
            {
                merged.line = None;
            }
        }
        node_of
    }

    fn sum(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[index];
            node.total = node.total.saturating_add(node.own);
            let (parent, total) = (node.parent as usize, node.total);
            if index > 0 {
                self.nodes[parent].total = self.nodes[parent].total.saturating_add(total);
            }
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.nodes.first().map_or(0, |root| root.total)
    }
}

/// Of each path, whether it is one of these or on the way to one.
fn ancestors(paths: &Paths, of: impl Iterator<Item = PathId>) -> Vec<bool> {
    let mut wanted = vec![false; paths.all().count() + 1];
    for path in of {
        let mut at = path;
        while at != PathId::ROOT && !wanted[at.0 as usize] {
            wanted[at.0 as usize] = true;
            at = paths.caller(at);
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use residue_model::Bytes;
    use residue_testkit::Sketch;

    use super::*;
    use crate::recorded::Question;

    fn weights(flame: &Flame) -> Vec<(&str, u64, u64)> {
        let name = |node: &'_ FlameNode| node.frame.as_ref().and_then(|frame| frame.function.clone());
        let known = ["main", "load", "read"];
        let named =
            |node| known.into_iter().find(|known| name(node).as_deref() == Some(*known)).unwrap_or("all");
        flame.nodes.iter().map(|node| (named(node), node.own, node.total)).collect()
    }

    #[test]
    fn a_function_stands_once_below_its_caller_and_weighs_what_it_called() {
        let recording = Sketch::of("app", 4, Duration::from_secs(1))
            .stack(&["malloc in libc.so.6", "read at a.c:5", "load at a.c:9", "main at a.c:20"])
            .blocks(10, |_| 3)
            .stack(&["read at a.c:6", "load at a.c:9", "main at a.c:20"])
            .blocks(10, |_| 2)
            .stack(&["strdup in libc.so.6", "main at a.c:30"])
            .blocks(1, |_| 7)
            .with(|sums| sums.kind = AllocationKind::Mapping)
            .build();
        let recorded = Recorded::of(&recording, &Question::default());

        let flame = Flame::of(&recorded, Measure::Live);

        assert_eq!(
            weights(&flame),
            [("all", 0, 57), ("main", 7, 57), ("load", 0, 50), ("read", 50, 50)],
            "{flame:#?}"
        );
        let lines: Vec<_> =
            flame.nodes.iter().map(|node| node.frame.as_ref().and_then(|frame| frame.line)).collect();
        assert_eq!(lines, [None, None, Some(9), None], "a line only where there is just one");
        assert_eq!(flame.mapped, 7);
        assert_eq!(Flame::of(&recorded, Measure::Temporary).total(), 0);
        let large = Question { least: Bytes(20), ..Question::default() };
        assert_eq!(Flame::of(&Recorded::of(&recording, &large), Measure::Live).total(), 50, "two sites");
    }
}
