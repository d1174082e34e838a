use std::ops::ControlFlow;

use residue_model::{Address, Bytes};

use super::{Hits, Match, Pattern};

/// So much is looked at between two ticks.
const STEP: usize = 16 * 1024 * 1024;

/// What is kept around a match for people to read.
const BEFORE: usize = 16;
const AROUND: usize = 96;

/// One region as it passes by, piece by piece.
pub(super) struct Scan<'a> {
    pattern: &'a Pattern,
    region: usize,
    limit: usize,
    hits: &'a mut Hits,
    read: Bytes,
    /// The end of what has been seen, where a match may have begun; it stands right below `next`.
    tail: Vec<u8>,
    next: Address,
    /// Behind the last match: matches do not overlap.
    free_from: Address,
}

impl<'a> Scan<'a> {
    pub(super) fn new(pattern: &'a Pattern, region: usize, limit: usize, hits: &'a mut Hits) -> Scan<'a> {
        let (next, free_from) = (Address(0), Address(0));
        Scan { pattern, region, limit, hits, read: Bytes::ZERO, tail: Vec::new(), next, free_from }
    }

    /// Looks at the next piece, which touches the one before or stands above it.
    pub(super) fn piece(
        &mut self,
        at: Address,
        piece: &[u8],
        tick: &mut dyn FnMut(Bytes) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let reach = self.pattern.longest().saturating_sub(1);
        if at != self.next {
            self.tail.clear();
        }
        self.across(at, &piece[..piece.len().min(reach)]);
        let mut from = 0;
        while from < piece.len() {
            let end = from.saturating_add(STEP).min(piece.len());
            let seen = end.saturating_add(reach).min(piece.len());
            self.inside(at, piece, from, end, seen);
            tick(Bytes((end - from) as u64))?;
            from = end;
        }
        self.read += Bytes(piece.len() as u64);
        self.keep_tail(piece, reach);
        self.next = Address(at.0.saturating_add(piece.len() as u64));
        ControlFlow::Continue(())
    }

    /// How much was read.
    pub(super) fn finish(self) -> Bytes {
        self.read
    }

    /// Matches that begin in the tail of the pieces before and end in this one.
    fn across(&mut self, at: Address, head: &[u8]) {
        if self.tail.is_empty() || head.is_empty() {
            return;
        }
        let border = self.tail.len();
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(head);
        let start = Address(at.0 - border as u64);
        let mut from = self.skip(start, 0);
        while let Some((found, end)) = self.pattern.find(&joined, from, start) {
            if found >= border {
                break;
            }
            if end > border {
                self.add(start, &joined, found, end);
            }
            from = end.max(found + 1);
        }
        joined.truncate(border);
        self.tail = joined;
    }

    /// Matches that begin in `from..end` of a piece; they may reach up to `seen`.
    fn inside(&mut self, at: Address, piece: &[u8], from: usize, end: usize, seen: usize) {
        let mut from = self.skip(at, from);
        while let Some((found, behind)) = self.pattern.find(&piece[..seen], from, at) {
            if found >= end {
                break;
            }
            self.add(at, piece, found, behind);
            from = behind.max(found + 1);
        }
    }

    /// The first place at or behind `from` that no match covers.
    fn skip(&self, start: Address, from: usize) -> usize {
        let covered = self.free_from.0.saturating_sub(start.0);
        from.max(usize::try_from(covered).unwrap_or(usize::MAX))
    }

    fn add(&mut self, start: Address, bytes: &[u8], found: usize, end: usize) {
        let address = Address(start.0 + found as u64);
        self.free_from = Address(start.0 + end.max(found + 1) as u64);
        let region = self.region;
        let keep = || {
            let from = found.saturating_sub(BEFORE);
            let to = bytes.len().min(from + AROUND);
            let around = bytes[from..to].to_vec();
            Match { address, region, around, at: found - from, length: end.min(to) - found.min(to) }
        };
        self.hits.add(region, self.limit, keep, address);
    }

    fn keep_tail(&mut self, piece: &[u8], reach: usize) {
        // A piece that is shorter than a match leaves some of what stood before it.
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(reach)..]);
        let excess = self.tail.len().saturating_sub(reach);
        self.tail.drain(..excess);
    }
}
