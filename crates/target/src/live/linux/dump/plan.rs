//! Which bytes of a stopped process stand where in its core.

use residue_model::{Address, Bytes, Gap, Protection, Range};

use crate::live::linux::map::Place;

/// A header of the core: addresses that it holds, or that it only names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) range: Range,
    pub(super) protection: Protection,
    /// The core holds it: what is not written of it is a hole in the file and reads as zeros.
    pub(super) saved: bool,
    /// Where it stands in the file.
    pub(super) offset: u64,
}

/// Memory to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) range: Range,
    pub(super) offset: u64,
    /// The program itself may not read it.
    pub(super) forced: bool,
}

impl Piece {
    /// The first bytes, and what is behind.
    pub(super) fn split(self, size: u64) -> (Piece, Piece) {
        let middle = Address(self.range.start.0 + size);
        let first = Piece { range: Range { end: middle, ..self.range }, ..self };
        let rest = Piece { range: Range { start: middle, ..self.range }, offset: self.offset + size, ..self };
        (first, rest)
    }
}

/// The layout of a core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) segments: Vec<Segment>,
    pub(super) pieces: Vec<Piece>,
    pub(super) gaps: Vec<Gap>,
}

/// What happens to a part of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its bytes are written.
    Copied,
    /// It is zero, and a hole in the file.
    Zero,
    /// The core does not hold it.
    Left,
}

/// The parts of a region, in order and without space between.
pub(super) type Parts = Vec<(Range, Fate)>;

/// An untouched run of this size is left out of a region that is mostly untouched: programs reserve terabytes, and few
/// file systems and no tool bear a file of that apparent size.
const GIGANTIC: Bytes = Bytes::gib(1);

/// A run of unmodified pages shorter than this is written along: headers to leave it out would save nothing, and small
/// data segments stay whole for those who read the core elsewhere.
const SHORT: u64 = 64 * 1024;

/// The parts of a region of which `runs` have a fate and the rest another.
pub(super) fn parts(whole: Range, runs: &[(Range, Fate)], rest: Fate) -> Parts {
    let mut parts = Parts::new();
    let mut at = whole.start;
    for (run, fate) in runs.iter().filter_map(|(run, fate)| Some((run.overlap(whole)?, *fate))) {
        add(&mut parts, Range { start: at, end: run.start }, rest);
        add(&mut parts, Range { start: run.start.max(at), end: run.end }, fate);
        at = at.max(run.end);
    }
    add(&mut parts, Range { start: at, end: whole.end }, rest);
    parts
}

fn add(parts: &mut Parts, range: Range, fate: Fate) {
    if range.start >= range.end {
        return;
    }
    match parts.last_mut() {
        Some((last, same)) if *same == fate => last.end = range.end,
        _ => parts.push((range, fate)),
    }
}

/// The same runs without the short spaces between copied ones.
pub(super) fn joined(runs: &[(Range, Fate)]) -> Parts {
    let mut joined = Parts::new();
    for (run, fate) in runs {
        match joined.last_mut() {
            Some((last, Fate::Copied))
                if *fate == Fate::Copied && run.start.0.saturating_sub(last.end.0) < SHORT =>
            {
                last.end = last.end.max(run.end);
            }
            _ => joined.push((*run, *fate)),
        }
    }
    joined
}

/// Leaves gigantic runs of zeros out of a region that holds little else, and says how much that was.
pub(super) fn leave_gigantic(parts: &mut Parts) -> Bytes {
    let size = |fate| parts.iter().filter(|part| part.1 == fate).map(|part| part.0.size()).sum::<Bytes>();
    if size(Fate::Copied) >= size(Fate::Zero) {
        return Bytes::ZERO;
    }
    let mut left = Bytes::ZERO;
    for (range, fate) in
        parts.iter_mut().filter(|(range, fate)| *fate == Fate::Zero && range.size() >= GIGANTIC)
    {
        *fate = Fate::Left;
        left += range.size();
    }
    left
}

impl Plan {
    /// Adds a region after all that come before it.
    pub(super) fn add(&mut self, place: &Place<'_>, parts: &[(Range, Fate)]) {
        let mut first = true;
        for &(range, fate) in parts {
            let saved = fate != Fate::Left;
            match self.segments.last_mut() {
                Some(last) if !first && last.saved == saved => last.range.end = range.end,
                _ => {
                    let protection = place.protection;
                    self.segments.push(Segment { range, protection, saved, offset: 0 });
                }
            }
            first = false;
            if fate == Fate::Copied {
                self.pieces.push(Piece { range, offset: 0, forced: !place.protection.read });
            }
        }
    }

    /// Gives each segment its place in the file from `offset` on, and returns where the last one ends.
    pub(super) fn place(&mut self, mut offset: u64) -> u64 {
        let mut pieces = self.pieces.iter_mut().peekable();
        for segment in &mut self.segments {
            segment.offset = offset;
            if !segment.saved {
                continue;
            }
            while let Some(piece) = pieces.next_if(|piece| piece.range.start < segment.range.end) {
                piece.offset = offset + (piece.range.start.0 - segment.range.start.0);
            }
            offset += segment.range.size().0;
        }
        offset
    }

    /// How much will be copied.
    pub(super) fn size(&self) -> Bytes {
        self.pieces.iter().map(|piece| piece.range.size()).sum()
    }
}

/// The segments with the ranges that could not be read taken out: a hole there would pass for zeros.
///
/// Both are in order. What is left stays where it stands in the file.
pub(super) fn without(segments: &[Segment], unreadable: &[Range]) -> Vec<Segment> {
    let mut result = Vec::with_capacity(segments.len() + 2 * unreadable.len());
    let mut holes = unreadable.iter().peekable();
    for segment in segments {
        let mut at = segment.range.start;
        let mut piece = |start: Address, end: Address, saved: bool| {
            if start < end {
                let offset = segment.offset + if segment.saved { start.0 - segment.range.start.0 } else { 0 };
                result.push(Segment { range: Range { start, end }, saved, offset, ..*segment });
            }
        };
        while let Some(hole) = holes.next_if(|hole| hole.start < segment.range.end) {
            piece(at, hole.start, segment.saved);
            piece(hole.start.max(at), hole.end, false);
            at = at.max(hole.end);
        }
        piece(at, segment.range.end, segment.saved);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::linux::map::Map;

    fn range(start: u64, end: u64) -> Range {
        Range { start: Address(start), end: Address(end) }
    }

    fn copied(start: u64, end: u64) -> (Range, Fate) {
        (range(start, end), Fate::Copied)
    }

    fn plan(line: &str, parts: &[(Range, Fate)]) -> Plan {
        let map = Map::parse(format!("{line}\n").into_bytes()).expect("a region");
        let mut plan = Plan::default();
        plan.add(&map.places().next().expect("one"), parts);
        plan
    }

    #[test]
    fn zeros_and_copies_share_a_segment_and_what_is_left_has_its_own() {
        let parts = [
            (range(0x1000, 0x2000), Fate::Zero),
            (range(0x2000, 0x3000), Fate::Copied),
            (range(0x3000, 0x9000), Fate::Left),
            (range(0x9000, 0xa000), Fate::Copied),
        ];
        let mut plan = plan("1000-a000 rw-p 0 00:00 0 ", &parts);
        let end = plan.place(0x10000);

        let told: Vec<_> = plan.segments.iter().map(|s| (s.range, s.saved, s.offset)).collect();
        assert_eq!(
            told,
            [
                (range(0x1000, 0x3000), true, 0x10000),
                (range(0x3000, 0x9000), false, 0x12000),
                (range(0x9000, 0xa000), true, 0x12000)
            ]
        );
        let offsets: Vec<u64> = plan.pieces.iter().map(|piece| piece.offset).collect();
        assert_eq!((offsets, end), (vec![0x11000, 0x12000], 0x13000));
        assert_eq!(plan.size(), Bytes(0x2000));
    }

    #[test]
    fn parts_cover_a_region_without_space_or_overlap() {
        let runs = [
            copied(0x800, 0x1800),
            copied(0x3000, 0x4000),
            copied(0x4000, 0x5000),
            (range(0x5000, 0x6000), Fate::Left),
        ];
        assert_eq!(
            parts(range(0x1000, 0x8000), &runs, Fate::Zero),
            [
                (range(0x1000, 0x1800), Fate::Copied),
                (range(0x1800, 0x3000), Fate::Zero),
                (range(0x3000, 0x5000), Fate::Copied),
                (range(0x5000, 0x6000), Fate::Left),
                (range(0x6000, 0x8000), Fate::Zero)
            ]
        );
    }

    #[test]
    fn short_unmodified_runs_are_written_along() {
        let runs = [copied(0x1000, 0x2000), copied(0x5000, 0x6000), copied(0x20000, 0x21000)];
        assert_eq!(joined(&runs), [copied(0x1000, 0x6000), copied(0x20000, 0x21000)]);
    }

    #[test]
    fn terabytes_that_nobody_touched_do_not_become_a_file_of_terabytes() {
        let whole = range(0, 1 << 40);
        let mut mostly_empty = parts(whole, &[copied(0x1000, 0x2000)], Fate::Zero);
        assert_eq!(leave_gigantic(&mut mostly_empty), Bytes((1 << 40) - 0x2000));
        assert_eq!(
            mostly_empty,
            [
                (range(0, 0x1000), Fate::Zero),
                (range(0x1000, 0x2000), Fate::Copied),
                (range(0x2000, 1 << 40), Fate::Left)
            ]
        );
        let mut mostly_full = parts(range(0, 5 << 30), &[copied(0, 3 << 30)], Fate::Zero);
        assert_eq!(leave_gigantic(&mut mostly_full), Bytes::ZERO);
    }

    #[test]
    fn a_page_that_cannot_be_read_is_taken_out_of_its_segment() {
        let mut plan = plan("1000-9000 rw-p 0 00:00 0 ", &[(range(0x1000, 0x9000), Fate::Copied)]);
        plan.place(0x10000);
        let rest = without(&plan.segments, &[range(0x1000, 0x2000), range(0x4000, 0x5000)]);
        let told: Vec<_> = rest.iter().map(|s| (s.range, s.saved, s.offset)).collect();
        assert_eq!(
            told,
            [
                (range(0x1000, 0x2000), false, 0x10000),
                (range(0x2000, 0x4000), true, 0x11000),
                (range(0x4000, 0x5000), false, 0x13000),
                (range(0x5000, 0x9000), true, 0x14000)
            ]
        );
    }
}
