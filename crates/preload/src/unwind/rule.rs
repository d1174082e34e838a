//! How to get from a frame to its caller's.

/// What the code at an address says of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The frame ends at some distance from a register, the return address right below, and `rbp` was saved or not.
    Caller(Base, i64, SavedBp),
    /// The kernel called a signal handler here: the registers of the code that it interrupted stand on the stack.
    Signal,
    /// Code of no module. If it keeps frame pointers, its caller can be found.
    Guess,
    /// Nothing called this.
    End,
    /// It cannot be followed.
    Cut,
}

/// What the end of a frame is told from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// `rsp`.
    Stack,
    /// `rbp`.
    Frame,
    /// The word in memory, at a distance from `rbp`: functions that realign the stack keep where it was.
    AtFrame,
}

/// Where the caller's `rbp` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SavedBp {
    /// Still in the register.
    Same,
    /// At this distance from the end of the frame.
    FromEnd(i64),
    /// At this distance from where `rbp` points.
    FromBp(i64),
    /// Lost.
    Unknown,
}

/// A rule, the module it belongs to, and the generation of modules it was made in, in a word that is never 0:
/// form 4 bits, the distance of the saved `rbp` 8, the distance of the end 20 (both in words), module 13, generation 18.
///
/// Forms are numbered so that nearly all of them, the plain ones, are told by two bits: the base, and whether `rbp` was
/// saved. A walk takes those without a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed(pub(super) u64);

pub(super) const GENERATIONS: u64 = 1 << 18;

const FRAME: u64 = 1;
const SAVED: u64 = 2;
const NOT_PLAIN: u64 = 0b1100;
const SIGNAL: u64 = 12;
const GUESS: u64 = 13;
const END: u64 = 14;
const CUT: u64 = 15;

impl Packed {
    /// `Cut` when the rule has larger distances than there is room for.
    pub(super) fn new(rule: Rule, module: u16, generation: u64) -> Packed {
        let bits = match rule {
            Rule::Caller(base, distance, saved) => pack_caller(base, distance, saved).unwrap_or(CUT),
            Rule::Signal => SIGNAL,
            Rule::Guess => GUESS,
            Rule::End => END,
            Rule::Cut => CUT,
        };
        Packed(bits | u64::from(module) << 32 | (generation % GENERATIONS) << 45)
    }

    #[inline]
    pub(super) fn rule(self) -> Rule {
        let form = self.0 & 15;
        let base = match form {
            0..8 if form & FRAME == 0 => Base::Stack,
            0..8 => Base::Frame,
            8..12 => Base::AtFrame,
            SIGNAL => return Rule::Signal,
            GUESS => return Rule::Guess,
            END => return Rule::End,
            _ => return Rule::Cut,
        };
        let saved = match form {
            0 | 1 | 8 => SavedBp::Same,
            2 | 3 | 9 => SavedBp::FromEnd(self.saved()),
            4 | 5 | 10 => SavedBp::FromBp(self.saved()),
            _ => SavedBp::Unknown,
        };
        Rule::Caller(base, self.distance(), saved)
    }

    /// `Caller(Stack | Frame, _, Same | FromEnd)`.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.0 & NOT_PLAIN == 0
    }

    /// Of a plain rule: it starts from `rbp`.
    #[inline]
    pub(super) fn is_from_frame(self) -> bool {
        self.0 & FRAME != 0
    }

    /// Of a plain rule: `rbp` was saved.
    #[inline]
    pub(super) fn has_saved(self) -> bool {
        self.0 & SAVED != 0
    }

    /// Of a caller's: the distance of the end.
    #[inline]
    pub(super) fn distance(self) -> i64 {
        i64::from((self.0 as i32) >> 12) * 8
    }

    /// The distance of the saved `rbp`.
    #[inline]
    pub(super) fn saved(self) -> i64 {
        i64::from((self.0 >> 4) as i8) * 8
    }

    #[inline]
    pub(super) fn module(self) -> u64 {
        self.0 >> 32 & 0x1fff
    }

    #[inline]
    pub(super) fn is_of(self, generation: u64) -> bool {
        self.0 >> 45 == generation % GENERATIONS && self.0 != 0
    }
}

fn pack_caller(base: Base, distance: i64, saved: SavedBp) -> Option<u64> {
    let (saved, at) = match saved {
        SavedBp::Same => (0, 0),
        SavedBp::FromEnd(at) => (1, at),
        SavedBp::FromBp(at) => (2, at),
        SavedBp::Unknown => (3, 0),
    };
    let form = match base {
        Base::Stack => saved * 2,
        Base::Frame => saved * 2 + FRAME,
        Base::AtFrame => saved + 8,
    };
    // An end that is where the stack pointer is leaves no room for a return address; the word would be 0.
    (base != Base::Stack || distance != 0).then_some(form | words(at, 8)? << 4 | words(distance, 20)? << 12)
}

/// A distance in words, in so many bits.
fn words(distance: i64, bits: u32) -> Option<u64> {
    let words = distance / 8;
    let fits = distance % 8 == 0 && words >= -(1 << (bits - 1)) && words < 1 << (bits - 1);
    fits.then_some(words as u64 & ((1 << bits) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_comes_out_as_it_went_in() {
        let rules = [
            Rule::Caller(Base::Stack, 8, SavedBp::Same),
            Rule::Caller(Base::Stack, 4_194_296, SavedBp::FromEnd(-1024)),
            Rule::Caller(Base::Frame, 16, SavedBp::FromEnd(-16)),
            Rule::Caller(Base::AtFrame, -80, SavedBp::FromBp(0)),
            Rule::Caller(Base::AtFrame, 0, SavedBp::Same),
            Rule::Caller(Base::AtFrame, 0, SavedBp::FromEnd(-8)),
            Rule::Caller(Base::Stack, 16, SavedBp::FromBp(-8)),
            Rule::Caller(Base::Frame, 16, SavedBp::Unknown),
            Rule::Caller(Base::AtFrame, -4_194_304, SavedBp::Unknown),
            Rule::Signal,
            Rule::Guess,
            Rule::End,
            Rule::Cut,
        ];
        for rule in rules {
            let packed = Packed::new(rule, 4096, 77);
            assert_eq!((packed.rule(), packed.module()), (rule, 4096));
            assert!(packed.is_of(77) && !packed.is_of(78));
        }
        assert!(!Packed(0).is_of(0));
    }

    #[test]
    fn a_rule_without_room_is_no_other_rule() {
        for (distance, saved) in [
            (4_194_304, SavedBp::Same),
            (12, SavedBp::Same),
            (16, SavedBp::FromEnd(-1032)),
            (16, SavedBp::FromBp(4)),
        ] {
            let packed = Packed::new(Rule::Caller(Base::Stack, distance, saved), 3, 1);
            assert_eq!((packed.rule(), packed.module()), (Rule::Cut, 3));
        }
    }
}
