use residue_model::{Address, Pieces};

/// Reads words that stand close to each other.
pub(super) struct Cursor<'a> {
    pieces: &'a Pieces<'a>,
    start: u64,
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(pieces: &'a Pieces<'a>) -> Cursor<'a> {
        Cursor { pieces, start: 0, bytes: &[] }
    }

    /// A word; none where it is not held.
    #[inline]
    pub(super) fn word(&mut self, at: u64) -> Option<u64> {
        let offset = usize::try_from(at.wrapping_sub(self.start)).unwrap_or(usize::MAX);
        if let Some(word) = offset.checked_add(8).and_then(|end| self.bytes.get(offset..end)) {
            return Some(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        self.moved(at)
    }

    #[cold]
    fn moved(&mut self, at: u64) -> Option<u64> {
        let index = self.pieces.find(Address(at))?;
        let (start, bytes) = self.pieces.0[index];
        (self.start, self.bytes) = (start.0, bytes);
        self.pieces.word(Address(at))
    }

    /// The first address at or behind this one that is held.
    pub(super) fn next_held(&self, at: u64) -> Option<u64> {
        self.pieces.held_from(Address(at)).map(|held| held.0)
    }
}
