/// A row of bits, of which any may be looked for in both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    length: u64,
}

impl Bits {
    /// So many bits, none of them set.
    pub fn new(length: u64) -> Bits {
        let words = usize::try_from(length.div_ceil(64)).unwrap_or(usize::MAX);
        Bits { words: vec![0; words], length }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether a bit is set; one behind the end is not.
    #[inline]
    pub fn get(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Sets a bit; one behind the end stays as it is.
    #[inline]
    pub fn set(&mut self, index: u64) {
        let (word, bit) = place(index);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// Clears a bit.
    #[inline]
    pub fn clear(&mut self, index: u64) {
        let (word, bit) = place(index);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    /// How many are set.
    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The first set bit at or behind an index.
    #[inline]
    pub fn next(&self, index: u64) -> Option<u64> {
        let (mut at, bit) = place(index);
        let mut word = self.words.get(at)? & bit.wrapping_neg();
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at as u64 * 64 + u64::from(word.trailing_zeros()))
    }

    /// The last set bit at or before an index.
    #[inline]
    pub fn last(&self, index: u64) -> Option<u64> {
        let (mut at, bit) = place(index);
        let mut word = self.words.get(at)? & (bit | (bit - 1));
        while word == 0 {
            at = at.checked_sub(1)?;
            word = self.words[at];
        }
        Some(at as u64 * 64 + 63 - u64::from(word.leading_zeros()))
    }

    /// The set ones, in order.
    pub fn ones(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| u64::from(rest.trailing_zeros()))?;
                rest &= rest - 1;
                Some(at as u64 * 64 + bit)
            })
        })
    }

    /// The word that holds a bit; 0 behind the end.
    #[inline]
    pub(crate) fn word_of(&self, index: u64) -> u64 {
        self.words.get(place(index).0).copied().unwrap_or_default()
    }
}

#[inline]
fn place(index: u64) -> (usize, u64) {
    (usize::try_from(index / 64).unwrap_or(usize::MAX), 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn neighbours_are_those_of_an_ordered_set(
            set in proptest::collection::btree_set(0_u64..300, 0..40),
            at in 0_u64..300,
        ) {
            let mut bits = Bits::new(300);
            for &index in &set {
                bits.set(index);
            }
            prop_assert_eq!(bits.ones().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.next(at), set.range(at..).next().copied());
            prop_assert_eq!(bits.last(at), set.range(..=at).next_back().copied());
            prop_assert_eq!(bits.get(at), set.contains(&at));
            prop_assert_eq!(bits.count(), set.len() as u64);
            bits.clear(at);
            prop_assert!(!bits.get(at));
        }
    }

    #[test]
    fn behind_the_end_nothing_is_set() {
        let mut bits = Bits::new(10);
        bits.set(700);
        assert_eq!(
            (bits.get(700), bits.next(0), bits.next(700), bits.last(u64::MAX)),
            (false, None, None, None)
        );
    }
}
