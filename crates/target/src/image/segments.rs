use std::ops::ControlFlow;

use residue_model::{Address, Bytes, Memory, Pieces, Range, Visit};

use super::{Claim, Mapped, part};

/// Memory of the process that stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it stood in the process.
    pub(crate) range: Range,
    /// Where it stands in the file; all of it does.
    pub(crate) offset: u64,
}

impl Claim for Segment {
    fn range(&self) -> Range {
        self.range
    }

    fn begin(&mut self, start: Address) {
        self.offset += start.0 - self.range.start.0;
        self.range.start = start;
    }
}

/// The memory that a dump holds.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    file: Mapped,
    held: Vec<Segment>,
}

impl Segments {
    /// Puts segments in order of address. Where several claim the same address, the one that begins first has it;
    /// the second value says how many bytes that took from others.
    ///
    /// Every segment must lie inside the file: see [`within`].
    pub(crate) fn new(file: Mapped, mut held: Vec<Segment>) -> (Segments, Bytes) {
        let overlap = part(&mut held);
        (Segments { file, held }, overlap)
    }

    /// The whole file.
    pub(crate) fn file(&self) -> &[u8] {
        &self.file
    }

    /// What is held, in order of address.
    pub(crate) fn held(&self) -> &[Segment] {
        &self.held
    }

    /// How much is held of a range.
    pub(crate) fn saved(&self, range: Range) -> Bytes {
        self.overlapping(range).map(|(_, part)| part.size()).sum()
    }

    /// How much is held in all.
    pub(crate) fn total(&self) -> Bytes {
        self.held.iter().map(|segment| segment.range.size()).sum()
    }

    /// All that is held, in place, in order of address.
    pub(crate) fn pieces(&self) -> Pieces<'_> {
        Pieces(
            self.held
                .iter()
                .map(|segment| (segment.range.start, self.bytes(segment, segment.range)))
                .collect(),
        )
    }

    fn bytes(&self, segment: &Segment, part: Range) -> &[u8] {
        let from = usize::try_from(segment.offset).expect("a mapped file is smaller than our address space");
        let at = segment.range.offset_of(part);
        &self.file[from + at.start..from + at.end]
    }

    fn overlapping(&self, range: Range) -> impl Iterator<Item = (&Segment, Range)> {
        let first = self.held.partition_point(|segment| segment.range.end <= range.start);
        self.held[first..].iter().map_while(move |segment| Some((segment, segment.range.overlap(range)?)))
    }
}

impl Memory for Segments {
    fn walk(&self, range: Range, _: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        for (segment, part) in self.overlapping(range) {
            visit(part.start, self.bytes(segment, part))?;
        }
        ControlFlow::Continue(())
    }
}

/// The part of `size` bytes at `offset` that a file of `length` bytes holds.
pub(crate) fn within(length: u64, offset: u64, size: u64) -> u64 {
    length.saturating_sub(offset).min(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start: u64, end: u64, offset: u64) -> Segment {
        Segment { range: Range { start: Address(start), end: Address(end) }, offset }
    }

    #[test]
    fn an_address_belongs_to_one_segment() {
        let held =
            vec![segment(0x3000, 0x4000, 0), segment(0x1000, 0x2800, 50), segment(0x2000, 0x3800, 100)];
        let (segments, overlap) = Segments::new(Mapped::default(), held);
        assert_eq!(
            segments.held(),
            [
                segment(0x1000, 0x2800, 50),
                segment(0x2800, 0x3800, 100 + 0x800),
                segment(0x3800, 0x4000, 0x800)
            ]
        );
        assert_eq!(overlap, Bytes(0x800 + 0x800));
        assert_eq!(segments.total(), Bytes(0x3000));
        assert_eq!(segments.saved(Range { start: Address(0x2700), end: Address(0x2900) }), Bytes(0x200));
        assert_eq!(segments.saved(Range { start: Address(0x4000), end: Address(0x9000) }), Bytes::ZERO);
    }

    #[test]
    fn what_lies_behind_the_end_of_the_file_is_not_there() {
        assert_eq!(within(100, 90, 20), 10);
        assert_eq!(within(100, 200, 20), 0);
        assert_eq!(within(100, u64::MAX, u64::MAX), 0);
    }
}
