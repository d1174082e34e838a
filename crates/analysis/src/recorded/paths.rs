use std::collections::HashMap;

use residue_model::recording::{Recording, StackId};

use super::frame::{Frame, module_paths};
use super::skip::{self, Skip};

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

    /// The frames of a path without what every program has around it: how the C library and the loader came to call it.
    pub fn own_frames(&self, path: PathId) -> impl Iterator<Item = &Frame> {
        let frames: Vec<FrameId> = self.ids(path).collect();
        let is_entry = |id: &FrameId| self.passing[id.0 as usize] || skip::is_entry(self.frame(*id));
        let mut own = frames.len();
        while own > 0 {
            let entries = frames[..own].iter().rev().take_while(|id| is_entry(id)).count();
            // The program's own `_start` has no name where symbols are stripped: nobody but it calls the C library's.
            let is_nameless = self.frame(frames[own - 1]).function.is_none();
            let is_start =
                is_nameless && entries == 0 && own == frames.len() && own > 2 && is_entry(&frames[own - 2]);
            match entries + usize::from(is_start) {
                0 => break,
                outer if outer >= own => break,
                outer => own -= outer,
            }
        }
        frames.into_iter().take(own).map(|frame| self.frame(frame))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use regex::Regex;
    use residue_testkit::Sketch;

    use super::*;

    /// The functions and lines of the paths to where memory was asked for, the innermost first.
    fn asked(stacks: &[&[&str]], skip: &Skip) -> Vec<String> {
        let sketch = Sketch::of("app", 1, Duration::from_secs(1));
        let recording = stacks.iter().fold(sketch, |sketch, frames| sketch.stack(frames)).build();
        let paths = Paths::of(&recording, skip);
        let told = |frame: &Frame| {
            let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
            frame.function.as_deref().unwrap_or("?").to_owned() + &line
        };
        let path = |stack| paths.frames(paths.asked(stack)).map(told).collect::<Vec<_>>().join(" ");
        recording.stacks.iter().map(|sums| path(sums.stack)).collect()
    }

    #[test]
    fn who_only_passes_on_is_not_who_asked() {
        let stacks: [&[&str]; 8] = [
            &["strdup in /lib/libc.so.6", "copy at a.c:5", "main at a.c:9"],
            &["? in /lib/libc.so.6", "? in /lib/libstdc++.so.6", "copy at a.c:5", "main at a.c:9"],
            &["__GI___strdup", "xstrdup at util.c:3", "copy at a.c:5", "main at a.c:9"],
            &[
                "operator new(unsigned long)",
                "inlined __gnu_cxx::new_allocator<int>::allocate(unsigned long, void const*) at new_allocator.h:114",
                "void std::vector<int>::_M_realloc_insert<int>(int&&) at vector.tcc:440",
                "copy at a.c:5",
                "main at a.c:9",
            ],
            &[
                "alloc::raw_vec::finish_grow",
                "<alloc::vec::Vec<T> as core::iter::FromIterator<T>>::from_iter",
                "<u8 as alloc::slice::hack::ConvertVec>::to_vec",
                "copy at a.c:5",
                "main at a.c:9",
            ],
            &["g_malloc in /lib/libglib-2.0.so.0", "copy at a.c:5", "main at a.c:9"],
            &["PyObject_Malloc in /usr/bin/python3", "copy at a.c:5", "main at a.c:9"],
            &["malloc@plt", "__rust_alloc", "copy at a.c:5", "main at a.c:9"],
        ];
        for (path, stack) in asked(&stacks, &Skip::default()).iter().zip(stacks) {
            assert_eq!(path, "copy:5 main:9", "{stack:?}");
        }
    }

    /// A program's own function may have a name that looks like an allocator's, or give what the library has.
    #[test]
    fn who_asks_under_such_a_name_is_who_asked() {
        let stacks: [&[&str]; 6] = [
            &["malloc in libc.so.6", "lose_malloc"],
            &["std::vector<int> app::make<int>(int)"],
            &["core::Engine::run()"],
            &["<app::Store as core::clone::Clone>::clone"],
            &["alloc_pages", "main"],
            &["app::std::thing"],
        ];
        let paths = asked(&stacks, &Skip::default());
        for (path, stack) in paths.iter().zip(stacks) {
            let own = if stack[0].ends_with("libc.so.6") { stack[1] } else { stack[0] };
            assert!(path.starts_with(own), "{path}: {stack:?}");
        }
    }

    #[test]
    fn a_path_of_nothing_else_is_kept() {
        assert_eq!(
            asked(&[&["malloc in libc.so.6", "? in ld-linux-x86-64.so.2"]], &Skip::default()),
            ["malloc ?"]
        );
    }

    #[test]
    fn how_a_program_was_started_is_not_told_of_each_path() {
        let own = |frames: &[&str]| {
            let recording = Sketch::of("app", 1, Duration::from_secs(1)).stack(frames).build();
            let paths = Paths::of(&recording, &Skip::default());
            paths.own_frames(paths.asked(recording.stacks[0].stack)).count()
        };
        assert_eq!(own(&["lose", "main", "__libc_start_main in libc.so.6", "_start"]), 2);
        assert_eq!(
            own(&["? at 1 in app", "? at 2 in app", "? at 3 in libc.so.6", "? at 4 in app"]),
            2,
            "stripped"
        );
        assert_eq!(own(&["lose", "work", "start_thread in libc.so.6", "clone3 in libc.so.6"]), 2);
        assert_eq!(own(&["? in libstdc++.so.6", "? in ld-linux.so.2"]), 2, "there is nothing else");
        assert_eq!(own(&["callback", "qsort in libc.so.6", "main"]), 3, "what is between is told");
    }

    #[test]
    fn users_have_wrappers_too() {
        let skip = Skip { also: Some(Regex::new("^pool_").expect("a pattern")) };
        assert_eq!(asked(&[&["malloc", "pool_take at p.c:7", "main"]], &skip), ["main"]);
    }

    /// A tree is built by a function that calls itself on either of two lines: one path, however deep.
    #[test]
    fn recursion_is_told_once() {
        let stacks: [&[&str]; 4] = [
            &["grow at t.c:3", "grow at t.c:8", "main at t.c:20"],
            &["grow at t.c:3", "grow at t.c:9", "grow at t.c:8", "grow at t.c:9", "main at t.c:20"],
            &["leaf at t.c:1", "b at t.c:5", "a at t.c:4", "b at t.c:5", "a at t.c:4", "main at t.c:20"],
            &["b at t.c:6", "a at t.c:4", "b at t.c:5", "a at t.c:4", "main at t.c:20"],
        ];
        assert_eq!(
            asked(&stacks, &Skip::default()),
            ["grow:3 main:20", "grow:3 main:20", "leaf:1 b:5 a:4 main:20", "b:6 a:4 main:20"]
        );
    }
}
