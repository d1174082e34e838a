use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use residue_model::Bytes;
use residue_model::recording::{
    AllocationKind, Code, CodeId, Histogram, Node, Place, Point, RecordedModule, Recording, StackId,
    StackSums, Total,
};

/// A recording that was never made: paths are written down by name, blocks by how many stood at the end of each slot of time.
///
/// A frame reads `lose at main.c:12 in app`: without a place it has no line, without a module it is of the program, and
/// `?` has no name. One that begins with `inlined` is a part of the next.
#[derive(Clone, Debug)]
pub struct Sketch {
    recording: Recording,
    slots: u16,
    codes: HashMap<Vec<String>, CodeId>,
    nodes: HashMap<(StackId, CodeId), StackId>,
}

impl Sketch {
    /// A program that was recorded for so many slots of time.
    pub fn of(program: &str, slots: u16, slot: Duration) -> Sketch {
        let mut recording = Recording::default();
        recording.program.command = vec![program.to_owned()];
        program.clone_into(&mut recording.program.executable);
        recording.program.pid = 812;
        recording.program.recorded = slot * u32::from(slots);
        recording.timeline.slot = slot;
        recording.calls.nodes = vec![Node::default()];
        recording.calls.codes = vec![Code::default()];
        recording.totals.short_lived_below = Duration::from_micros(100);
        let mut sketch = Sketch { recording, slots, codes: HashMap::new(), nodes: HashMap::new() };
        sketch.module(program);
        sketch
    }

    /// A call path, the innermost frame first; what follows is said of it.
    #[must_use]
    pub fn stack(mut self, frames: &[&str]) -> Sketch {
        let mut codes: Vec<Vec<&str>> = Vec::new();
        let mut is_open = false;
        for frame in frames {
            match codes.last_mut().filter(|_| is_open) {
                Some(code) => code.push(frame),
                None => codes.push(vec![frame]),
            }
            is_open = frame.starts_with("inlined ");
        }
        let stack = codes.iter().rev().fold(StackId::UNKNOWN, |caller, code| self.node(caller, code));
        self.recording.stacks.push(StackSums { stack, ..StackSums::default() });
        self
    }

    /// How many blocks of a size stood at the end of each slot: what became fewer was freed, what became more was allocated.
    #[must_use]
    pub fn blocks(mut self, size: u64, at: impl Fn(u16) -> u64) -> Sketch {
        let slot = self.recording.timeline.slot;
        let slots = self.slots;
        let sums = self.sums();
        let mut stood = 0;
        for index in 0..slots {
            let stands = at(index);
            let new = stands.saturating_sub(stood);
            sums.allocations += new;
            sums.frees += stood.saturating_sub(stands);
            if stands != stood {
                sums.points.push(Point {
                    slot: index,
                    live: Bytes(stands * size),
                    live_blocks: stands,
                    allocated: Bytes(new * size),
                    allocations: new,
                });
            }
            if Bytes(stands * size) > sums.peak {
                sums.peak = Bytes(stands * size);
                sums.peak_at = slot * u32::from(index);
            }
            stood = stands;
        }
        sums.allocated = Bytes(sums.allocations * size);
        sums.usable = sums.allocated;
        (sums.live_blocks, sums.live) = (stood, Bytes(stood * size));
        (sums.smallest, sums.largest) = (Bytes(size), Bytes(size));
        sums.sizes = only(size, sums.allocations);
        sums.threads = 1;
        self
    }

    /// Whatever else is to be said of the last path.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut StackSums)) -> Sketch {
        change(self.sums());
        self
    }

    /// Whatever else is to be said of the recording.
    #[must_use]
    pub fn whole(mut self, change: impl FnOnce(&mut Recording)) -> Sketch {
        change(&mut self.recording);
        self
    }

    /// The stack of the last path: marks name it.
    ///
    /// # Panics
    /// When no path was begun.
    pub fn last(&self) -> StackId {
        self.recording.stacks.last().expect("a path was begun").stack
    }

    /// The recording, with its timeline and totals.
    pub fn build(mut self) -> Recording {
        let mut totals = vec![Total::default(); usize::from(self.slots)];
        let is_heap = |sums: &&StackSums| sums.kind == AllocationKind::Heap;
        for sums in self.recording.stacks.iter().filter(is_heap) {
            let (mut live, mut blocks) = (Bytes::ZERO, 0);
            let mut points = sums.points.iter().peekable();
            for (slot, total) in totals.iter_mut().enumerate() {
                if let Some(point) = points.next_if(|point| usize::from(point.slot) == slot) {
                    (live, blocks) = (point.live, point.live_blocks);
                    total.allocated += point.allocated;
                    total.allocations += point.allocations;
                }
                total.live += live;
                total.live_blocks += blocks;
                total.peak = total.live;
            }
        }
        let peak = totals.iter().map(|total| total.peak).max().unwrap_or_default();
        let at = (0..self.slots).find(|&slot| totals[usize::from(slot)].peak == peak).unwrap_or_default();
        for sums in &mut self.recording.stacks {
            let then = sums.points.iter().take_while(|point| point.slot <= at).last();
            (sums.at_peak, sums.at_peak_blocks) =
                then.map_or((Bytes::ZERO, 0), |point| (point.live, point.live_blocks));
        }
        let slot = self.recording.timeline.slot;
        let heap: Vec<StackSums> = self.recording.stacks.iter().filter(is_heap).cloned().collect();
        let sum = |of: fn(&StackSums) -> u64| heap.iter().map(of).sum::<u64>();
        let all = &mut self.recording.totals;
        all.allocations = sum(|sums| sums.allocations);
        all.frees = sum(|sums| sums.frees);
        all.allocated = Bytes(sum(|sums| sums.allocated.0));
        all.live_blocks = sum(|sums| sums.live_blocks);
        all.live = Bytes(sum(|sums| sums.live.0));
        all.temporary = sum(|sums| sums.temporary);
        (all.peak, all.peak_at) = (peak, slot * u32::from(at));
        all.events = all.allocations + all.frees;
        all.threads = all.threads.max(1);
        self.recording.timeline.totals = totals;
        self.recording
    }

    fn sums(&mut self) -> &mut StackSums {
        self.recording.stacks.last_mut().expect("a path was begun")
    }

    fn node(&mut self, caller: StackId, code: &[&str]) -> StackId {
        let code = self.code(code);
        if let Some(&known) = self.nodes.get(&(caller, code)) {
            return known;
        }
        let nodes = &mut self.recording.calls.nodes;
        let node = StackId(u32::try_from(nodes.len()).expect("a sketch is small"));
        nodes.push(Node { caller, code });
        self.nodes.insert((caller, code), node);
        node
    }

    fn code(&mut self, frames: &[&str]) -> CodeId {
        let key: Vec<String> = frames.iter().map(|frame| (*frame).to_owned()).collect();
        if let Some(&known) = self.codes.get(&key) {
            return known;
        }
        let outermost = frames.last().expect("code has a function");
        let program = self.recording.modules[0].path.clone();
        let module = self.module(outermost.split_once(" in ").map_or(&program, |(_, module)| module));
        let codes = &mut self.recording.calls.codes;
        let id = CodeId(u32::try_from(codes.len()).expect("a sketch is small"));
        let address = 0x1000 + 0x10 * codes.len() as u64;
        let places = frames.iter().filter_map(|frame| place(frame)).collect();
        codes.push(Code { module: Some(module), address, places });
        self.codes.insert(key, id);
        id
    }

    fn module(&mut self, path: &str) -> u32 {
        let modules = &mut self.recording.modules;
        let index = modules.iter().position(|module| module.path == path).unwrap_or_else(|| {
            modules.push(RecordedModule { path: path.to_owned(), ..RecordedModule::default() });
            modules.len() - 1
        });
        u32::try_from(index).expect("a sketch is small")
    }
}

/// `inlined helper at a.h:3 in app`; None without a name.
fn place(frame: &str) -> Option<Place> {
    let frame = frame.split(" in ").next().unwrap_or(frame);
    let (is_inlined, frame) =
        frame.strip_prefix("inlined ").map_or((false, frame), |inlined| (true, inlined));
    let (function, at) =
        frame.split_once(" at ").map_or((frame, None), |(function, at)| (function, Some(at)));
    let (file, line) = at.and_then(|at| at.rsplit_once(':')).unzip();
    (function != "?").then(|| Place {
        function: Some(Arc::from(function)),
        file: file.map(Arc::from),
        line: line.and_then(|line| line.parse().ok()),
        is_inlined,
    })
}

fn only(value: u64, count: u64) -> Histogram {
    let mut counts = vec![0; Histogram::entry(value) + 1];
    counts[Histogram::entry(value)] = count;
    Histogram(counts)
}
