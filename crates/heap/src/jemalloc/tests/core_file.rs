//! As much of an ELF core as the tests need: its writable memory. Source: `elf(5)`.

use residue_model::{Address, Pieces, Protection, Range, Region};

/// The memory that a core holds.
pub(super) struct CoreFile {
    pub(super) bytes: Vec<u8>,
    pub(super) regions: Vec<Region>,
    /// Where each region stands in the file.
    saved: Vec<std::ops::Range<usize>>,
}

impl CoreFile {
    pub(super) fn parse(bytes: Vec<u8>) -> CoreFile {
        let number = |at: u64, width: u64| {
            let at = usize::try_from(at).expect("an offset");
            let mut word = [0; 8];
            let width = usize::try_from(width).expect("a width");
            word[..width].copy_from_slice(&bytes[at..at + width]);
            u64::from_le_bytes(word)
        };
        let (mut regions, mut saved) = (Vec::new(), Vec::new());
        for index in 0..number(56, 2) {
            let header = number(32, 8) + index * number(54, 2);
            let [offset, start, _, held, size] = [8, 16, 24, 32, 40].map(|field| number(header + field, 8));
            let flags = number(header + 4, 4);
            if number(header, 4) != 1 || flags & 2 == 0 {
                continue;
            }
            let range = Range { start: Address(start), end: Address(start + size) };
            let protection = Protection { read: true, write: true, ..Protection::default() };
            regions.push(Region { range, protection, ..Region::default() });
            let from = usize::try_from(offset).expect("an offset");
            saved.push(from..from + usize::try_from(held).expect("a size"));
        }
        CoreFile { bytes, regions, saved }
    }

    pub(super) fn pieces(&self) -> Pieces<'_> {
        let starts = self.regions.iter().map(|region| region.range.start);
        Pieces(starts.zip(self.saved.iter().map(|range| &self.bytes[range.clone()])).collect())
    }
}
