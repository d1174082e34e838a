/// In how many members each sequence of eight characters stands, counted without keeping the sequences.
///
/// A table of counters that sequences share by chance: it never counts too few, and seldom too many, since a member
/// touches one in sixty of its cells. What comes of it is counted again exactly.
pub(super) struct Grams(Vec<Cell>);

#[derive(Clone, Copy, Default)]
struct Cell {
    /// The last member that was counted here: each counts once.
    member: u8,
    count: u8,
}

/// Characters of a gram.
pub(super) const WIDTH: usize = 8;
const BITS: u32 = 22;

impl Grams {
    pub(super) fn new() -> Grams {
        Grams(vec![Cell::default(); 1 << BITS])
    }

    /// Counts the grams of a member: the same number for all of its texts, from 1 on.
    pub(super) fn add(&mut self, text: &[u8], salt: u64, member: u8) {
        for gram in grams(text).flatten() {
            let cell = &mut self.0[place(gram, salt)];
            if cell.member != member {
                *cell = Cell { member, count: cell.count.saturating_add(1) };
            }
        }
    }

    /// In how many members each gram of a text stands, by its place; 0 where a run ends within it.
    pub(super) fn counts<'a>(&'a self, text: &'a [u8], salt: u64) -> impl Iterator<Item = u8> + 'a {
        grams(text).map(move |gram| gram.map_or(0, |gram| self.0[place(gram, salt)].count))
    }
}

/// Eight characters at every place; `None` where a zero is among them.
fn grams(text: &[u8]) -> impl Iterator<Item = Option<u64>> {
    text.windows(WIDTH).map(|window| {
        let gram = u64::from_le_bytes(window.try_into().expect("a window has its width"));
        let zeros = gram.wrapping_sub(0x0101_0101_0101_0101) & !gram & 0x8080_8080_8080_8080;
        (zeros == 0).then_some(gram)
    })
}

fn place(gram: u64, salt: u64) -> usize {
    let mixed = (gram ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> (64 - BITS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gram_counts_once_a_member_and_not_over_the_end_of_a_run() {
        let mut grams = Grams::new();
        grams.add(b"forecast forecast\0", 0, 1);
        grams.add(b"forecast\0", 0, 2);
        grams.add(b"forecast\0", 7, 3);
        let counts: Vec<u8> = grams.counts(b"forecast\0unknown!\0", 0).collect();
        assert_eq!(counts, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(grams.counts(b"short", 0).count(), 0);
    }
}
