//! The frames of a recorded call stack, as every export names them.

use std::borrow::Cow;

use residue_model::Recording;
use residue_model::recording::{AllocationKind, Code, Place, RecordedModule, StackId};

/// What stands for the frames of a stack that could not be followed at all.
pub(crate) const UNKNOWN: &str = "[unknown]";

/// A function on a call stack; code that inlined others is a frame for each of them.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub code: &'a Code,
    pub place: Option<&'a Place>,
    pub module: Option<&'a RecordedModule>,
}

impl<'a> Frame<'a> {
    /// The function; where nobody could name it, its module and offset; for code of no module, its address.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        if let Some(function) = self.place.and_then(|place| place.function.as_deref()) {
            return function.into();
        }
        match self.module {
            Some(module) => format!("{}+{:#x}", file_name(module), self.code.address).into(),
            None => format!("{:#x}", self.code.address).into(),
        }
    }

    /// The source file and the line in it, as far as they are known.
    pub(crate) fn source(&self) -> Option<(&'a str, Option<u32>)> {
        let place = self.place?;
        Some((place.file.as_deref()?, place.line))
    }
}

/// The last part of a module's path; the kernel's own has none.
pub(crate) fn file_name(module: &RecordedModule) -> &str {
    match last_part(&module.path) {
        "" => "[vdso]",
        name => name,
    }
}

/// What a return address stands for, innermost first.
pub(crate) fn frames_of<'a>(recording: &'a Recording, code: &'a Code) -> impl Iterator<Item = Frame<'a>> {
    let module = code.module.and_then(|index| recording.modules.get(index as usize));
    let nameless = code.places.is_empty().then_some(Frame { code, place: None, module });
    code.places.iter().map(move |place| Frame { code, place: Some(place), module }).chain(nameless)
}

/// The frames of a stack, the innermost first. Ends on any tree.
pub(crate) fn frames(recording: &Recording, stack: StackId) -> impl Iterator<Item = Frame<'_>> {
    recording.calls.frames(stack).flat_map(move |code| frames_of(recording, code))
}

/// What stands innermost on the stacks of memory that came from no allocator, lest it be taken for such.
pub(crate) fn asked(kind: AllocationKind) -> Option<&'static str> {
    match kind {
        AllocationKind::Heap => None,
        AllocationKind::Mapping => Some("[mmap]"),
        AllocationKind::Break => Some("[brk]"),
    }
}

/// A name on one line: formats of lines have no other way to write a control character.
pub(crate) fn one_line(name: &str) -> Cow<'_, str> {
    if name.contains(char::is_control) {
        return name.replace(char::is_control, " ").into();
    }
    name.into()
}

/// A frame as valgrind's tools write it, which their viewers take apart: `0x40057B: h (example.c:10)`.
pub(crate) fn valgrind(frame: Frame<'_>) -> String {
    let address = frame.code.address.wrapping_add(frame.module.map_or(0, |module| module.bias));
    let place = match (frame.source(), frame.module) {
        (Some((file, Some(line))), _) => format!(" ({}:{line})", one_line(last_part(file))),
        (Some((file, None)), _) => format!(" ({})", one_line(last_part(file))),
        (None, Some(module)) => format!(" (in {})", one_line(&module.path)),
        (None, None) => String::new(),
    };
    let name = frame.place.and_then(|place| place.function.as_deref()).map_or("???".into(), one_line);
    format!("0x{address:X}: {name}{place}")
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
