use residue_model::{Address, Pieces};

/// Memory, with the part that is being looked at in hand.
///
/// Groups are read slot by slot, and of most all slots are held in a row: looking for the piece each time costs more
/// than the read.
pub(super) struct Window<'a> {
    pieces: &'a Pieces<'a>,
    start: u64,
    held: &'a [u8],
}

impl<'a> Window<'a> {
    /// Memory, seen from an address on.
    pub(super) fn from(pieces: &'a Pieces<'a>, start: u64) -> Window<'a> {
        Window { pieces, start, held: pieces.from(Address(start)) }
    }

    fn bytes<const COUNT: usize>(&self, at: u64) -> Option<&'a [u8; COUNT]> {
        let inside = at.checked_sub(self.start).and_then(|offset| usize::try_from(offset).ok());
        inside
            .and_then(|offset| self.held.get(offset..)?.first_chunk())
            .or_else(|| self.pieces.from(Address(at)).first_chunk())
    }

    /// A number of eight bytes.
    pub(super) fn word(&self, at: u64) -> Option<u64> {
        self.bytes(at).map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// A number of four bytes.
    pub(super) fn int(&self, at: u64) -> Option<u32> {
        self.bytes(at).map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// One byte.
    pub(super) fn byte(&self, at: u64) -> Option<u8> {
        self.bytes(at).map(|[byte]| *byte)
    }
}
