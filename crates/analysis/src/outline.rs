use residue_model::{AddressSpace, Bytes, Extent, State};

use crate::{FreeRange, Holes};

/// An address space in a few numbers and its largest holes, folded from extents as they come.
///
/// It allocates nothing, so that whoever asks thousands of times a second does not grow: the room for the holes is the
/// caller's.
#[derive(Debug)]
pub struct Outline<'a> {
    holes: Holes,
    sums: OutlineSums,
    top: &'a mut [FreeRange],
    /// How many of `top` hold a hole.
    held: usize,
}

/// The sums of an address space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutlineSums {
    /// Regions: blocks of one protection, as Windows calls them.
    pub regions: u64,
    /// What was reserved together: allocations.
    pub allocations: u64,
    /// Address space that can be used as it stands.
    pub mapped: Bytes,
    /// Address space that is only set aside.
    pub reserved: Bytes,
    /// Address space that nothing uses.
    pub free: Bytes,
    /// In how many ranges.
    pub free_ranges: u64,
    /// The largest of them, the lowest of several.
    pub largest: FreeRange,
}

impl<'a> Outline<'a> {
    /// Of nothing yet. The largest holes will stand in `top`, as many as it has room for.
    pub fn new(space: AddressSpace, top: &'a mut [FreeRange]) -> Outline<'a> {
        Outline { holes: Holes::of(space), sums: OutlineSums::default(), top, held: 0 }
    }

    /// Takes the next extent, in order of address.
    pub fn push(&mut self, extent: &Extent) {
        if let Some(hole) = self.holes.before(extent.range) {
            self.hole(hole);
        }
        self.sums.regions += 1;
        self.sums.allocations += u64::from(extent.allocation_base == extent.range.start);
        match extent.state {
            State::Mapped => self.sums.mapped += extent.size(),
            State::Reserved => self.sums.reserved += extent.size(),
            State::Free => {}
        }
    }

    /// The sums, and how many holes stand in the caller's room: the largest first, the lower of two equal ones first.
    pub fn finish(mut self) -> (OutlineSums, usize) {
        if let Some(hole) = self.holes.last() {
            self.hole(hole);
        }
        (self.sums, self.held)
    }

    fn hole(&mut self, hole: FreeRange) {
        self.sums.free += hole.size;
        self.sums.free_ranges += 1;
        if hole.size > self.sums.largest.size {
            self.sums.largest = hole;
        }
        self.rank(hole);
    }

    /// Most holes are smaller than all that are held and cost one comparison.
    fn rank(&mut self, hole: FreeRange) {
        let is_full = self.held == self.top.len();
        if is_full && self.top.last().is_none_or(|smallest| smallest.size >= hole.size) {
            return;
        }
        let place = self.top[..self.held].partition_point(|held| held.size >= hole.size);
        self.held += usize::from(!is_full);
        self.top.copy_within(place..self.held - 1, place + 1);
        self.top[place] = hole;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use residue_model::{Address, Backing, Protection, Range, Region};

    use super::*;
    use crate::FreeSpace;

    fn extent(start: u64, end: u64) -> Extent {
        Extent {
            range: Range { start: Address(start), end: Address(end) },
            allocation_base: Address(start),
            state: State::Mapped,
            protection: Protection::default(),
            backing: Backing::PrivateAnonymous,
            pages: None,
        }
    }

    fn space(end: u64) -> AddressSpace {
        AddressSpace { bits: 64, range: Range { start: Address(0x1000), end: Address(end) } }
    }

    #[test]
    fn the_largest_holes_come_in_order_and_no_more_than_there_is_room_for() {
        let mut top = [FreeRange::default(); 2];
        let mut outline = Outline::new(space(0x10_000), &mut top);
        for (start, end) in [(0x2000, 0x3000), (0x5000, 0x6000), (0x7000, 0x8000)] {
            outline.push(&extent(start, end));
        }
        let (sums, held) = outline.finish();
        assert_eq!((sums.regions, sums.mapped, sums.free_ranges), (3, Bytes(0x3000), 4));
        assert_eq!((sums.free, sums.largest.start), (Bytes(0xc000), Address(0x8000)));
        assert_eq!((held, top.map(|hole| hole.start)), (2, [Address(0x8000), Address(0x3000)]));
    }

    #[test]
    fn no_room_for_holes_is_no_reason_to_fail() {
        let mut outline = Outline::new(space(0x10_000), &mut []);
        outline.push(&extent(0x2000, 0x3000));
        let (sums, held) = outline.finish();
        assert_eq!((sums.free_ranges, held), (2, 0));
    }

    proptest! {
        /// Folded one by one or listed whole and sorted: the same holes, sums and order.
        #[test]
        fn it_agrees_with_the_list_of_all_holes(
            parts in prop::collection::vec((1_u64..9, 0_u64..9), 0..80), room in 0_usize..12,
        ) {
            let mut at = 0x1000;
            let ranges: Vec<(u64, u64)> = parts.iter().map(|(pages, gap)| {
                let start = at + gap * 0x1000;
                at = start + pages * 0x1000;
                (start, at)
            }).collect();
            let space = space(0x100_0000);
            let regions: Vec<Region> = ranges.iter().map(|&(start, end)| Region {
                range: Range { start: Address(start), end: Address(end) }, ..Region::default()
            }).collect();
            let whole = FreeSpace::of(&regions, space);
            let mut top = vec![FreeRange::default(); room];
            let mut outline = Outline::new(space, &mut top);
            for &(start, end) in &ranges {
                outline.push(&extent(start, end));
            }
            let (sums, held) = outline.finish();
            prop_assert_eq!(&top[..held], &whole.top(room)[..]);
            prop_assert_eq!((sums.free, sums.free_ranges), (whole.total, whole.ranges));
            prop_assert_eq!((sums.largest.size, sums.largest.start), (whole.largest, whole.largest_at()));
            prop_assert_eq!(sums.free + sums.mapped, space.range.size());
        }
    }
}
