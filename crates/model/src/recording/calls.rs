use std::sync::Arc;

/// An image that recorded code was in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedModule {
    /// Its file, as the program saw it; empty when it has none (the vdso).
    pub path: String,
    /// Which build it was, where the image tells.
    pub build_id: Option<Vec<u8>>,
    /// Where it stood: first address, and the one behind the last.
    pub start: u64,
    /// See `start`.
    pub end: u64,
    /// What is to be taken from an address in the process for the address in the file's own headers.
    pub bias: u64,
}

/// Names an entry of [`CallTree::codes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeId(pub u32);

/// Names an entry of [`CallTree::nodes`], and by it the path from there to the root: a call stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u32);

impl StackId {
    /// The stack of which nothing is known: the root.
    pub const UNKNOWN: StackId = StackId(0);
}

/// A call stack as a branch of a tree: the function called last is the node, the one that called it comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The frame that called this one: a node before this one. The root is its own.
    pub caller: StackId,
    /// Where this frame was.
    pub code: CodeId,
}

/// A return address, and what stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Index into the modules; None for code of no module: made at run time.
    pub module: Option<u32>,
    /// The return address: as in the module's own headers, or as it was in the process where it has no module.
    pub address: u64,
    /// What stands there: inlined functions first, innermost first, and last the function that has the code. Empty where
    /// nothing is known, or nobody looked yet.
    pub places: Vec<Place>,
}

/// A function, and a line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The function, demangled and printable.
    pub function: Option<Arc<str>>,
    /// The source file, as the compiler was told of it.
    pub file: Option<Arc<str>>,
    /// The line of the call, not of the return.
    pub line: Option<u32>,
    /// Whether it was inlined into the next place of the list.
    pub is_inlined: bool,
}

/// All call stacks of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTree {
    /// The nodes; the first one is the root and no frame. Each caller stands before those that it called.
    pub nodes: Vec<Node>,
    /// The code that nodes stand for, each once. The first one belongs to the root.
    pub codes: Vec<Code>,
}

impl CallTree {
    /// The frames of a stack, the innermost first. Ends on any tree: a caller that does not stand before its callee ends
    /// the stack.
    pub fn frames(&self, stack: StackId) -> impl Iterator<Item = &Code> {
        self.path(stack).map(|code| &self.codes[code.0 as usize])
    }

    /// The same by their names; each is that of a code.
    pub fn path(&self, stack: StackId) -> impl Iterator<Item = CodeId> {
        let mut at = stack;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at.0 as usize).filter(|_| at != StackId::UNKNOWN)?;
            at = if node.caller < at { node.caller } else { StackId::UNKNOWN };
            Some(node.code).filter(|code| (code.0 as usize) < self.codes.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(callers: &[u32]) -> CallTree {
        let node = |(index, &caller): (usize, &u32)| Node {
            caller: StackId(caller),
            code: CodeId(u32::try_from(index).expect("small")),
        };
        let code = |address: usize| Code { address: address as u64, ..Code::default() };
        CallTree {
            nodes: callers.iter().enumerate().map(node).collect(),
            codes: (0..callers.len()).map(code).collect(),
        }
    }

    #[test]
    fn a_stack_is_told_from_the_inside_out_without_the_root() {
        let tree = tree(&[0, 0, 1, 2, 1]);

        let frames: Vec<u64> = tree.frames(StackId(3)).map(|code| code.address).collect();

        assert_eq!(frames, [3, 2, 1]);
    }

    #[test]
    fn a_ring_of_callers_ends() {
        assert_eq!(tree(&[0, 2, 1]).frames(StackId(2)).count(), 2);
        assert_eq!(tree(&[0]).frames(StackId(7)).count(), 0);
    }
}
