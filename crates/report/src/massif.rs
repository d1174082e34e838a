//! A recording as `ms_print` and massif-visualizer read it.
//!
//! Source: valgrind 3.19, `massif/ms_main.c`, `massif/ms_print.in`. A snapshot for each slot of the timeline, and between
//! them the peak. The peak and the end have a tree of who holds the memory. What an allocator needs beside the bytes
//! that were asked for is not known at a moment: `mem_heap_extra_B` is 0, and the description says so.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use residue_model::recording::{AllocationKind, StackSums};
use residue_model::{Bytes, Recording};

use crate::Result;
use crate::frames::{Lines, one_line};

/// Perl warns of functions that call themselves a hundred times, and `ms_print` does so for each frame.
const MOST_FRAMES: usize = 90;

/// How massif calls what has no callee.
const ROOT: &str = "(heap allocation functions) malloc/new/new[], --alloc-fns, etc.";

/// What is less than this part of the whole is one line together with its like.
const THRESHOLD: u64 = 1000;

/// Writes the live bytes of the heap over time, and who held them at the peak and at the end.
///
/// # Errors
/// When it cannot be written.
pub fn write(mut out: impl Write, recording: &Recording) -> Result<()> {
    writeln!(out, "desc: recorded by residue; bytes as asked for, without what the allocator adds")?;
    writeln!(out, "cmd: {}", one_line(&recording.program.command.join(" ")))?;
    writeln!(out, "time_unit: ms")?;
    let lines = Lines::of(recording);
    for (number, moment) in moments(recording).into_iter().enumerate() {
        writeln!(out, "#-----------\nsnapshot={number}\n#-----------\ntime={}", moment.time.as_millis())?;
        let tree = moment.held.map(|held| Tree::of(recording, &lines, held));
        let Bytes(live) = tree.as_ref().map_or(moment.live, |tree| tree.total().max(moment.live));
        writeln!(out, "mem_heap_B={live}\nmem_heap_extra_B=0\nmem_stacks_B=0")?;
        writeln!(out, "heap_tree={}", moment.kind)?;
        if let Some(tree) = tree {
            tree.write(&mut out, live)?;
        }
    }
    Ok(())
}

/// A snapshot.
struct Moment {
    time: Duration,
    live: Bytes,
    kind: &'static str,
    /// What a call path held then, where that is known.
    held: Option<fn(&StackSums) -> Bytes>,
}

/// All moments in order of time: the beginning, the slots, the peak, the end.
fn moments(recording: &Recording) -> Vec<Moment> {
    let plain = |time, live| Moment { time, live, kind: "empty", held: None };
    let timeline = &recording.timeline;
    let before_last = timeline.totals.split_last().map_or(&[][..], |(_, before)| before);
    let slots =
        (1..).zip(before_last).map(|(number, total)| plain(timeline.slot.saturating_mul(number), total.live));
    let mut moments: Vec<Moment> = std::iter::once(plain(Duration::ZERO, Bytes::ZERO)).chain(slots).collect();
    let totals = &recording.totals;
    let peak =
        Moment { time: totals.peak_at, live: totals.peak, kind: "peak", held: Some(|sums| sums.at_peak) };
    let place = moments.partition_point(|moment| moment.time <= peak.time);
    moments.insert(place, peak);
    let last = moments.iter().map(|moment| moment.time).max().unwrap_or_default();
    let time = recording.program.recorded.max(last);
    moments.push(Moment { time, live: totals.live, kind: "detailed", held: Some(|sums| sums.live) });
    moments
}

/// Who holds memory: below each frame those that called it.
struct Tree<'a> {
    lines: &'a Lines,
    /// The first one is the root.
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    /// Which of the lines it is; None for the root.
    line: Option<usize>,
    bytes: u64,
    callers: Vec<usize>,
}

impl<'a> Tree<'a> {
    fn of(recording: &Recording, lines: &'a Lines, held: fn(&StackSums) -> Bytes) -> Tree<'a> {
        let mut tree = Tree { lines, nodes: vec![Node::default()] };
        let mut known = HashMap::new();
        let heap = recording.stacks.iter().filter(|sums| sums.kind == AllocationKind::Heap);
        for sums in heap.filter(|sums| held(sums) > Bytes::ZERO) {
            let mut path = lines.path(recording, sums.stack);
            path.truncate(MOST_FRAMES);
            tree.add(&mut known, path, held(sums).0);
        }
        tree
    }

    fn add(&mut self, known: &mut HashMap<(usize, usize), usize>, path: Vec<usize>, bytes: u64) {
        let mut at = 0;
        self.hold(at, bytes);
        for line in path {
            at = *known.entry((at, line)).or_insert_with(|| {
                let node = self.nodes.len();
                self.nodes.push(Node { line: Some(line), ..Node::default() });
                self.nodes[at].callers.push(node);
                node
            });
            self.hold(at, bytes);
        }
    }

    fn hold(&mut self, node: usize, bytes: u64) {
        let sum = &mut self.nodes[node].bytes;
        *sum = sum.saturating_add(bytes);
    }

    fn total(&self) -> Bytes {
        Bytes(self.nodes[0].bytes)
    }

    fn write(&self, out: &mut impl Write, whole: u64) -> Result<()> {
        self.node(out, 0, 0, whole / THRESHOLD)
    }

    fn node(&self, out: &mut impl Write, node: usize, depth: usize, least: u64) -> Result<()> {
        let Node { line, bytes, callers } = &self.nodes[node];
        let name = line.map_or(ROOT, |line| &self.lines.texts[line]);
        let (mut large, small): (Vec<usize>, Vec<usize>) =
            callers.iter().partition(|&&caller| self.nodes[caller].bytes >= least);
        large.sort_by_key(|&caller| std::cmp::Reverse(self.nodes[caller].bytes));
        let lines = large.len() + usize::from(!small.is_empty());
        writeln!(out, "{:depth$}n{lines}: {bytes} {name}", "")?;
        for caller in large {
            self.node(out, caller, depth + 1, least)?;
        }
        if !small.is_empty() {
            let rest: u64 = small.iter().map(|&caller| self.nodes[caller].bytes).fold(0, u64::saturating_add);
            let (indent, places) = (depth + 1, small.len());
            let (places, all) =
                if places == 1 { ("1 place".into(), "") } else { (format!("{places} places"), "all ") };
            writeln!(out, "{:indent$}n0: {rest} in {places}, {all}below massif's threshold (0.10%)", "")?;
        }
        Ok(())
    }
}
