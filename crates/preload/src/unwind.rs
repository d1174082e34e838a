//! The call stack of a thread, as a node of the shared tree.
//!
//! A stack is followed by rules that compilers leave for exceptions, one for the code at each address. What a thread saw
//! last it keeps: the walk goes from the innermost frame outwards until it meets a frame that is kept, then every word of
//! memory that the rest rests on is compared with what it was. The frames outside are a function of that frame and of
//! those words alone, so equal words are an equal stack, and its node is known.

mod call;
mod cfi;
mod elf;
mod expression;
mod kept;
mod modules;
mod objects;
mod readable;
mod rule;
mod rules;
mod step;
mod table;
mod tree;

use cfi::Workspace;
use kept::{DEEPEST, Kept, Place};
use readable::Readable;
pub use rules::Rules;
use rules::View;
use step::{Next, State, Step};

use crate::segment::Segment;

/// Of a stack that is too deep to be followed, so many of the innermost frames are told.
const TOLD_OF_DEEP: usize = 64;

/// Where the caller of a hook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The hook's return address.
    pub pc: u64,
    /// The stack pointer once the hook has returned.
    pub sp: u64,
    /// `rbp` as the caller had it.
    pub bp: u64,
}

/// A stack that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The node of its innermost frame; 0 when nothing of it is known.
    pub stack: u32,
    /// It goes on outside of what the tree says, and nobody knows how; or the tree has no room for its innermost frames.
    pub is_cut: bool,
}

/// What a thread keeps from one capture to the next. All zeros is one that keeps nothing, which a thread that takes over
/// the memory of another has to begin with, and one that comes to another segment. It is large; only what deep stacks need of it is ever touched.
#[repr(C)]
#[derive(Debug)]
pub struct Thread {
    /// The state of the address space that all this is of.
    changes: u64,
    /// A stack pointer that stood too deep, when it was seen last; 0 when none did.
    deep: u64,
    readable: Readable,
    workspace: Workspace,
    kept: Kept,
    steps: [Step; DEEPEST],
}

/// Why a walk stopped.
enum Stop {
    /// At a frame that is kept.
    Met(usize),
    End(Option<u64>),
    Cut,
    TooDeep,
}

impl Thread {
    /// Forgets all: for another thread.
    pub fn forget(&mut self) {
        self.deep = 0;
        self.readable.forget();
        self.kept.forget();
    }

    /// The stack of the caller of a hook.
    ///
    /// # Safety
    /// The registers are those of a function of this thread that has not returned yet.
    pub unsafe fn capture(&mut self, registers: Registers, segment: &Segment, rules: &Rules) -> Captured {
        let view = rules.view(segment);
        if view.changes != self.changes {
            self.change(&view, registers.sp);
        }
        let state = State { pc: registers.pc.wrapping_sub(1), sp: registers.sp, bp: registers.bp };
        self.readable.begin(state.sp);
        let (stop, count) = self.walk(state, &view);
        let place = match stop {
            Stop::Met(number) if number + count < DEEPEST => self.join(number, count, &view),
            Stop::End(zero) => self.replace(count, false, zero, &view),
            Stop::Cut => self.replace(count, true, None, &view),
            Stop::Met(_) | Stop::TooDeep => {
                self.deep = self.deep.max(state.sp);
                self.tell_innermost(count, &view)
            }
        };
        if self.readable.strayed() || view.is_unsure() {
            self.kept.forget();
        }
        Captured { stack: place.node, is_cut: place.is_cut }
    }

    #[cold]
    fn change(&mut self, view: &View<'_>, sp: u64) {
        // Some programs unmap memory all the time: that is nothing to a thread that has but one stack.
        if view.is_unloaded_since(self.changes) || !self.readable.is_only_stack(sp) {
            self.forget();
        }
        self.changes = view.changes;
    }

    /// Walks outwards, noting each step, until a frame is met that is kept: how many steps.
    fn walk(&mut self, mut state: State, view: &View<'_>) -> (Stop, usize) {
        let most = self.most_steps(state.sp);
        let mut candidates = self.kept.depth();
        let mut is_verified = false;
        for count in 0..most {
            if let Some(number) = self.kept.find(state, &mut candidates) {
                let verified = if is_verified { number + 1 } else { self.kept.verified(number) };
                if verified > number {
                    return (Stop::Met(number), count);
                }
                candidates = verified;
                is_verified = true;
            }
            let step = &mut self.steps[count];
            step.state = state;
            step.rule = view.rule(state.pc, &mut self.workspace);
            match step.take(&mut self.readable) {
                Next::Caller(caller) => state = caller,
                Next::Guess(caller) if view.has_called_made_code(caller.pc) => state = caller,
                Next::End(zero) => return (Stop::End(zero), count + 1),
                Next::Guess(_) | Next::Cut => return (Stop::Cut, count + 1),
            }
        }
        (Stop::TooDeep, most)
    }

    /// A stack on which a frame further out was too deep is not followed to its end again.
    fn most_steps(&mut self, sp: u64) -> usize {
        if self.deep != 0 && sp <= self.deep && self.readable.is_one(sp, self.deep) {
            return TOLD_OF_DEEP;
        }
        self.deep = 0;
        DEEPEST
    }

    /// Adds the steps to the kept frame that they met.
    fn join(&mut self, number: usize, count: usize, view: &View<'_>) -> Place {
        let place = self.kept.place(number);
        self.kept.truncate(number + 1);
        if let (Some(last), Some(met)) = (count.checked_sub(1), self.kept.innermost()) {
            let step = &self.steps[last];
            step.proofs(&met, place.needs_bp, &mut self.kept.proofs());
        }
        self.add(count, place, view)
    }

    /// Keeps the steps instead of what was kept.
    fn replace(&mut self, count: usize, is_cut: bool, zero: Option<u64>, view: &View<'_>) -> Place {
        self.kept.truncate(0);
        if let Some(address) = zero {
            self.kept.proofs().add(address, 0);
        }
        self.add(count, Place { node: 0, is_cut, needs_bp: false }, view)
    }

    /// Adds so many steps, the last one first, as frames inside of the innermost one that is kept.
    fn add(&mut self, count: usize, outside: Place, view: &View<'_>) -> Place {
        let mut place = outside;
        for at in (0..count).rev() {
            let step = &self.steps[at];
            place = view.inside(place, step);
            self.kept.push(&step.state, place);
            if let Some(callee) = at.checked_sub(1) {
                let callee = &self.steps[callee];
                callee.proofs(&step.state, place.needs_bp, &mut self.kept.proofs());
            }
        }
        place
    }

    /// The innermost steps as a stack of their own. What is kept stays.
    fn tell_innermost(&self, count: usize, view: &View<'_>) -> Place {
        let steps = &self.steps[..count.min(TOLD_OF_DEEP)];
        let nothing = Place { node: 0, is_cut: true, needs_bp: false };
        steps.iter().rev().fold(nothing, |place, step| view.inside(place, step))
    }
}
