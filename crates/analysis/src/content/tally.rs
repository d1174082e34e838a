/// How often each byte value stands in a piece of memory.
pub(super) struct Tally {
    counts: [u32; 256],
    len: u32,
}

impl Tally {
    /// Counts. Four tables take turns, since a value that repeats would make one counter wait for itself.
    pub(super) fn of(bytes: &[u8]) -> Tally {
        let mut tables = [[0_u32; 256]; 4];
        let mut quads = bytes.chunks_exact(4);
        for quad in &mut quads {
            for (table, &byte) in tables.iter_mut().zip(quad) {
                table[usize::from(byte)] += 1;
            }
        }
        for &byte in quads.remainder() {
            tables[0][usize::from(byte)] += 1;
        }
        let [mut counts, rest @ ..] = tables;
        for (value, count) in counts.iter_mut().enumerate() {
            *count += rest.iter().map(|table| table[value]).sum::<u32>();
        }
        Tally { counts, len: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }

    /// How many bytes have this value.
    pub(super) fn count(&self, byte: u8) -> u32 {
        self.counts[usize::from(byte)]
    }

    /// How many bytes have a value in this range.
    pub(super) fn sum(&self, values: std::ops::RangeInclusive<u8>) -> u32 {
        values.map(|value| self.count(value)).sum()
    }

    /// How many bytes are not zero.
    pub(super) fn nonzero(&self) -> u32 {
        self.len - self.count(0)
    }

    /// Bytes that no text has: control characters, save white space, escape and the zero that parts strings.
    pub(super) fn control(&self) -> u32 {
        self.sum(1..=31) - self.sum(9..=10) - self.sum(12..=13) - self.count(27) + self.count(127)
    }

    /// Bits of information a byte carries by its value alone: 0 to 8.
    pub(super) fn entropy(&self) -> f64 {
        let len = f64::from(self.len);
        let term = |count: u32| {
            let share = f64::from(count) / len;
            -share * share.log2()
        };
        self.counts.iter().filter(|&&count| count > 0).map(|&count| term(count)).sum()
    }

    /// Whether the bytes are as evenly spread as random ones of this length would be: encrypted, or compressed.
    ///
    /// Few random bytes fill the 256 values unevenly: their entropy stays 255 / (2 n ln 2) bits below 8 (Miller and
    /// Madow), so the bar has to lie lower for them.
    pub(super) fn looks_random(&self) -> bool {
        let lost = 255.0 / (2.0 * f64::from(self.len) * std::f64::consts::LN_2);
        self.len >= 256 && self.entropy() >= (8.0 - lost * 1.35 - 0.03).min(7.9)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Bytes without order, the same at every run.
    pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()[7]
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn values_are_counted_wherever_they_stand() {
        let tally = Tally::of(b"aab\0\x01 \n");
        assert_eq!((tally.count(b'a'), tally.nonzero(), tally.control()), (2, 6, 1));
    }

    #[test]
    fn only_random_bytes_look_random() {
        for len in [256, 300, 1024, 4096, 65536] {
            assert!((1..40).all(|seed| Tally::of(&noise(len, seed)).looks_random()), "{len}");
        }
        let letters: Vec<u8> = noise(4096, 3).iter().map(|byte| b'0' + (byte & 0x3f)).collect();
        assert!(!Tally::of(&letters).looks_random());
        let dull: Vec<u8> = noise(4096, 3).iter().map(|byte| if byte % 8 == 0 { 0 } else { *byte }).collect();
        assert!(!Tally::of(&dull).looks_random());
    }
}
