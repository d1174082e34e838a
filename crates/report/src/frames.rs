//! The frames of recorded call stacks, as every export names them: each as it was, recursion and allocators included.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use residue_analysis::recorded::{Frame, module_paths};
use residue_model::Recording;
use residue_model::recording::{Code, StackId};

/// What stands for the frames of a stack that could not be followed at all.
pub(crate) const UNKNOWN: &str = "[unknown]";

/// The paths of a recording's modules.
pub(crate) struct Modules(Vec<Arc<str>>);

impl Modules {
    pub(crate) fn of(recording: &Recording) -> Modules {
        Modules(module_paths(&recording.modules))
    }

    /// What a return address stands for, innermost first.
    pub(crate) fn frames(&self, code: &Code) -> Vec<Frame> {
        Frame::of(code, code.module.and_then(|index| self.0.get(index as usize)))
    }
}

/// The frames of a recording as valgrind's tools write them, each with a number of its own.
pub(crate) struct Lines {
    /// What the numbers stand for. The first one is for stacks of which nothing is known.
    pub(crate) texts: Vec<String>,
    /// The numbers of each code, the innermost frame first.
    of_code: Vec<Vec<usize>>,
}

impl Lines {
    pub(crate) fn of(recording: &Recording) -> Lines {
        let modules = Modules::of(recording);
        let mut numbers = HashMap::from([(UNKNOWN.to_owned(), 0)]);
        let mut texts = vec![UNKNOWN.to_owned()];
        let mut number = |frame: Frame| {
            *numbers.entry(valgrind(&frame)).or_insert_with_key(|text| {
                texts.push(text.clone());
                texts.len() - 1
            })
        };
        // The first code is the root's, and no frame.
        let codes = recording.calls.codes.iter().skip(1);
        let codes = codes.map(|code| modules.frames(code).into_iter().map(&mut number).collect());
        let of_code = std::iter::once(Vec::new()).chain(codes).collect();
        Lines { texts, of_code }
    }

    /// A stack, the innermost frame first: one frame at least.
    pub(crate) fn path(&self, recording: &Recording, stack: StackId) -> Vec<usize> {
        let codes = recording.calls.path(stack).map(|code| &self.of_code[code.0 as usize]);
        let path: Vec<usize> = codes.flatten().copied().collect();
        if path.is_empty() { vec![0] } else { path }
    }
}

/// A name on one line: formats of lines have no other way to write a control character.
pub(crate) fn one_line(name: &str) -> Cow<'_, str> {
    if name.contains(char::is_control) {
        return name.replace(char::is_control, " ").into();
    }
    name.into()
}

/// A frame as valgrind's viewers take it apart: `0x40057B: h (example.c:10)`. The address is that in the module's own
/// headers, so that two runs can be compared.
fn valgrind(frame: &Frame) -> String {
    let place = match (frame.file_name(), frame.line, &frame.module) {
        (Some(file), Some(line), _) => format!(" ({}:{line})", one_line(file)),
        (Some(file), None, _) => format!(" ({})", one_line(file)),
        (None, _, Some(module)) => format!(" (in {})", one_line(module)),
        (None, _, None) => String::new(),
    };
    let name = frame.function.as_deref().map_or("???".into(), one_line);
    format!("0x{:X}: {name}{place}", frame.address)
}
