//! Dumps with bytes turned, cut out and put in: whatever they say, opening them ends and what they show holds together.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{elf, mdmp, seeds, try_open};

/// One thing that happens to a file.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Turn(Index, u8),
    /// A number that is large, small or just beyond something, as counts and places are.
    Number(Index, u64, usize),
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Copy(Index, Index, usize),
}

impl Damage {
    pub(crate) fn happen(&self, bytes: &mut Vec<u8>, reach: usize) {
        let at = |index: &Index, bytes: &Vec<u8>| index.index(reach.min(bytes.len()).max(1));
        match self {
            Damage::Turn(index, bits) => {
                let at = at(index, bytes);
                bytes[at] ^= bits;
            }
            Damage::Number(index, number, size) => {
                let at = at(index, bytes) & !3;
                let end = (at + size).min(bytes.len());
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            Damage::Cut(index) => bytes.truncate(index.index(bytes.len()).max(16)),
            Damage::Remove(index, size) => {
                let at = at(index, bytes);
                let end = (at + size).min(bytes.len() - 1).max(at);
                bytes.drain(at..end);
            }
            Damage::Insert(index, more) => {
                let at = at(index, bytes);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Copy(from, to, size) => {
                let (from, to) = (at(from, bytes), at(to, bytes));
                let size = (*size).min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + size, to);
            }
        }
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::from(u32::MAX)),
        Just(1 << 63),
        Just(1 << 31),
        0_u64..0x4000,
        any::<u64>(),
        (0_u32..64).prop_map(|bits| 1 << bits),
    ]
}

pub(crate) fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        3 => (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Damage::Turn(at, bits)),
        6 => (any::<Index>(), number(), prop_oneof![Just(4_usize), Just(8)])
            .prop_map(|(at, number, size)| Damage::Number(at, number, size)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), 1_usize..200).prop_map(|(at, size)| Damage::Remove(at, size)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..64)).prop_map(|(at, more)| Damage::Insert(at, more)),
        2 => (any::<Index>(), any::<Index>(), 4_usize..64).prop_map(|(from, to, size)| Damage::Copy(from, to, size)),
    ];
    prop::collection::vec(one, 1..8)
}

/// Damages the part that describes memory, not the pages themselves, and looks at what comes out.
fn holds_together(mut bytes: Vec<u8>, reach: usize, damages: &[Damage]) {
    for damage in damages {
        damage.happen(&mut bytes, reach);
    }
    match try_open(&bytes) {
        Ok(opened) => drop(opened.sound()),
        Err(error) => assert!(error.remedy().is_some(), "{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_core_shows_what_holds_together(damages in damage()) {
        let bytes = elf::small().build();
        let reach = bytes.len() - 8 * 0x1000;
        holds_together(bytes, reach, &damages);
    }

    #[test]
    fn a_damaged_minidump_shows_what_holds_together(which in 0_usize..3, damages in damage()) {
        let of = [seeds::windows(), seeds::linux(mdmp::X86, false), seeds::linux(mdmp::ARM, true)];
        let bytes = of[which].build();
        holds_together(bytes.clone(), bytes.len(), &damages);
    }
}
