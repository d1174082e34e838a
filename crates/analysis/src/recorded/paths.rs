use std::collections::HashMap;

use residue_model::recording::{Recording, StackId};

use super::frame::{Frame, module_paths};
use super::skip::Skip;

/// Names an entry of [`Paths::frames`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(pub u32);

/// Names a call path as people read it. 0 is the root, and no path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

impl PathId {
    /// The path of which nothing is known.
    pub const ROOT: PathId = PathId(0);
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
struct Step {
    caller: PathId,
    frame: FrameId,
}

/// The call paths of a recording as people read them: inlined functions are frames of their own, recursion is told once.
///
/// Paths are a tree like the recording's own stacks; several stacks may have become one path.
#[derive(Clone, Debug)]
pub struct Paths {
    frames: Vec<Frame>,
    /// Of each frame: which function it is, to tell recursion.
    functions: Vec<u32>,
    /// Of each frame: it only passes on what somebody else asked for.
    passing: Vec<bool>,
    steps: Vec<Step>,
    /// The path of each node of the recording's tree.
    of_stack: Vec<PathId>,
}

/// The longest circle of functions that is told once. Longer ones were not seen outside of interpreters, whose circles
/// are not regular.
const LONGEST_CIRCLE: usize = 8;

impl Paths {
    /// The paths of a recording; `skip` says which frames only pass on.
    pub fn of(recording: &Recording, skip: &Skip) -> Paths {
        Builder::new(recording, skip).build(recording)
    }

    /// The path of a stack, allocators and their wrappers included.
    pub fn whole(&self, stack: StackId) -> PathId {
        self.of_stack.get(stack.0 as usize).copied().unwrap_or(PathId::ROOT)
    }

    /// The path to where the program itself asked: without allocators, wrappers and the library's containers at its inner
    /// end. A path of nothing else is kept whole.
    pub fn asked(&self, stack: StackId) -> PathId {
        let whole = self.whole(stack);
        let mut at = whole;
        while let Some(frame) = self.innermost(at) {
            if !self.passing[frame.0 as usize] {
                return at;
            }
            at = self.caller(at);
        }
        whole
    }

    /// The frame at the inner end of a path.
    pub fn innermost(&self, path: PathId) -> Option<FrameId> {
        (path != PathId::ROOT).then(|| self.steps[path.0 as usize].frame)
    }

    /// The path without its innermost frame.
    pub fn caller(&self, path: PathId) -> PathId {
        self.steps[path.0 as usize].caller
    }

    /// A frame by its name.
    pub fn frame(&self, frame: FrameId) -> &Frame {
        &self.frames[frame.0 as usize]
    }

    /// All frames, each once.
    pub fn all_frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The frames of a path, the innermost first.
    pub fn frames(&self, path: PathId) -> impl Iterator<Item = &Frame> {
        self.ids(path).map(|frame| self.frame(frame))
    }

    pub(super) fn ids(&self, path: PathId) -> impl Iterator<Item = FrameId> {
        let mut at = path;
        std::iter::from_fn(move || {
            let frame = self.innermost(at)?;
            at = self.caller(at);
            Some(frame)
        })
    }

    /// Which function a frame is: the same number for the same one.
    pub(super) fn function(&self, frame: FrameId) -> u32 {
        self.functions[frame.0 as usize]
    }

    /// All paths but the root, each behind its caller.
    pub(super) fn all(&self) -> impl Iterator<Item = PathId> {
        (1..u32::try_from(self.steps.len()).unwrap_or(u32::MAX)).map(PathId)
    }
}

/// Paths while they are put together.
struct Builder {
    paths: Paths,
    /// The frames of each code, the innermost first.
    of_code: Vec<Vec<FrameId>>,
    known: HashMap<(PathId, FrameId), PathId>,
}

impl Builder {
    fn new(recording: &Recording, skip: &Skip) -> Builder {
        let modules = module_paths(&recording.modules);
        let mut frames = Interned::default();
        let of_code = recording.calls.codes.iter().map(|code| {
            let module = code.module.and_then(|index| modules.get(index as usize));
            Frame::of(code, module).into_iter().map(|frame| FrameId(frames.number(frame))).collect()
        });
        let of_code = of_code.collect();
        let frames = frames.all;
        let mut functions = Interned::default();
        let paths = Paths {
            functions: frames.iter().map(|frame| functions.number(frame.function_key())).collect(),
            passing: frames.iter().map(|frame| skip.passes(frame)).collect(),
            frames,
            steps: vec![Step { caller: PathId::ROOT, frame: FrameId::default() }],
            of_stack: Vec::with_capacity(recording.calls.nodes.len()),
        };
        Builder { paths, of_code, known: HashMap::new() }
    }

    fn build(mut self, recording: &Recording) -> Paths {
        for (index, node) in recording.calls.nodes.iter().enumerate() {
            let caller = self.paths.of_stack.get(node.caller.0 as usize).copied();
            let path = match (index, caller) {
                (0, _) => PathId::ROOT,
                (_, caller) => self.called(caller.unwrap_or(PathId::ROOT), node.code.0 as usize),
            };
            self.paths.of_stack.push(path);
        }
        self.paths
    }

    fn called(&mut self, caller: PathId, code: usize) -> PathId {
        let frames = self.of_code.get(code).cloned().unwrap_or_default();
        frames.into_iter().rev().fold(caller, |path, frame| self.append(path, frame))
    }

    /// A path and a frame inside of it. Where that makes a circle of functions run a second time, only the last time is
    /// kept: it has the line that matters.
    fn append(&mut self, path: PathId, frame: FrameId) -> PathId {
        let path = self.step(path, frame);
        let circle = (1..=LONGEST_CIRCLE).find(|&length| self.runs_again(path, length));
        let Some(length) = circle else { return path };
        let last: Vec<FrameId> = self.paths.ids(path).take(length).collect();
        let before = (0..2 * length).fold(path, |at, _| self.paths.caller(at));
        last.into_iter().rev().fold(before, |at, frame| self.step(at, frame))
    }

    fn step(&mut self, caller: PathId, frame: FrameId) -> PathId {
        let steps = &mut self.paths.steps;
        *self.known.entry((caller, frame)).or_insert_with(|| {
            steps.push(Step { caller, frame });
            PathId(u32::try_from(steps.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// Whether the last functions of a path are those before them once more.
    fn runs_again(&self, path: PathId, length: usize) -> bool {
        let functions = |path| self.paths.ids(path).map(|frame| self.paths.function(frame));
        functions(path).nth(2 * length - 1).is_some()
            && functions(path).take(length).eq(functions(path).skip(length).take(length))
    }
}

/// Frames that are the same get the same number.
#[derive(Default)]
struct Interned {
    all: Vec<Frame>,
    numbers: HashMap<Frame, u32>,
}

impl Interned {
    fn number(&mut self, frame: Frame) -> u32 {
        *self.numbers.entry(frame.call_key()).or_insert_with(|| {
            self.all.push(frame);
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        })
    }
}
