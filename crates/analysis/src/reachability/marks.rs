use std::sync::atomic::{AtomicU64, Ordering};

use residue_model::BlockId;

/// A bit for each block, which several threads set.
pub(super) struct Marks(Vec<AtomicU64>);

impl Marks {
    pub(super) fn new(places: u64) -> Marks {
        let words = usize::try_from(places.div_ceil(64)).unwrap_or(usize::MAX);
        let mut marks = Vec::new();
        marks.resize_with(words, AtomicU64::default);
        Marks(marks)
    }

    #[inline]
    pub(super) fn get(&self, id: BlockId) -> bool {
        let (word, bit) = place(id);
        self.0[word].load(Ordering::Relaxed) & bit != 0
    }

    /// Reads the word that a bit stands in.
    #[inline]
    pub(super) fn touch(&self, id: BlockId) -> u64 {
        self.0.get(place(id).0).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Sets a bit, and says whether it was not set before.
    #[inline]
    pub(super) fn set(&self, id: BlockId, alone: bool) -> bool {
        let (word, bit) = place(id);
        let before = self.0[word].load(Ordering::Relaxed);
        if before & bit != 0 {
            return false;
        }
        if alone {
            self.0[word].store(before | bit, Ordering::Relaxed);
            return true;
        }
        self.0[word].fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// The same bits, now.
    pub(super) fn copy(&self) -> Marks {
        Marks(self.0.iter().map(|word| word.load(Ordering::Relaxed).into()).collect())
    }

    /// The bits that are set here and not in others.
    pub(super) fn beyond<'a>(&'a self, other: &'a Marks) -> impl Iterator<Item = BlockId> + 'a {
        self.0.iter().zip(&other.0).enumerate().flat_map(|(index, (word, other))| {
            let mut rest = word.load(Ordering::Relaxed) & !other.load(Ordering::Relaxed);
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| u64::from(rest.trailing_zeros()))?;
                rest &= rest - 1;
                Some(BlockId(index as u64 * 64 + bit))
            })
        })
    }
}

#[inline]
fn place(id: BlockId) -> (usize, u64) {
    (usize::try_from(id.0 / 64).unwrap_or(usize::MAX), 1 << (id.0 % 64))
}
