use std::ops::ControlFlow;

use residue_model::{Address, Memory, Range, Visit};

use super::Modules;
use super::layout::PAGE;

/// The memory of a target, and where it has none the bytes of the files that stand there.
///
/// Who writes a core leaves out code and constants, since the files have them: names of C++ types are found there, and
/// how to unwind a stack. Only what nobody can have written is taken from a file, never the variables of a module.
#[derive(Clone, Copy)]
pub struct WithFiles<'a> {
    /// What the target itself shows.
    pub memory: &'a dyn Memory,
    /// Its modules.
    pub modules: &'a Modules,
}

/// So much of a file is shown at a time.
const STEP: u64 = 256 * 1024;

impl WithFiles<'_> {
    fn walk_files(&self, hole: Range, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let mut step = Vec::new();
        for (file, part, wanted) in self.modules.filed(hole) {
            let mut at = wanted.start.0;
            while at < wanted.end.0 {
                step.resize(usize::try_from((wanted.end.0 - at).min(STEP)).unwrap_or_default(), 0);
                let read = file.read_at(part.offset + (at - part.range.start.0), &mut step);
                if read == 0 {
                    break;
                }
                visit(Address(at), &step[..read])?;
                at += read as u64;
            }
        }
        ControlFlow::Continue(())
    }

    fn read_file(&self, address: Address, into: &mut [u8]) -> usize {
        let Some(end) = address.0.checked_add(into.len() as u64).map(Address) else { return 0 };
        let mut parts = self.modules.filed(Range { start: address, end });
        let Some((file, part, wanted)) = parts.next().filter(|(_, _, wanted)| wanted.start == address) else {
            return 0;
        };
        let size = usize::try_from(wanted.size().0).unwrap_or_default().min(into.len());
        file.read_at(part.offset + (address.0 - part.range.start.0), &mut into[..size])
    }
}

impl Memory for WithFiles<'_> {
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let mut at = range.start;
        self.memory.walk(range, window, &mut |start, piece| {
            if start > at {
                self.walk_files(Range { start: at, end: start }, visit)?;
            }
            at = Address(start.0 + piece.len() as u64);
            visit(start, piece)
        })?;
        if at < range.end {
            self.walk_files(Range { start: at, end: range.end }, visit)
        } else {
            ControlFlow::Continue(())
        }
    }

    /// A page at a time, and files only where the memory itself has nothing.
    fn read(&self, address: Address, into: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < into.len() {
            let Some(at) = address.0.checked_add(filled as u64).map(Address) else { break };
            let before = filled;
            filled += self.memory.read(at, &mut into[filled..]);
            if filled == before {
                let rest = usize::try_from(PAGE - at.0 % PAGE).unwrap_or_default().min(into.len() - filled);
                filled += self.read_file(at, &mut into[filled..filled + rest]);
            }
            if filled == before {
                break;
            }
        }
        filled
    }
}
