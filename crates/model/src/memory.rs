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

impl Memory for Pieces<'_> {
    fn walk(&self, range: Range, _: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        for (start, bytes) in &self.0 {
            let held = Range { start: *start, end: Address(start.0.saturating_add(bytes.len() as u64)) };
            let Some(wanted) = held.overlap(range) else { continue };
            visit(wanted.start, &bytes[held.offset_of(wanted)])?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
