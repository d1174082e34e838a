use residue_model::Address;

use super::{Content, Layout};

/// Arrays of addresses or numbers; `None` when no kind of word dominates.
pub(super) fn kind(bytes: &[u8], layout: &Layout) -> Option<Content> {
    let pointers = Pointers::of(bytes, layout);
    // The upper half of 64-bit addresses repeats, so that they would pass for small numbers of 16 bits.
    if pointers.dominate() {
        return Some(Content::Pointers);
    }
    if is_floats(bytes, layout) {
        return Some(Content::Floats);
    }
    is_integers(bytes, layout).then_some(Content::Integers)
}

/// Objects: addresses or small numbers in a good part of the words, neither of them in most.
pub(super) fn mixed(bytes: &[u8], layout: &Layout) -> Option<Content> {
    let pointers = Pointers::of(bytes, layout);
    let small = words(bytes, 4, layout).filter(|&word| word < 1 << 16).count();
    let all = (bytes.len().min(LOOK) / 4).max(1);
    let is_mixed = pointers.count >= 2 && pointers.count * 20 >= pointers.nonzero && small * 4 >= all;
    is_mixed.then_some(Content::Mixed)
}

/// Enough to tell, however much there is.
const LOOK: usize = 8 << 10;
/// Fewer words than these tell nothing.
const FEW: usize = 4;

/// The words of `width` bytes, as numbers.
fn words(bytes: &[u8], width: usize, layout: &Layout) -> impl Iterator<Item = u64> {
    let big_endian = layout.big_endian;
    bytes[..bytes.len().min(LOOK)].chunks_exact(width).map(move |chunk| {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if big_endian { chunk.iter().fold(0, add) } else { chunk.iter().rev().fold(0, add) }
    })
}

struct Pointers {
    count: usize,
    nonzero: usize,
    /// Of those, how many end in twelve zero bits.
    round: usize,
}

impl Pointers {
    fn of(bytes: &[u8], layout: &Layout) -> Pointers {
        let mut pointers = Pointers { count: 0, nonzero: 0, round: 0 };
        for word in words(bytes, usize::from(layout.pointer_bytes), layout).filter(|&word| word != 0) {
            pointers.nonzero += 1;
            // Random words of 32 bits often meet mapped memory, but seldom aligned.
            if word.is_multiple_of(4) && layout.is_mapped(Address(word)) {
                pointers.count += 1;
                pointers.round += usize::from(word.is_multiple_of(0x1000));
            }
        }
        pointers
    }

    /// Round numbers that happen to be mapped are floats (`1.0` is `0x3f800000`) or sizes.
    fn dominate(&self) -> bool {
        self.nonzero >= FEW && self.count * 100 >= self.nonzero * 55 && self.round * 2 <= self.count
    }
}

/// Numbers between a millionth and a few millions, as most measures are: random bytes and text hold few of them.
fn is_floats(bytes: &[u8], layout: &Layout) -> bool {
    let doubles = Exponents::of(words(bytes, 8, layout).map(|word| (word >> 52 & 0x7ff, word)), 1023, 30);
    let singles = Exponents::of(words(bytes, 4, layout).map(|word| (word >> 23 & 0xff, word)), 127, 20);
    doubles.fit(85) || singles.fit(92)
}

#[derive(Default)]
struct Exponents {
    usual: usize,
    nonzero: usize,
    changes: usize,
}

impl Exponents {
    fn of(words: impl Iterator<Item = (u64, u64)>, bias: u64, reach: u64) -> Exponents {
        let mut exponents = Exponents::default();
        let mut before = 0;
        for (exponent, word) in words.filter(|(_, word)| *word != 0) {
            exponents.nonzero += 1;
            exponents.usual += usize::from(exponent.abs_diff(bias) <= reach);
            exponents.changes += usize::from(word != before);
            before = word;
        }
        exponents
    }

    fn fit(&self, percent: usize) -> bool {
        self.nonzero >= FEW && self.usual * 100 >= self.nonzero * percent && self.changes * 8 >= self.nonzero
    }
}

/// Whole numbers that leave most of their bits unused.
fn is_integers(bytes: &[u8], layout: &Layout) -> bool {
    let small = |width: usize, bits: u32| {
        let shift = 64 - 8 * u32::try_from(width).unwrap_or(8);
        let (mut fitting, mut nonzero) = (0_usize, 0_usize);
        for word in words(bytes, width, layout).filter(|&word| word != 0) {
            let value = (word << shift).cast_signed() >> shift;
            nonzero += 1;
            fitting += usize::from(value.unsigned_abs() < 1 << bits);
        }
        nonzero >= FEW && fitting * 100 >= nonzero * 90
    };
    small(4, 20) || small(8, 36) || small(2, 11)
}

#[cfg(test)]
mod tests {
    use residue_model::{Protection, Range, Region};

    use super::*;
    use crate::content::tally::tests::noise;

    fn layout(bits: u8, start: u64, end: u64) -> Layout {
        let protection = Protection::from_letters(b"rw-p").expect("four letters");
        let range = Range { start: Address(start), end: Address(end) };
        Layout::of(&[Region { range, protection, ..Region::default() }], bits, false)
    }

    fn kind64(words: impl Iterator<Item = u64>) -> Option<Content> {
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        kind(&bytes, &layout(64, 0x7f12_0000_0000, 0x7f12_4000_0000))
    }

    fn kind32(words: impl Iterator<Item = u32>) -> Option<Content> {
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        // A 32-bit process that has used nearly all of its address space.
        kind(&bytes, &layout(32, 0x1_0000, 0xf000_0000))
    }

    #[test]
    fn addresses_of_the_process_are_pointers() {
        assert_eq!(kind64((0..200).map(|i| 0x7f12_0000_0010 + i * 0x150)), Some(Content::Pointers));
        assert_eq!(
            kind64((0..200).map(|i| if i % 3 == 0 { 0 } else { 0x7f12_1000_0010 + i * 48 })),
            Some(Content::Pointers)
        );
        assert_eq!(kind32((0..200).map(|i| 0x0a12_0010 + i * 0x158)), Some(Content::Pointers));
        assert_ne!(
            kind64((0..200).map(|i| 0x7f55_0000_0010 + i * 0x150)),
            Some(Content::Pointers),
            "of another process"
        );
    }

    #[test]
    fn measures_are_floats() {
        let wave = |i: u32| f64::from(i).sin() * 20.0 + 3.5;
        assert_eq!(kind64((0..200).map(|i| wave(i).to_bits())), Some(Content::Floats));
        #[allow(clippy::cast_possible_truncation, reason = "a wave of small height")]
        let single = |i: u32| (wave(i) as f32).to_bits();
        assert_eq!(kind32((0..200).map(single)), Some(Content::Floats));
        assert_eq!(
            kind32((0..200_u16).map(|i| f32::from(i).to_bits())),
            Some(Content::Floats),
            "whole ones too"
        );
    }

    #[test]
    fn counts_are_integers() {
        assert_eq!(kind64((0..200).map(|i| i * 37)), Some(Content::Integers));
        assert_eq!(kind32((0..200).map(|i| i * i % 1000)), Some(Content::Integers));
        assert_eq!(kind32((0..200).map(|i: i32| (i - 100).cast_unsigned())), Some(Content::Integers));
    }

    #[test]
    fn random_words_are_nothing() {
        for seed in 1..100 {
            let bytes = noise(1024, seed);
            assert_eq!(kind(&bytes, &layout(32, 0x1_0000, 0xf000_0000)), None);
            assert_eq!(kind(&bytes, &layout(64, 0x7f12_0000_0000, 0x7f12_4000_0000)), None);
        }
    }

    #[test]
    fn objects_are_mixed() {
        let object = |i: u64| {
            [0x7f12_0000_1000, 3, 0x7f12_0100_0000 + i * 64, u64::from_le_bytes(*b"station_") ^ i << 56]
        };
        let bytes: Vec<u8> = (0..64).flat_map(object).flat_map(u64::to_le_bytes).collect();
        assert_eq!(mixed(&bytes, &layout(64, 0x7f12_0000_0000, 0x7f12_4000_0000)), Some(Content::Mixed));
    }
}
