//! What call paths did over time, path by path: what any part of the time can be summed from, by a page without a recording.

use std::collections::{BTreeMap, HashMap};

use residue_model::Bytes;
use residue_model::recording::Point;

use super::{Flame, FlameNode, Measure, PathId, Recorded, Site};

/// The call paths of all sites, and the tree of calls that they are the ends of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracks {
    /// The tree, with nothing weighed: see [`Flame`].
    pub nodes: Vec<FlameNode>,
    /// What each path did, those of a site one behind the other, in the order of the sites.
    pub tracks: Vec<Track>,
    /// How many slots of the timeline are one slot of the tracks' points.
    pub step: u16,
}

/// What a call path did over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// Index of its site.
    pub site: usize,
    /// Which path.
    pub path: PathId,
    /// Where it ends in the tree of calls.
    pub node: u32,
    /// What it weighs by each of [`Measure::ALL`], over the whole time.
    pub weights: [u64; 4],
    /// How it went. Slots are those of [`Tracks`].
    pub points: Vec<Point>,
}

impl Recorded {
    /// What each path of each site did, in about `most` points at the most: where there are more, slots are made longer.
    pub fn tracks(&self, most: usize) -> Tracks {
        let sites = self.sites.iter().enumerate();
        let mut tracks: Vec<Track> = sites.flat_map(|(index, site)| self.of_site(index, site)).collect();
        let mut step = 1;
        while tracks.iter().map(|track| track.points.len()).sum::<usize>() > most
            && usize::from(step) < self.recording.timeline.totals.len()
        {
            for track in &mut tracks {
                halve(&mut track.points);
            }
            step *= 2;
        }
        let (flame, node_of) = Flame::unweighed(&self.paths, tracks.iter().map(|track| track.path));
        for track in &mut tracks {
            track.node = node_of.get(&track.path).copied().unwrap_or_default();
        }
        Tracks { nodes: flame.nodes, tracks, step }
    }

    fn of_site(&self, index: usize, site: &Site) -> Vec<Track> {
        let mut changes: HashMap<PathId, BTreeMap<u16, Change>> = HashMap::new();
        let stacks = site.stacks.iter().filter_map(|&stack| self.recording.stacks.get(stack as usize));
        for sums in stacks {
            add_changes(changes.entry(self.paths.asked(sums.stack)).or_default(), &sums.points);
        }
        let track = |path: &super::SitePath| Track {
            site: index,
            path: path.path,
            node: 0,
            weights: Measure::ALL.map(|measure| path.weight(measure)),
            points: changes.get(&path.path).map(points).unwrap_or_default(),
        };
        site.paths.iter().map(track).collect()
    }
}

/// What changed in a slot.
#[derive(Clone, Copy, Default)]
struct Change {
    live: i128,
    live_blocks: i128,
    allocated: Bytes,
    allocations: u64,
}

fn add_changes(changes: &mut BTreeMap<u16, Change>, points: &[Point]) {
    let (mut live, mut blocks) = (0, 0);
    for point in points {
        let change = changes.entry(point.slot).or_default();
        change.live += i128::from(point.live.0) - live;
        change.live_blocks += i128::from(point.live_blocks) - blocks;
        change.allocated += point.allocated;
        change.allocations = change.allocations.saturating_add(point.allocations);
        (live, blocks) = (i128::from(point.live.0), i128::from(point.live_blocks));
    }
}

fn points(changes: &BTreeMap<u16, Change>) -> Vec<Point> {
    let (mut live, mut blocks) = (0_i128, 0_i128);
    let point = |(&slot, change): (&u16, &Change)| {
        (live, blocks) = (live + change.live, blocks + change.live_blocks);
        Point {
            slot,
            live: Bytes(u64::try_from(live).unwrap_or(u64::MAX)),
            live_blocks: u64::try_from(blocks).unwrap_or(u64::MAX),
            allocated: change.allocated,
            allocations: change.allocations,
        }
    };
    changes.iter().map(point).collect()
}

/// Makes each two slots one.
fn halve(points: &mut Vec<Point>) {
    for point in points.iter_mut() {
        point.slot /= 2;
    }
    points.dedup_by(|later, earlier| {
        let is_same = later.slot == earlier.slot;
        if is_same {
            (earlier.live, earlier.live_blocks) = (later.live, later.live_blocks);
            earlier.allocated += later.allocated;
            earlier.allocations = earlier.allocations.saturating_add(later.allocations);
        }
        is_same
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use residue_testkit::Sketch;

    use super::super::Question;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(points: &[Point]) -> Vec<(u16, u64, u64)> {
        points.iter().map(|point| (point.slot, point.live.0, point.allocated.0)).collect()
    }

    /// Two stacks that differ in a wrapper only are one path: what one frees the other may have asked for meanwhile.
    #[test]
    fn stacks_of_one_path_are_summed_slot_by_slot() {
        let sketch = Sketch::of("app", 4, SECOND)
            .stack(&["malloc in libc.so.6", "load at app.c:5", "main at app.c:9"])
            .blocks(10, |slot| u64::from(slot < 2))
            .stack(&["calloc in libc.so.6", "load at app.c:5", "main at app.c:9"])
            .blocks(7, |slot| u64::from(slot > 0));
        let recorded = Recorded::of(&sketch.build(), &Question::default());

        let tracks = recorded.tracks(100);

        assert_eq!(tracks.tracks.len(), 1);
        assert_eq!(at(&tracks.tracks[0].points), [(0, 10, 10), (1, 17, 7), (2, 7, 0)]);
        assert_eq!(tracks.tracks[0].weights, [7, 17, 17, 0]);
    }

    #[test]
    fn where_there_are_too_many_points_slots_are_longer_and_sums_the_same() {
        let sketch = Sketch::of("app", 8, SECOND)
            .stack(&["load at app.c:5", "main at app.c:9"])
            .blocks(10, |slot| u64::from(slot % 2 == 0));
        let recorded = Recorded::of(&sketch.build(), &Question::default());

        let tracks = recorded.tracks(2);

        assert_eq!(tracks.step, 4);
        assert_eq!(at(&tracks.tracks[0].points), [(0, 0, 20), (1, 0, 20)]);
    }

    #[test]
    fn each_path_ends_in_the_tree_of_calls() {
        let sketch = Sketch::of("app", 4, SECOND)
            .stack(&["load at app.c:5", "main at app.c:9"])
            .blocks(10, |_| 1)
            .stack(&["store at app.c:7", "main at app.c:10"])
            .blocks(10, |_| 1);
        let recorded = Recorded::of(&sketch.build(), &Question::default());

        let tracks = recorded.tracks(100);

        let name = |node: u32| tracks.nodes[node as usize].frame.as_ref().and_then(|f| f.function.as_deref());
        let ends: Vec<_> = tracks.tracks.iter().map(|track| name(track.node)).collect();
        assert_eq!(ends, [Some("load"), Some("store")]);
        let callers: Vec<_> =
            tracks.tracks.iter().map(|t| tracks.nodes[t.node as usize].parent).map(name).collect();
        assert_eq!(callers, [Some("main"), Some("main")], "one caller for both, though of two lines");
        assert_eq!(tracks.nodes.len(), 4);
    }
}
