//! The stack of the last capture, and what proves that it still is so.

use super::step::State;

/// The deepest stack that is followed.
pub(super) const DEEPEST: usize = 16_384;
/// A frame rests on three words of memory at most, the end on one, and one more is written than counted.
const MOST_PROOFS: usize = 3 * DEEPEST + 2;
/// Marks a node whose stack is cut.
const CUT: u32 = 1 << 31;
/// Marks a node whose frame needs the `rbp` that it has.
const NEEDS_BP: u32 = 1 << 30;

/// A frame whose node is known.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Frame {
    state: State,
    node: u32,
    /// How many words prove it and all frames outside of it.
    proofs: u32,
}

/// A word of memory as it was.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Proof {
    address: u64,
    value: u64,
}

/// The frames of the last capture, the outermost first. All zeros is none.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Kept {
    depth: usize,
    /// How many words prove that the outermost frame is that.
    end_proofs: u32,
    frames: [Frame; DEEPEST],
    proofs: [Proof; MOST_PROOFS],
}

/// A node, and what is to be known of the frame that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node: u32,
    /// The stack is cut.
    pub(super) is_cut: bool,
    /// See [`Step::needs_bp`](super::step::Step::needs_bp).
    pub(super) needs_bp: bool,
}

impl Kept {
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn forget(&mut self) {
        self.depth = 0;
    }

    /// The number of the kept frame that a frame is, among the outermost so many, if there is one.
    ///
    /// `candidates` loses those that are further in than the frame: a walk outwards does not meet them any more.
    #[inline]
    pub(super) fn find(&self, state: State, candidates: &mut usize) -> Option<usize> {
        while let Some(last) = candidates.checked_sub(1) {
            let kept = &self.frames[last];
            if kept.state.sp >= state.sp {
                return kept.is(state).then_some(last);
            }
            *candidates = last;
        }
        None
    }

    /// How many of the outermost frames still are what they were, up to the one with this number, whose state was seen.
    #[inline]
    pub(super) fn verified(&self, number: usize) -> usize {
        let proofs = &self.proofs[..self.proofs_outside(number)];
        // All are read before one is judged: they are nearly always right, and memory that was readable still is.
        let changed = proofs.iter().fold(0, |changed, proof| changed | (proof.read() ^ proof.value));
        if changed == 0 { number + 1 } else { self.verified_slowly(proofs) }
    }

    #[cold]
    fn verified_slowly(&self, proofs: &[Proof]) -> usize {
        let right = proofs.iter().take_while(|proof| proof.read() == proof.value).count();
        if right < self.end_proofs as usize {
            return 0;
        }
        // A frame stands when all that is outside of it is proved.
        1 + self.frames[..self.depth].iter().take_while(|frame| frame.proofs as usize <= right).count()
    }

    fn proofs_outside(&self, number: usize) -> usize {
        number.checked_sub(1).map_or(self.end_proofs, |outer| self.frames[outer].proofs) as usize
    }

    /// The place of a kept frame.
    pub(super) fn place(&self, number: usize) -> Place {
        let node = self.frames[number].node;
        Place { node: node & !(CUT | NEEDS_BP), is_cut: node & CUT != 0, needs_bp: node & NEEDS_BP != 0 }
    }

    /// Keeps none but so many of the outermost frames. The innermost of them is proved by nothing, having no callee.
    pub(super) fn truncate(&mut self, depth: usize) {
        self.depth = depth;
        if depth == 0 {
            self.end_proofs = 0;
        } else {
            self.frames[depth - 1].proofs = self.proofs_outside(depth - 1) as u32;
        }
    }

    /// Adds the innermost frame.
    #[inline]
    pub(super) fn push(&mut self, state: &State, place: Place) {
        let proofs = self.proofs_outside(self.depth) as u32;
        let marks = if place.is_cut { CUT } else { 0 } | if place.needs_bp { NEEDS_BP } else { 0 };
        self.frames[self.depth] = Frame { state: *state, node: place.node | marks, proofs };
        self.depth += 1;
    }

    /// The words that prove the innermost frame, to be added to; before there is any frame, that the next is the outermost.
    #[inline]
    pub(super) fn proofs(&mut self) -> Proofs<'_> {
        let count = match self.depth {
            0 => &mut self.end_proofs,
            depth => &mut self.frames[depth - 1].proofs,
        };
        Proofs { count, words: &mut self.proofs }
    }

    /// The innermost frame.
    pub(super) fn innermost(&self) -> Option<State> {
        Some(self.frames[self.depth.checked_sub(1)?].state)
    }
}

/// Words that prove a frame.
pub(super) struct Proofs<'a> {
    count: &'a mut u32,
    words: &'a mut [Proof; MOST_PROOFS],
}

impl Proofs<'_> {
    #[inline]
    pub(super) fn add(&mut self, address: u64, value: u64) {
        self.add_if(true, address, value);
    }

    /// Written in any case, which is cheaper than to guess wrong whether to.
    #[inline]
    pub(super) fn add_if(&mut self, counts: bool, address: u64, value: u64) {
        self.words[*self.count as usize] = Proof { address, value };
        *self.count += u32::from(counts);
    }
}

impl Frame {
    #[inline]
    fn is(&self, state: State) -> bool {
        let same_bp = self.state.bp == state.bp || self.node & NEEDS_BP == 0;
        self.state.sp == state.sp && self.state.pc == state.pc && same_bp
    }
}

impl Proof {
    #[inline]
    fn read(self) -> u64 {
        // SAFETY: it was read as part of a stack of this thread, which has not been unmapped since.
        unsafe { (self.address as *const u64).read_volatile() }
    }
}
