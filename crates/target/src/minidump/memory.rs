use residue_model::{Address, Bytes, Gap, Range};

use super::directory::Directory;
use crate::image::{Segment, within};

/// `MemoryListStream` and `Memory64ListStream`.
const MEMORY: u32 = 5;
const MEMORY64: u32 = 9;

/// The memory that the two lists of a minidump name, as far as the file holds it.
pub(super) fn held(directory: &Directory<'_>, gaps: &mut Vec<Gap>) -> Vec<Segment> {
    let mut held = Held { length: directory.file.len() as u64, ..Held::default() };
    for list in directory.streams(MEMORY) {
        short_ranges(directory, list, &mut held);
    }
    for list in directory.streams(MEMORY64) {
        long_ranges(directory, list, &mut held);
    }
    if held.lost > Bytes::ZERO {
        gaps.push(Gap::new(
            format!("{} of memory in {} ranges", held.lost, held.cut),
            format!("the dump names them, but the file ends at byte {}: it was cut off", held.length),
        ));
    }
    if held.unlisted > 0 {
        gaps.push(Gap::new(
            format!("{} memory ranges that the dump counts", held.unlisted),
            "their list is shorter than its own count: it was cut off or damaged",
        ));
    }
    held.segments
}

#[derive(Default)]
struct Held {
    length: u64,
    segments: Vec<Segment>,
    /// What is named and not there.
    lost: Bytes,
    cut: u64,
    unlisted: u64,
}

impl Held {
    fn add(&mut self, start: u64, size: u64, offset: u64) {
        let size = size.min(u64::MAX - start);
        let there = within(self.length, offset, size);
        if there < size {
            self.lost += Bytes(size - there);
            self.cut += 1;
        }
        let range = Range { start: Address(start), end: Address(start + there) };
        // A thread's stack may be listed again under its own name.
        if there > 0 && self.segments.last() != Some(&Segment { range, offset }) {
            self.segments.push(Segment { range, offset });
        }
    }
}

/// A count, then a range each with its own place in the file.
fn short_ranges(directory: &Directory<'_>, list: &[u8], held: &mut Held) {
    const ENTRY: usize = 16;
    let (entries, missing) = directory.entries(list, ENTRY);
    held.unlisted = held.unlisted.saturating_add(missing);
    for entry in entries {
        let number = |at, size| directory.number(entry, at, size).unwrap_or_default();
        held.add(number(0, 8), number(8, 4), number(12, 4));
    }
}

/// A count, where memory begins in the file, then ranges that stand there one behind the other.
fn long_ranges(directory: &Directory<'_>, list: &[u8], held: &mut Held) {
    const ENTRY: usize = 16;
    let (Some(count), Some(mut offset)) = (directory.number(list, 0, 8), directory.number(list, 8, 8)) else {
        return;
    };
    let entries = list.get(16..).unwrap_or_default().chunks_exact(ENTRY);
    held.unlisted = held.unlisted.saturating_add(count.saturating_sub(entries.len() as u64));
    for entry in entries.take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let number = |at| directory.number(entry, at, 8).unwrap_or_default();
        let size = number(8);
        held.add(number(0), size, offset);
        offset = offset.saturating_add(size);
    }
}
