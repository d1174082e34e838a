use crate::image::number;

/// Where streams stand in the file.
pub(super) struct Directory<'a> {
    pub(super) file: &'a [u8],
    entries: Vec<Entry>,
    pub(super) big_endian: bool,
}

struct Entry {
    kind: u32,
    start: usize,
    size: usize,
}

/// What a directory says of a stream.
pub(super) enum Stream<'a> {
    Absent,
    /// It lies outside of the file, or reaches beyond its end.
    Outside,
    Whole(&'a [u8]),
}

impl<'a> Directory<'a> {
    /// Reads as many entries as the file holds.
    ///
    /// Source: `MINIDUMP_HEADER`, `MINIDUMP_DIRECTORY`.
    pub(super) fn read(file: &'a [u8], big_endian: bool) -> Directory<'a> {
        const SIZE: usize = 12;
        let mut directory = Directory { file, entries: Vec::new(), big_endian };
        let count = directory.size(file, 8);
        let list = directory.size(file, 12).and_then(|start| file.get(start..)).unwrap_or_default();
        for entry in list.chunks_exact(SIZE).take(count.unwrap_or(0)) {
            let kind = directory.int(entry, 0).unwrap_or_default();
            let (Some(size), Some(start)) = (directory.size(entry, 4), directory.size(entry, 8)) else {
                continue;
            };
            directory.entries.push(Entry { kind, start, size });
        }
        directory
    }

    /// The streams of a kind, mostly one, each as far as the file holds it.
    pub(super) fn streams(&self, kind: u32) -> impl Iterator<Item = &'a [u8]> {
        self.entries.iter().filter(move |entry| entry.kind == kind).filter_map(|entry| {
            self.file.get(entry.start..entry.start.saturating_add(entry.size).min(self.file.len()))
        })
    }

    /// The stream of a kind, if all of it is in the file: where a list is cut, what it points at is gone too.
    pub(super) fn stream(&self, kind: u32) -> Stream<'a> {
        let Some(entry) = self.entries.iter().find(|entry| entry.kind == kind) else { return Stream::Absent };
        self.bytes(entry.start, entry.size).map_or(Stream::Outside, Stream::Whole)
    }

    /// Bytes anywhere in the file; none when not all of them are there.
    pub(super) fn bytes(&self, start: usize, size: usize) -> Option<&'a [u8]> {
        self.file.get(start..start.checked_add(size)?)
    }

    /// A number of up to eight bytes; none behind the end.
    pub(super) fn number(&self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        number(bytes, at, size, self.big_endian)
    }

    /// A number of four bytes.
    pub(super) fn int(&self, bytes: &[u8], at: usize) -> Option<u32> {
        self.number(bytes, at, 4).and_then(|number| u32::try_from(number).ok())
    }

    /// A number of four bytes that counts bytes or entries.
    pub(super) fn size(&self, bytes: &[u8], at: usize) -> Option<usize> {
        self.number(bytes, at, 4).and_then(|number| usize::try_from(number).ok())
    }

    /// A `MINIDUMP_STRING`: its length in bytes, then UTF-16; what is no text in it shows as such.
    pub(super) fn text(&self, start: usize) -> Option<String> {
        let size = self.size(self.file.get(start..)?, 0)?;
        let raw = self.bytes(start.checked_add(4)?, size)?;
        let unit = |pair: &[u8; 2]| {
            if self.big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
        };
        let units: Vec<u16> = raw.as_chunks::<2>().0.iter().map(unit).collect();
        Some(String::from_utf16_lossy(&units))
    }

    /// The entries of a list that begins with its count, as many as are there, and how many are missing.
    pub(super) fn entries(&self, list: &'a [u8], size: usize) -> (impl Iterator<Item = &'a [u8]>, u64) {
        let count = self.number(list, 0, 4).unwrap_or_default();
        // Some writers align the entries to eight bytes.
        let padded = list.len() as u64 == count.saturating_mul(size as u64).saturating_add(8);
        let entries = list.get(if padded { 8 } else { 4 }..).unwrap_or_default().chunks_exact(size);
        let missing = count.saturating_sub(entries.len() as u64);
        (entries.take(usize::try_from(count).unwrap_or(usize::MAX)), missing)
    }
}
