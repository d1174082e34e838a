use std::ops::ControlFlow;

use residue_model::{Address, Memory, Range, Region};

use super::{Content, Layout};

/// The class of a region by its first 4 KiB, and where those are zero by two more looks inside.
///
/// `None` when nothing of it can be read. `window` is kept by the caller from region to region.
pub fn of_region(
    region: &Region,
    memory: &dyn Memory,
    layout: &Layout,
    window: &mut Vec<u8>,
) -> Option<Content> {
    let mut seen = None;
    for third in 0..3 {
        let at = Address(region.range.start.0 + ((region.size().0 / 3 * third) & !(LOOK - 1)));
        let part = Range { start: at, end: Address(at.0.saturating_add(LOOK)) }.overlap(region.range)?;
        match look(memory, part, window, |bytes| Content::of(bytes, layout)) {
            Some(Content::Zero) => seen = Some(Content::Zero),
            Some(content) => return Some(content),
            None => {}
        }
    }
    seen
}

const LOOK: u64 = 4096;

/// Shows what can be read of a range as one slice, in place where the memory is in one piece; `None` when nothing can.
pub(super) fn look<T>(
    memory: &dyn Memory,
    range: Range,
    window: &mut Vec<u8>,
    mut see: impl FnMut(&[u8]) -> T,
) -> Option<T> {
    let (mut whole, mut pieces) = (None, Vec::new());
    let _ = memory.walk(range, window, &mut |_, piece| {
        if piece.len() as u64 >= range.size().0 {
            whole = Some(see(piece));
            return ControlFlow::Break(());
        }
        pieces.extend_from_slice(piece);
        ControlFlow::Continue(())
    });
    whole.or_else(|| (!pieces.is_empty()).then(|| see(&pieces)))
}

#[cfg(test)]
mod tests {
    use residue_model::{NoMemory, Pieces};

    use super::*;

    fn region(start: u64, size: u64) -> Region {
        Region { range: Range { start: Address(start), end: Address(start + size) }, ..Region::default() }
    }

    fn of(region: &Region, pieces: Vec<(Address, &[u8])>) -> Option<Content> {
        of_region(region, &Pieces(pieces), &Layout::default(), &mut Vec::new())
    }

    #[test]
    fn a_region_whose_first_page_is_zero_is_looked_into_deeper() {
        let mut bytes = vec![0; 0x30000];
        let zeros = bytes.clone();
        bytes[0x10000..0x11000].fill(0xcc);
        let region = region(0x1000, 0x30000);
        assert_eq!(of(&region, vec![(Address(0x1000), &bytes)]), Some(Content::Repeated));
        assert_eq!(of(&region, vec![(Address(0x1000), &zeros)]), Some(Content::Zero));
    }

    /// A dump holds pages in pieces; what it does not hold must not pass for zeros.
    #[test]
    fn pieces_are_joined_and_holes_are_unknown() {
        let page = [b"text of a page ".repeat(40)].concat();
        let region = region(0x1000, 0x2000);
        let halves = vec![(Address(0x1000), &page[..300]), (Address(0x1000 + 300), &page[300..])];
        assert_eq!(of(&region, halves), Some(Content::Text));
        assert_eq!(of_region(&region, &NoMemory, &Layout::default(), &mut Vec::new()), None);
        assert_eq!(of(&self::region(0x9000, 0), vec![]), None);
    }
}
