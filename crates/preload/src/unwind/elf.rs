//! What an image in memory says of itself in its ELF headers.

use core::mem::size_of;
use core::ops::Range;

use crate::sys;

const MAGIC: u32 = u32::from_le_bytes(*b"\x7fELF");
const PAGE: u64 = 4096;
const LOAD: u32 = 1;
const NOTE: u32 = 4;
const BUILD_ID: u32 = 3;
const EXECUTABLE: u32 = 1;

#[repr(C)]
struct Header {
    magic: u32,
    identity: [u8; 28],
    headers: u64,
    rest: [u8; 14],
    size: u16,
    count: u16,
}

#[repr(C)]
pub(super) struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    physical: u64,
    in_file: u64,
    in_memory: u64,
    align: u64,
}

/// The program headers that stand at the start of an image; empty when the page is none of them, or not all on it.
///
/// `start` is that of a loaded image; the page may still be one that cannot be read, which is asked of the kernel.
pub(super) fn segments(start: u64) -> &'static [Segment] {
    if start == 0 || !start.is_multiple_of(PAGE) || !sys::is_readable(start) {
        return &[];
    }
    // SAFETY: the page can be read, and is aligned; any bits are valid.
    let header = unsafe { &*(start as *const Header) };
    let end = header.headers.saturating_add(u64::from(header.count) * size_of::<Segment>() as u64);
    let is_whole =
        header.size as usize == size_of::<Segment>() && header.headers.is_multiple_of(8) && end <= PAGE;
    if header.magic != MAGIC || !is_whole {
        return &[];
    }
    // SAFETY: they stand on the same page, aligned.
    unsafe { core::slice::from_raw_parts((start + header.headers) as *const Segment, header.count.into()) }
}

/// The loaded range, as far as it comes from the file, that an address is in.
pub(super) fn loaded_around(segments: &[Segment], bias: u64, address: u64) -> Option<Range<u64>> {
    segments
        .iter()
        .filter(|segment| segment.kind == LOAD)
        .map(|segment| segment.range(bias))
        .find(|range| range.contains(&address))
}

/// The loaded range of code that an address is in.
pub(super) fn code_around(segments: &[Segment], bias: u64, address: u64) -> Option<Range<u64>> {
    segments
        .iter()
        .filter(|segment| segment.kind == LOAD && segment.flags & EXECUTABLE != 0)
        .map(|segment| segment.range(bias))
        .find(|range| range.contains(&address))
}

/// Where the first segment of some other kind than the loaded ones stands.
pub(super) fn address_of(segments: &[Segment], bias: u64, kind: u32) -> Option<u64> {
    segments.iter().find(|segment| segment.kind == kind).map(|segment| bias.wrapping_add(segment.address))
}

/// The whole range of an image, from a page on.
pub(super) fn extent(segments: &[Segment], bias: u64) -> Option<Range<u64>> {
    let loaded = || segments.iter().filter(|segment| segment.kind == LOAD);
    let start = loaded().map(|segment| segment.address).min()?;
    let end = loaded().map(|segment| segment.address.wrapping_add(segment.in_memory)).max()?;
    Some(bias.wrapping_add(start / PAGE * PAGE)..bias.wrapping_add(end))
}

/// So many bytes at an address of a loaded range; None when they are not all in it.
pub(super) fn bytes(loaded: &Range<u64>, address: u64, length: usize) -> Option<&'static [u8]> {
    let is_inside =
        address != 0 && address >= loaded.start && address.checked_add(length as u64)? <= loaded.end;
    // SAFETY: it is within what is loaded of the file, and that stays for as long as the image does.
    is_inside.then(|| unsafe { core::slice::from_raw_parts(address as *const u8, length) })
}

/// The bytes of the build id, from the notes; empty when there is none.
pub(super) fn build_id(segments: &[Segment], bias: u64) -> &'static [u8] {
    let notes = segments.iter().filter(|segment| segment.kind == NOTE).map(|segment| segment.range(bias));
    for range in notes {
        let notes = loaded_around(segments, bias, range.start)
            .and_then(|loaded| bytes(&loaded, range.start, (range.end - range.start) as usize));
        if let Some(id) = notes.and_then(find_build_id) {
            return id;
        }
    }
    &[]
}

impl Segment {
    fn range(&self, bias: u64) -> Range<u64> {
        let start = bias.wrapping_add(self.address);
        start..start.saturating_add(self.in_file)
    }
}

fn find_build_id(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let (header, rest) = notes.split_at_checked(12)?;
        let word = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_le_bytes(bytes)
        };
        let (name_length, length, kind) = (word(0) as usize, word(4) as usize, word(8));
        let (name, rest) = rest.split_at_checked(name_length.next_multiple_of(4))?;
        let id = rest.get(..length)?;
        if kind == BUILD_ID && name == b"GNU\0" {
            return Some(id);
        }
        notes = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_is_found_behind_other_notes() {
        let notes =
            b"\x04\0\0\0\x05\0\0\0\x01\0\0\0GNU\0abcde\0\0\0\x04\0\0\0\x02\0\0\0\x03\0\0\0GNU\0\xca\xfe\0\0";

        assert_eq!(find_build_id(notes), Some(&[0xca, 0xfe][..]));
        assert_eq!(find_build_id(&notes[..30]), None);
        assert_eq!(find_build_id(b"\xff\xff\xff\xff\xff\xff\xff\xff\x03\0\0\0GNU\0"), None);
    }

    #[test]
    fn a_page_that_is_no_image_has_no_segments() {
        assert!(segments(0).is_empty());
        assert!(segments(PAGE).is_empty());
        assert!(segments(0x10_0001).is_empty());
    }
}
