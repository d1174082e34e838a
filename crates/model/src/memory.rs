use std::ops::ControlFlow;

use crate::{Address, Range};

/// Who looks at memory piece by piece, until it breaks.
pub type Visit<'a> = dyn FnMut(Address, &[u8]) -> ControlFlow<()> + 'a;

/// The bytes of a target: of a live process, a dump, or an image made for a test.
///
/// Everything that looks into memory does it through here, so that one search, one content analysis and one heap
/// walker serve every kind of target. What cannot be read is left out, never shown as zeros.
pub trait Memory: Sync {
    /// Shows what can be read of `range` in order of address, piece by piece, until the visitor breaks.
    ///
    /// A target whose memory stands in a mapped file shows it in place, however large; any other copies it through
    /// `window`, which the caller keeps for the next call.
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()>;

    /// Fills `into` with what stands at `address`, and says how many bytes in a row could be read.
    fn read(&self, address: Address, into: &mut [u8]) -> usize {
        let Some(end) = address.0.checked_add(into.len() as u64) else { return 0 };
        let (mut window, mut filled) = (Vec::new(), 0);
        let _ = self.walk(Range { start: address, end: Address(end) }, &mut window, &mut |at, piece| {
            if at.0 != address.0 + filled as u64 {
                return ControlFlow::Break(());
            }
            into[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
            ControlFlow::Continue(())
        });
        filled
    }
}

/// Memory of which nothing can be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn walk(&self, _: Range, _: &mut Vec<u8>, _: &mut Visit<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Pieces of memory held in place, in order of address: an image made for a test, or what was read of a target.
#[derive(Clone, Debug, Default)]
pub struct Pieces<'a>(pub Vec<(Address, &'a [u8])>);

impl<'a> Pieces<'a> {
    /// The index of the piece that holds an address.
    #[inline]
    pub fn find(&self, address: Address) -> Option<usize> {
        let index = self.0.partition_point(|(start, _)| *start <= address).checked_sub(1)?;
        let (start, bytes) = &self.0[index];
        (address.0 - start.0 < bytes.len() as u64).then_some(index)
    }

    /// What is held in a row from an address on; nothing where it is not held.
    #[inline]
    pub fn from(&self, address: Address) -> &'a [u8] {
        let Some(index) = self.find(address) else { return &[] };
        let (start, bytes) = self.0[index];
        // It fits: the piece is longer than this.
        &bytes[usize::try_from(address.0 - start.0).unwrap_or(bytes.len())..]
    }

    /// The first address at or behind this one that is held.
    pub fn held_from(&self, address: Address) -> Option<Address> {
        if self.find(address).is_some() {
            return Some(address);
        }
        let next = self.0.partition_point(|(start, _)| *start <= address);
        self.0.get(next).map(|(start, _)| *start)
    }

    /// So many bytes, if they are held in a row.
    pub fn bytes(&self, address: Address, length: usize) -> Option<&'a [u8]> {
        self.from(address).get(..length)
    }

    /// A number of eight bytes, the lowest first.
    #[inline]
    pub fn word(&self, address: Address) -> Option<u64> {
        self.from(address).first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// A number of four bytes, the lowest first.
    pub fn int(&self, address: Address) -> Option<u32> {
        self.from(address).first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// The parts of a range that are held, in order of address.
    pub fn within(&self, range: Range) -> impl Iterator<Item = (Address, &'a [u8])> + '_ {
        let end = |start: Address, bytes: &[u8]| Address(start.0.saturating_add(bytes.len() as u64));
        let first = self.0.partition_point(|(start, bytes)| end(*start, bytes) <= range.start);
        self.0[first..].iter().map_while(move |&(start, bytes)| {
            let held = Range { start, end: end(start, bytes) };
            let wanted = held.overlap(range)?;
            Some((wanted.start, &bytes[held.offset_of(wanted)]))
        })
    }
}

impl Memory for Pieces<'_> {
    fn walk(&self, range: Range, _: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        for (start, bytes) in self.within(range) {
            visit(start, bytes)?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_only_where_all_of_it_is_held() {
        let pieces =
            Pieces(vec![(Address(0x1000), &[1, 0, 0, 0, 2, 0, 0, 0, 9][..]), (Address(0x2000), &[7])]);
        assert_eq!(pieces.word(Address(0x1000)), Some(0x2_0000_0001));
        assert_eq!((pieces.int(Address(0x1004)), pieces.int(Address(0x1006))), (Some(2), None));
        assert_eq!((pieces.word(Address(0x2000)), pieces.word(Address(0xfff))), (None, None));
        assert_eq!(pieces.from(Address(0x1008)), [9]);
        assert!(pieces.from(Address(0x1009)).is_empty());
        let all: Vec<_> = pieces
            .within(Range { start: Address(0x1008), end: Address(0x9000) })
            .map(|(at, _)| at.0)
            .collect();
        assert_eq!(all, [0x1008, 0x2000]);
    }

    #[test]
    fn reading_stops_at_the_first_hole() {
        let pieces =
            Pieces(vec![(Address(0x1000), b"abc"), (Address(0x1003), b"de"), (Address(0x1008), b"xyz")]);
        let mut into = [0; 16];
        assert_eq!(pieces.read(Address(0x1001), &mut into), 4);
        assert_eq!(&into[..4], b"bcde");
        assert_eq!(pieces.read(Address(0x1006), &mut into), 0);
        assert_eq!(pieces.read(Address(u64::MAX), &mut into), 0);
        assert_eq!(NoMemory.read(Address(0x1000), &mut into), 0);
    }
}
