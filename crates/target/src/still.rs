//! A target held still: memory that stands in place, and the threads as they stood in that moment.

use std::time::Duration;

use memmap2::MmapMut;
use residue_model::{Bytes, Pieces, Range, Snapshot, Stop, Thread};

use crate::image::Segments;
use crate::{Estimate, Result, Target};

/// How a running process is held still. A dump stands by itself, whatever is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stillness<'a> {
    /// All its threads stand while its memory is copied.
    #[default]
    Stopped,
    /// It runs on while its memory is copied: what is seen together may never have been so.
    Running,
    /// It stands while it forks, and the copy is made of the child.
    Forked,
    /// A debugger holds all its threads, and tells their registers: see [`held::parse`](crate::held::parse).
    Held(&'a [Thread]),
}

/// How far the holding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StillProgress {
    /// What it will cost, told before anything is stopped.
    Estimated(Estimate),
    /// All threads stand.
    Stopped,
    /// All threads run again. So long they stood.
    Resumed(Duration),
}

/// A target that does not change while it is examined.
#[derive(Debug)]
pub struct Still<'a> {
    /// Regions, and threads with their registers where there are any, of the same moment as the memory. What of the
    /// memory could not be had is among the gaps.
    pub snapshot: Snapshot,
    /// What it cost; `None` of a dump, which waits for nobody.
    pub stop: Option<Stop>,
    held: Held<'a>,
}

#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only processes of Linux are copied yet"))]
enum Held<'a> {
    /// In the file of a dump.
    Filed(&'a Segments),
    Copied(Copied),
}

impl<'a> Still<'a> {
    /// A dump, whose memory stands in its file.
    pub(crate) fn dump(target: &dyn Target, segments: &'a Segments) -> Result<Still<'a>> {
        Ok(Still { snapshot: target.snapshot()?, stop: None, held: Held::Filed(segments) })
    }

    /// A running process whose memory was copied.
    #[cfg(target_os = "linux")]
    pub(crate) fn copied(snapshot: Snapshot, stop: Stop, copied: Copied) -> Still<'a> {
        Still { snapshot, stop: Some(stop), held: Held::Copied(copied) }
    }

    /// Every byte that is held, in place, in order of address.
    ///
    /// Of a running process that is what it may read and has touched: private memory, shared memory that it may also
    /// write, and pages of files that differ from the file. What is missing inside a region without a file was never
    /// written, and is zero.
    pub fn pieces(&self) -> Pieces<'_> {
        match &self.held {
            Held::Filed(segments) => segments.pieces(),
            Held::Copied(copied) => copied.pieces(),
        }
    }
}

/// Memory of a process that was copied.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only processes of Linux are copied yet"))]
pub(crate) struct Copied {
    bytes: MmapMut,
    /// In order of address, each with its place in the bytes.
    extents: Vec<(Range, usize)>,
}

impl Copied {
    /// Runs that stand one behind the other in `bytes`, without the ranges that could not be read. Both are in order.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(bytes: MmapMut, runs: &[Range], unreadable: &[Range]) -> Copied {
        let mut extents = Vec::with_capacity(runs.len() + unreadable.len());
        let (mut place, mut holes) = (0, unreadable.iter().peekable());
        for run in runs {
            let mut from = run.start;
            let mut add = |start, end| {
                if start < end {
                    let part = Range { start, end };
                    join(&mut extents, part, place + run.offset_of(part).start);
                }
            };
            while let Some(hole) = holes.next_if(|hole| hole.start < run.end) {
                add(from, hole.start);
                from = from.max(hole.end);
            }
            add(from, run.end);
            place += run.offset_of(*run).end;
        }
        Copied { bytes, extents }
    }

    /// How much it is.
    #[cfg(target_os = "linux")]
    pub(crate) fn size(&self) -> Bytes {
        self.extents.iter().map(|(range, _)| range.size()).sum()
    }

    fn pieces(&self) -> Pieces<'_> {
        let piece = |&(range, place): &(Range, usize)| {
            let size = range.offset_of(range).end;
            (range.start, &self.bytes[place..place + size])
        };
        Pieces(self.extents.iter().map(piece).collect())
    }
}

#[cfg(target_os = "linux")]
fn join(extents: &mut Vec<(Range, usize)>, range: Range, place: usize) {
    match extents.last_mut() {
        Some((last, first)) if last.end == range.start && *first + last.offset_of(*last).end == place => {
            last.end = range.end;
        }
        _ => extents.push((range, place)),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use residue_model::Address;

    use super::*;

    fn range(start: u64, end: u64) -> Range {
        Range { start: Address(start), end: Address(end) }
    }

    #[test]
    fn what_could_not_be_read_is_a_hole_and_its_neighbours_keep_their_place() {
        let mut bytes = MmapMut::map_anon(0x5000).expect("memory is there");
        for (page, bytes) in (1_u8..).zip(bytes.chunks_exact_mut(0x1000)) {
            bytes.fill(page);
        }
        let runs = [range(0x1000, 0x3000), range(0x3000, 0x4000), range(0x9000, 0xb000)];
        let copied = Copied::of(bytes, &runs, &[range(0x2000, 0x3000), range(0xa000, 0xb000)]);

        let told: Vec<_> =
            copied.pieces().0.iter().map(|(start, piece)| (start.0, piece.len(), piece[0])).collect();
        assert_eq!(told, [(0x1000, 0x1000, 1), (0x3000, 0x1000, 3), (0x9000, 0x1000, 4)]);
        assert_eq!(copied.size(), Bytes(0x3000));
    }

    #[test]
    fn neighbours_are_one_piece() {
        let bytes = MmapMut::map_anon(0x3000).expect("memory is there");
        let copied = Copied::of(bytes, &[range(0x1000, 0x2000), range(0x2000, 0x4000)], &[]);
        assert_eq!(copied.extents, [(range(0x1000, 0x4000), 0)]);
    }
}
