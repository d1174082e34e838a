//! One step of a walk: from a frame to its caller's.

use super::cfi::{INTERRUPTED_BP, INTERRUPTED_PC, INTERRUPTED_SP};
use super::kept::Proofs;
use super::readable::Readable;
use super::rule::{Base, Packed, Rule, SavedBp};

/// Code of no module is only followed by frame pointers to frames of less than this.
const LARGEST_GUESS: u64 = 1 << 20;

/// A frame while its function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// An address in the instruction that it stands at: the byte before a return address, or where a signal struck.
    pub(super) pc: u64,
    pub(super) sp: u64,
    pub(super) bp: u64,
}

/// A frame, and the rule that leads on from it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Step {
    pub(super) state: State,
    pub(super) rule: Packed,
}

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Caller(State),
    /// To a caller if its code called somebody there: see [`super::call`].
    Guess(State),
    /// This was the outermost frame; when a return address of 0 says so, it stands here.
    End(Option<u64>),
    /// Nobody knows.
    Cut,
}

impl Step {
    /// Takes the step.
    #[inline]
    pub(super) fn take(&self, memory: &mut Readable) -> Next {
        match self.plainly(memory) {
            Some(caller) => Next::Caller(caller),
            None => self.caller(memory).unwrap_or(Next::Cut),
        }
    }

    /// The caller, when all is as it nearly always is.
    #[inline]
    fn plainly(&self, memory: &mut Readable) -> Option<State> {
        let Step { state: State { sp, bp, .. }, rule } = *self;
        if !rule.is_plain() {
            return None;
        }
        let base = if rule.is_from_frame() { bp } else { sp };
        let end = base.wrapping_add_signed(rule.distance());
        let pc = memory.word(end.wrapping_sub(8))?;
        // Loaded for nothing where `rbp` was not saved: that is cheaper than to guess wrong whether it was.
        let distance = if rule.has_saved() { rule.saved() } else { -8 };
        let saved = memory.word(end.wrapping_add_signed(distance))?;
        let bp = if rule.has_saved() { saved } else { bp };
        (end > sp && pc != 0).then_some(State { pc: pc.wrapping_sub(1), sp: end, bp })
    }

    #[cold]
    #[inline(never)]
    fn caller(&self, memory: &mut Readable) -> Option<Next> {
        let Step { state: State { sp, bp, .. }, rule } = *self;
        let (end, saved) = match rule.rule() {
            Rule::Caller(Base::Stack, distance, saved) => (sp.wrapping_add_signed(distance), saved),
            Rule::Caller(Base::Frame, distance, saved) => (bp.wrapping_add_signed(distance), saved),
            Rule::Caller(Base::AtFrame, distance, saved) => {
                (memory.word(bp.wrapping_add_signed(distance))?, saved)
            }
            Rule::Signal => return self.interrupted(memory),
            Rule::Guess => return self.guess(memory),
            Rule::End => return Some(Next::End(None)),
            Rule::Cut => return None,
        };
        let pc = memory.word(end.wrapping_sub(8))?;
        if end <= sp && memory.is_one(end - 8, sp) {
            return None; // A stack does not grow upwards. On another one the caller may stand anywhere.
        }
        if pc == 0 {
            return Some(Next::End(Some(end - 8)));
        }
        let bp = match saved {
            SavedBp::Same => bp,
            SavedBp::FromEnd(distance) => memory.word(end.wrapping_add_signed(distance))?,
            SavedBp::FromBp(distance) => memory.word(bp.wrapping_add_signed(distance))?,
            SavedBp::Unknown => 0,
        };
        Some(Next::Caller(State { pc: pc.wrapping_sub(1), sp: end, bp }))
    }

    #[cold]
    #[inline(never)]
    fn interrupted(&self, memory: &mut Readable) -> Option<Next> {
        let mut register = |distance| memory.word(self.state.sp.wrapping_add_signed(distance));
        let (pc, sp, bp) = (register(INTERRUPTED_PC)?, register(INTERRUPTED_SP)?, register(INTERRUPTED_BP)?);
        Some(Next::Caller(State { pc, sp, bp }))
    }

    #[cold]
    #[inline(never)]
    fn guess(&self, memory: &mut Readable) -> Option<Next> {
        let State { sp, bp, .. } = self.state;
        if bp.wrapping_sub(sp) >= LARGEST_GUESS {
            return None;
        }
        let (saved, pc) = (memory.word(bp)?, memory.word(bp + 8)?);
        // What is no frame pointer, but some value of the code's own, may lead to a word of a call that was over long ago.
        let is_plausible =
            memory.word(sp & !7).is_some() && memory.is_one(sp, bp) && (saved == 0 || saved > bp);
        is_plausible.then(|| Next::Guess(State { pc: pc.wrapping_sub(1), sp: bp + 16, bp: saved }))
    }

    /// Whether it matters what `rbp` is in the frame, given whether it does in the caller's. Where no frame pointers are kept
    /// `rbp` is a register like others: it changes all the time, and means nothing to the stack.
    #[inline]
    pub(super) fn needs_bp(&self, caller_does: bool) -> bool {
        if self.rule.is_plain() {
            return self.rule.is_from_frame() | (!self.rule.has_saved() & caller_does);
        }
        match self.rule.rule() {
            Rule::Caller(Base::Frame | Base::AtFrame, ..)
            | Rule::Caller(_, _, SavedBp::FromBp(_))
            | Rule::Guess => true,
            Rule::Caller(_, _, SavedBp::Same) => caller_does,
            Rule::Caller(_, _, SavedBp::FromEnd(_) | SavedBp::Unknown)
            | Rule::Signal
            | Rule::End
            | Rule::Cut => false,
        }
    }

    /// The words of memory that led to the caller: as long as they stay, the same frame has the same caller.
    #[inline]
    pub(super) fn proofs(&self, caller: &State, needs_bp: bool, proofs: &mut Proofs<'_>) {
        if self.rule.is_plain() {
            proofs.add(caller.sp - 8, caller.pc.wrapping_add(1));
            let saved = caller.sp.wrapping_add_signed(self.rule.saved());
            proofs.add_if(needs_bp & self.rule.has_saved(), saved, caller.bp);
        } else {
            self.rare_proofs(caller, needs_bp, proofs);
        }
    }

    #[cold]
    #[inline(never)]
    fn rare_proofs(&self, caller: &State, needs_bp: bool, proofs: &mut Proofs<'_>) {
        let State { sp, bp, .. } = self.state;
        let saved = match self.rule.rule() {
            Rule::Caller(base, distance, saved) => {
                proofs.add(caller.sp - 8, caller.pc.wrapping_add(1));
                if base == Base::AtFrame {
                    proofs.add(bp.wrapping_add_signed(distance), caller.sp);
                }
                match saved {
                    SavedBp::FromEnd(distance) => caller.sp.wrapping_add_signed(distance),
                    SavedBp::FromBp(distance) => bp.wrapping_add_signed(distance),
                    SavedBp::Same | SavedBp::Unknown => return,
                }
            }
            Rule::Signal => {
                proofs.add(sp.wrapping_add_signed(INTERRUPTED_PC), caller.pc);
                proofs.add(sp.wrapping_add_signed(INTERRUPTED_SP), caller.sp);
                sp.wrapping_add_signed(INTERRUPTED_BP)
            }
            Rule::Guess => {
                proofs.add(caller.sp - 8, caller.pc.wrapping_add(1));
                caller.sp - 16
            }
            Rule::End | Rule::Cut => return,
        };
        proofs.add_if(needs_bp, saved, caller.bp);
    }
}
