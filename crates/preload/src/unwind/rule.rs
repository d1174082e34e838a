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
/// kind 3 bits, kind of saved `rbp` 2, its distance 8, the distance of the end 20 (both in words), module 13, generation 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed(pub(super) u64);

pub(super) const GENERATIONS: u64 = 1 << 18;

const STACK: u64 = 1;
const FRAME: u64 = 2;
const AT_FRAME: u64 = 3;
const SIGNAL: u64 = 4;
const GUESS: u64 = 5;
const END: u64 = 6;
const CUT: u64 = 7;

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
        Packed(bits | u64::from(module) << 33 | (generation % GENERATIONS) << 46)
    }

    #[inline]
    pub(super) fn rule(self) -> Rule {
        let base = match self.0 & 7 {
            STACK => Base::Stack,
            FRAME => Base::Frame,
            AT_FRAME => Base::AtFrame,
            SIGNAL => return Rule::Signal,
            GUESS => return Rule::Guess,
            END => return Rule::End,
            _ => return Rule::Cut,
        };
        let distance = i64::from((self.0 >> 5) as i8) * 8;
        let saved = match self.0 >> 3 & 3 {
            0 => SavedBp::Same,
            1 => SavedBp::FromEnd(distance),
            2 => SavedBp::FromBp(distance),
            _ => SavedBp::Unknown,
        };
        Rule::Caller(base, ((self.0 as i64) << 31 >> 44) * 8, saved)
    }

    #[inline]
    pub(super) fn module(self) -> u64 {
        self.0 >> 33 & 0x1fff
    }

    #[inline]
    pub(super) fn is_of(self, generation: u64) -> bool {
        self.0 >> 46 == generation % GENERATIONS && self.0 & 7 != 0
    }
}

fn pack_caller(base: Base, distance: i64, saved: SavedBp) -> Option<u64> {
    let base = match base {
        Base::Stack => STACK,
        Base::Frame => FRAME,
        Base::AtFrame => AT_FRAME,
    };
    let saved = match saved {
        SavedBp::Same => 0,
        SavedBp::FromEnd(distance) => 1 | words(distance, 8)? << 2,
        SavedBp::FromBp(distance) => 2 | words(distance, 8)? << 2,
        SavedBp::Unknown => 3,
    };
    Some(base | saved << 3 | words(distance, 20)? << 13)
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
