use residue_model::{Address, AddressSpace, Bytes, FreeSize, Range, Region};
use serde::Serialize;

/// A hole between regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FreeRange {
    /// Its first address.
    pub start: Address,
    /// The first address behind.
    pub end: Address,
    /// How far it reaches.
    pub size: Bytes,
}

/// The holes between ranges that come one by one, in order of address, within the bounds of an address space.
///
/// Ranges that overlap leave no hole, and holes that touch are one: nothing stands between them.
#[derive(Clone, Copy, Debug)]
pub struct Holes {
    at: Address,
    end: Address,
}

impl Holes {
    /// Before the first range.
    pub fn of(space: AddressSpace) -> Holes {
        Holes { at: space.range.start, end: space.range.end }
    }

    /// The hole in front of the next range.
    pub fn before(&mut self, range: Range) -> Option<FreeRange> {
        let hole = hole(self.at, range.start.min(self.end));
        self.at = self.at.max(range.end);
        hole
    }

    /// The hole behind the last range.
    pub fn last(self) -> Option<FreeRange> {
        hole(self.at, self.end)
    }
}

fn hole(start: Address, end: Address) -> Option<FreeRange> {
    (start < end).then(|| FreeRange { start, end, size: Bytes(end.0 - start.0) })
}

/// How much is free between regions in order of address, and how large a piece.
pub fn free_size(regions: &[Region], space: AddressSpace) -> FreeSize {
    let mut holes = Holes::of(space);
    let mut free = FreeSize::default();
    let mut add = |hole: FreeRange| {
        free.total += hole.size;
        free.largest = free.largest.max(hole.size);
    };
    regions.iter().filter_map(|region| holes.before(region.range)).for_each(&mut add);
    holes.last().into_iter().for_each(add);
    free
}

/// The address space that nothing uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FreeSpace {
    /// All of it.
    pub total: Bytes,
    /// The largest range: no single mapping can be larger.
    pub largest: Bytes,
    /// How many ranges.
    pub ranges: u64,
    /// How much of the free space is out of reach of one mapping as large as can be: 0 when all is in one range, towards
    /// 1 when it lies in crumbs.
    pub index: f64,
    /// All ranges in order of address.
    #[serde(skip)]
    pub all: Vec<FreeRange>,
}

impl FreeSpace {
    /// The holes between regions, within the bounds of the address space.
    ///
    /// Regions must be in order of address; overlapping ones leave no hole.
    pub fn of(regions: &[Region], space: AddressSpace) -> FreeSpace {
        let mut free = FreeSpace::default();
        let mut holes = Holes::of(space);
        for region in regions {
            free.extend(holes.before(region.range));
        }
        free.extend(holes.last());
        if free.total > Bytes::ZERO {
            free.index = 1.0 - free.largest.share_of(free.total);
        }
        free
    }

    fn extend(&mut self, hole: Option<FreeRange>) {
        let Some(hole) = hole else { return };
        self.total += hole.size;
        self.largest = self.largest.max(hole.size);
        self.ranges += 1;
        self.all.push(hole);
    }

    /// Where the largest range begins: the lowest of several.
    pub fn largest_at(&self) -> Address {
        self.all.iter().find(|range| range.size == self.largest).map(|range| range.start).unwrap_or_default()
    }

    /// The `count` largest ranges.
    pub fn top(&self, count: usize) -> Vec<FreeRange> {
        let mut ranges = self.all.clone();
        ranges.sort_by(|a, b| b.size.cmp(&a.size).then(a.start.cmp(&b.start)));
        ranges.truncate(count);
        ranges
    }

    /// Whether a mapping may fail although enough is free: the largest range is below a tenth of the free space, and
    /// small enough to matter; below a quarter, where it is so small that common requests fail.
    pub fn is_crumbled(&self) -> bool {
        self.index > 0.9 && self.largest < Bytes::gib(1)
            || self.index > 0.75 && self.largest < Bytes::mib(128)
    }
}

#[cfg(test)]
mod tests {
    use residue_model::Range;

    use super::*;

    fn region(start: u64, end: u64) -> Region {
        Region { range: Range { start: Address(start), end: Address(end) }, ..Region::default() }
    }

    fn space(start: u64, end: u64) -> AddressSpace {
        AddressSpace { bits: 32, range: Range { start: Address(start), end: Address(end) } }
    }

    #[test]
    fn holes_begin_and_end_at_the_bounds_of_the_space() {
        let free = FreeSpace::of(&[region(0x2000, 0x3000), region(0x3000, 0x5000)], space(0x1000, 0x8000));
        assert_eq!((free.total, free.largest, free.ranges), (Bytes(0x4000), Bytes(0x3000), 2));
        assert!((free.index - 0.25).abs() < 1e-9);
    }

    #[test]
    fn the_kernels_own_page_above_the_space_is_no_hole() {
        let free = FreeSpace::of(&[region(0xffff_f000, 0xffff_ffff)], space(0x1000, 0x2000));
        assert_eq!((free.total, free.ranges), (Bytes(0x1000), 1));
    }

    #[test]
    fn overlapping_regions_leave_no_hole() {
        let free = FreeSpace::of(&[region(0x1000, 0x5000), region(0x2000, 0x3000)], space(0x1000, 0x6000));
        assert_eq!((free.total, free.ranges), (Bytes(0x1000), 1));
    }

    #[test]
    fn many_holes_and_none_large_is_crumbled() {
        let regions: Vec<Region> =
            (1..100_u64).map(|index| region(index << 24, (index << 24) + 0x1000)).collect();
        let free = FreeSpace::of(&regions, space(0x1000, 0x6400_0000));
        assert!(free.is_crumbled());
        assert_eq!(free.top(3).len(), 3);
        assert!(!FreeSpace::of(&[], space(0x1000, 0x6400_0000)).is_crumbled());
    }

    /// A 32-bit service with 500 MB free that cannot have 100 of them: five holes of 97 MB are no better than crumbs.
    #[test]
    fn a_few_holes_too_small_for_what_is_asked_are_crumbled() {
        let regions: Vec<Region> =
            (1..5_u64).map(|index| region(index * 0x610_0000, index * 0x610_0000 + 0x1_0000)).collect();
        let free = FreeSpace::of(&regions, space(0x1_0000, 5 * 0x610_0000));
        assert!(free.index < 0.9 && free.is_crumbled(), "{free:?}");
    }
}
