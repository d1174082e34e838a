use crate::{Address, Bits, Bytes, Range};

/// What an allocator handed out, and what it holds ready: millions of blocks in a few bits each.
///
/// Sizes are not stored where they follow from the block behind. Every block has a number that says where it stands; who
/// wants to remember something of each block takes a row of [`Blocks::places`] bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// In order of address.
    runs: Vec<Run>,
    places: u64,
}

/// The number of a block among all [`Blocks`]. Numbers grow with addresses, with gaps between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u64);

/// A block: what the program may use, without the allocator's own words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub id: BlockId,
    /// The bytes that the program may use.
    pub range: Range,
    /// It was handed out and not given back.
    pub live: bool,
}

impl Block {
    /// Usable bytes, as `malloc_usable_size(3)` says.
    pub fn size(&self) -> Bytes {
        self.range.size()
    }
}

/// A stretch of memory that one allocator parts into blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where its blocks stand, the allocator's words around them counted.
    range: Range,
    shape: Shape,
    live: Bits,
    /// The number of its first place.
    first: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// One behind the other, of any size. A bit stands for each unit at which one begins; a block reaches from `head`
    /// bytes behind its beginning to `tail` bytes behind the beginning of the next.
    Packed { starts: Bits, head: u64, tail: u64 },
    /// All of one size: `usable` bytes, `head` bytes behind each multiple of `stride`.
    Slots { stride: u64, head: u64, usable: u64 },
    /// Each where it is said to be, in order.
    Listed(Vec<Range>),
}

/// Packed blocks begin at multiples of this. Source: `MALLOC_ALIGNMENT` of 64-bit glibc.
const UNIT: u64 = 16;

impl Run {
    /// Blocks one behind the other, of which none is known yet. `range` begins where the first of them does, a multiple of
    /// sixteen.
    ///
    /// For glibc, a block begins with the words of its chunk: it may use what stands 16 bytes behind (`head`), and 8 bytes
    /// of the next chunk (`tail`).
    pub fn packed(range: Range, head: u64, tail: u64) -> Run {
        let units = range.size().0.div_ceil(UNIT);
        Run {
            range,
            shape: Shape::Packed { starts: Bits::new(units), head, tail },
            live: Bits::new(units),
            first: 0,
        }
    }

    /// Blocks of one size, none of them live yet: each may use `usable` bytes, `head` bytes behind the beginning of its
    /// slot of `stride` bytes.
    ///
    /// # Panics
    /// When `stride` is 0.
    pub fn slots(range: Range, stride: u64, head: u64, usable: u64) -> Run {
        assert!(stride > 0, "a slot has a size");
        let count = range.size().0 / stride;
        Run { range, shape: Shape::Slots { stride, head, usable }, live: Bits::new(count), first: 0 }
    }

    /// Live blocks wherever they are, in order of address and without overlap.
    pub fn listed(range: Range, blocks: Vec<Range>) -> Run {
        let mut live = Bits::new(blocks.len() as u64);
        (0..blocks.len() as u64).for_each(|index| live.set(index));
        Run { range, shape: Shape::Listed(blocks), live, first: 0 }
    }

    /// One live block that has the run for itself.
    pub fn single(range: Range, head: u64, usable: u64) -> Run {
        let mut run = Run::slots(range, range.size().0.max(1), head, usable);
        run.live.set(0);
        run
    }

    /// Where its blocks stand, the allocator's words around them counted.
    pub fn range(&self) -> Range {
        self.range
    }

    /// Ends it earlier than was thought.
    pub fn shorten(&mut self, end: Address) {
        self.range.end = self.range.end.min(end).max(self.range.start);
    }

    /// Says that a packed block, live or not, begins here: at the allocator's first word of it.
    #[inline]
    pub fn begin(&mut self, address: Address) {
        let unit = self.unit(address);
        if let Shape::Packed { starts, .. } = &mut self.shape {
            starts.set(unit);
        }
    }

    /// Whether a packed block begins here.
    #[inline]
    pub fn begins(&self, address: Address) -> bool {
        match &self.shape {
            Shape::Packed { starts, .. } => {
                self.range.contains(address)
                    && (address.0 - self.range.start.0).is_multiple_of(UNIT)
                    && starts.get(self.unit(address))
            }
            _ => false,
        }
    }

    /// Where the packed block behind the one that begins here begins.
    pub fn next_begin(&self, address: Address) -> Option<Address> {
        match &self.shape {
            Shape::Packed { starts, .. } => {
                let next = starts.next(self.unit(address) + 1)?;
                Some(Address(self.range.start.0 + next * UNIT))
            }
            _ => None,
        }
    }

    /// Says that the packed block that begins here, or the slot at this address, is live or not.
    #[inline]
    pub fn set_live(&mut self, address: Address, live: bool) {
        let place = match &self.shape {
            Shape::Packed { .. } => self.unit(address),
            Shape::Slots { stride, .. } => (address.0 - self.range.start.0) / stride,
            Shape::Listed(blocks) => blocks.partition_point(|block| block.end <= address) as u64,
        };
        if live { self.live.set(place) } else { self.live.clear(place) }
    }

    /// Whether the packed block that begins here is live.
    #[inline]
    pub fn is_live(&self, address: Address) -> bool {
        self.range.contains(address) && self.live.get(self.unit(address))
    }

    #[inline]
    fn unit(&self, address: Address) -> u64 {
        address.0.wrapping_sub(self.range.start.0) / UNIT
    }

    fn places(&self) -> u64 {
        self.live.len()
    }

    /// The place of the block that an address lies in, inside what the program may use, and whether it is its start.
    #[inline]
    fn place_of(&self, address: Address) -> Option<(u64, bool)> {
        let offset = address.0.checked_sub(self.range.start.0)?;
        match &self.shape {
            Shape::Packed { starts, head, tail } => {
                let unit = starts.last(offset.checked_sub(*tail)? / UNIT)?;
                let inside = offset.checked_sub(unit * UNIT + head)?;
                Some((unit, inside == 0))
            }
            Shape::Slots { stride, head, usable } => {
                let inside = (offset % stride).checked_sub(*head)?;
                let place = offset / stride;
                (inside < *usable && place < self.places()).then_some((place, inside == 0))
            }
            Shape::Listed(blocks) => {
                let place = blocks.partition_point(|block| block.end <= address);
                let block = blocks.get(place).filter(|block| block.contains(address))?;
                Some((place as u64, block.start == address))
            }
        }
    }

    #[inline]
    fn bytes_of(&self, place: u64) -> Range {
        let base = self.range.start.0;
        let range = |start: u64, end: u64| Range { start: Address(start), end: Address(end.max(start)) };
        match &self.shape {
            Shape::Packed { starts, head, tail } => {
                let start = base + place * UNIT + head;
                let end = starts.next(place + 1).map_or(self.range.end.0, |next| base + next * UNIT + tail);
                range(start, end)
            }
            Shape::Slots { stride, head, usable } => {
                let start = base + place * stride + head;
                range(start, start.saturating_add(*usable))
            }
            Shape::Listed(blocks) => blocks[usize::try_from(place).unwrap_or(usize::MAX)],
        }
    }

    /// The places at which a block begins, live or not.
    fn starts(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match &self.shape {
            Shape::Packed { starts, .. } => Box::new(starts.ones()),
            _ => Box::new(0..self.places()),
        }
    }
}

/// Where the block that an address lies in is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub id: BlockId,
    /// Which run it stands in.
    pub run: u32,
    /// The address is the start of what the program may use.
    pub is_start: bool,
}

impl Blocks {
    /// Puts runs in order. Of two that overlap, the one that begins later is left out: it is given back.
    pub fn new(mut runs: Vec<Run>) -> (Blocks, Vec<Run>) {
        runs.sort_by_key(|run| (run.range.start, std::cmp::Reverse(run.range.end)));
        let mut blocks = Blocks::default();
        let mut refused = Vec::new();
        let mut end = Address(0);
        for mut run in runs {
            if run.range.start < end {
                refused.push(run);
                continue;
            }
            end = run.range.end;
            run.first = blocks.places;
            blocks.places += run.places();
            blocks.runs.push(run);
        }
        (blocks, refused)
    }

    /// The runs, in order of address.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Takes the runs apart again.
    pub fn into_runs(self) -> Vec<Run> {
        self.runs
    }

    /// Block numbers are below this.
    pub fn places(&self) -> u64 {
        self.places
    }

    /// From the first run to the last.
    pub fn extent(&self) -> Range {
        match (self.runs.first(), self.runs.last()) {
            (Some(first), Some(last)) => Range { start: first.range.start, end: last.range.end },
            _ => Range::default(),
        }
    }

    /// Reads what [`Blocks::find_live`] will need, and gives something of it: who has many addresses to look for touches
    /// them all first, so that the processor fetches side by side what it would otherwise wait for one by one.
    #[inline]
    pub fn touch(&self, address: Address, hint: u32) -> (u64, BlockId) {
        let Some(run) = self.runs.get(hint as usize).filter(|run| run.range.contains(address)) else {
            return (0, BlockId(0));
        };
        let Shape::Packed { starts, .. } = &run.shape else { return (0, BlockId(run.first)) };
        let unit = run.unit(address);
        (starts.word_of(unit) ^ run.live.word_of(unit), BlockId(run.first + unit))
    }

    /// The live block that an address lies in. `hint` is the run of the last answer, where most are found again.
    #[inline]
    pub fn find_live(&self, address: Address, hint: &mut u32) -> Option<Found> {
        let mut index = *hint as usize;
        if !self.runs.get(index).is_some_and(|run| run.range.contains(address)) {
            index = self.runs.partition_point(|run| run.range.end <= address);
            if !self.runs.get(index)?.range.contains(address) {
                return None;
            }
            #[allow(
                clippy::cast_possible_truncation,
                reason = "runs take more memory than there is before that"
            )]
            {
                *hint = index as u32;
            }
        }
        let run = &self.runs[index];
        let (place, is_start) = run.place_of(address)?;
        run.live.get(place).then_some(Found { id: BlockId(run.first + place), run: *hint, is_start })
    }

    /// The bytes of a block of which the run is known.
    #[inline]
    pub fn bytes(&self, run: u32, id: BlockId) -> Range {
        let run = &self.runs[run as usize];
        run.bytes_of(id.0 - run.first)
    }

    /// The block that an address lies in, live or not.
    pub fn at(&self, address: Address) -> Option<Block> {
        let index = self.runs.partition_point(|run| run.range.end <= address);
        let run = self.runs.get(index)?;
        let (place, _) = run.place_of(address)?;
        Some(run.block(place))
    }

    /// The block of a number.
    pub fn block(&self, id: BlockId) -> Block {
        let run = &self.runs[self.run_of(id) as usize];
        run.block(id.0 - run.first)
    }

    /// Which run holds a block.
    #[allow(clippy::cast_possible_truncation, reason = "runs take more memory than there is before that")]
    pub fn run_of(&self, id: BlockId) -> u32 {
        self.runs.partition_point(|run| run.first <= id.0).saturating_sub(1) as u32
    }

    /// The live ones, in order of address.
    pub fn live(&self) -> impl Iterator<Item = Block> + '_ {
        self.runs.iter().flat_map(|run| run.live.ones().map(|place| run.block(place)))
    }

    /// All that are known, in order of address.
    pub fn all(&self) -> impl Iterator<Item = Block> + '_ {
        self.runs.iter().flat_map(|run| run.starts().map(|place| run.block(place)))
    }

    /// How many are live.
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.live.count()).sum()
    }
}

impl Run {
    #[inline]
    fn block(&self, place: u64) -> Block {
        Block { id: BlockId(self.first + place), range: self.bytes_of(place), live: self.live.get(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> Range {
        Range { start: Address(start), end: Address(end) }
    }

    /// Two chunks of 0x20 and one of 0x30 bytes, then the top.
    fn chunks() -> Run {
        let mut run = Run::packed(range(0x1000, 0x1100), 16, 8);
        for start in [0x1000, 0x1020, 0x1040, 0x1070] {
            run.begin(Address(start));
        }
        run.set_live(Address(0x1000), true);
        run.set_live(Address(0x1040), true);
        run
    }

    #[test]
    fn a_packed_block_reaches_into_the_next() {
        let (blocks, _) = Blocks::new(vec![chunks()]);
        let sizes: Vec<_> = blocks.live().map(|block| (block.range.start.0, block.size().0)).collect();
        assert_eq!(sizes, [(0x1010, 24), (0x1050, 40)]);
        let find =
            |address| blocks.find_live(Address(address), &mut 0).map(|found| (found.id.0, found.is_start));
        assert_eq!(find(0x1010), Some((0, true)));
        assert_eq!(find(0x1027), Some((0, false)), "the first word of the next chunk is its own last");
        assert_eq!(find(0x1028), None, "the size of the next chunk belongs to nobody");
        assert_eq!(find(0x1030), None, "not live");
        assert_eq!(blocks.at(Address(0x1030)).map(|block| block.live), Some(false));
        assert_eq!(find(0x1008), None);
        assert_eq!(find(0x1100), None);
    }

    #[test]
    fn slots_know_where_they_end() {
        let mut slots = Run::slots(range(0x2000, 0x2100), 0x30, 0, 0x28);
        slots.set_live(Address(0x2030), true);
        let (blocks, refused) =
            Blocks::new(vec![slots, chunks(), Run::single(range(0x9000, 0xb000), 16, 0x1ff0)]);
        assert!(refused.is_empty());
        let ids: Vec<_> = blocks.live().map(|block| block.range.start.0).collect();
        assert_eq!(ids, [0x1010, 0x1050, 0x2030, 0x9010]);
        let mut hint = 0;
        let found = blocks.find_live(Address(0x2057), &mut hint).expect("the last byte of the slot");
        assert_eq!(
            (found.run, found.is_start, blocks.block(found.id).range),
            (1, false, range(0x2030, 0x2058))
        );
        assert_eq!(blocks.find_live(Address(0x2058), &mut hint), None);
        assert_eq!(blocks.find_live(Address(0x20f8), &mut hint), None, "no whole slot stands here");
        assert_eq!((blocks.count(), blocks.extent()), (4, range(0x1000, 0xb000)));
    }

    #[test]
    fn what_overlaps_is_left_out() {
        let listed = Run::listed(range(0x1080, 0x1200), vec![range(0x10a0, 0x10b0)]);
        let (blocks, refused) = Blocks::new(vec![listed.clone(), chunks()]);
        assert_eq!((blocks.runs().len(), refused.len()), (1, 1));
        let (blocks, _) = Blocks::new(vec![listed]);
        assert_eq!(blocks.find_live(Address(0x10a8), &mut 0).map(|found| found.is_start), Some(false));
        assert_eq!(blocks.find_live(Address(0x10b0), &mut 0), None);
    }
}
