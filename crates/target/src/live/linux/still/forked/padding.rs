//! Where the stub stands meanwhile: bytes that the linker left between the end of a program's instructions and the end of
//! their last page. Nobody ever executes them; should they stay as they are, they do no harm.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use object::Endianness;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use residue_model::{Address, Range};

use super::stub;
use crate::live::linux::map::{Map, Place};

/// The largest run of unused bytes behind the instructions of a program or library, large enough for the stub.
pub(super) fn find(memory: &File, map: &Map) -> Option<Address> {
    let places: Vec<Place<'_>> = map.places().collect();
    let candidates = places.iter().filter(|place| is_program(place));
    let found = candidates.filter_map(|place| {
        let unused = behind_instructions(memory, first_of(&places, place)?, place)?;
        let room = usize::try_from(unused.size().0).ok()?;
        (room >= stub::size() && is_unused(memory, unused)).then_some((room, unused.start))
    });
    found.max().map(|(_, start)| start)
}

fn is_program(place: &Place<'_>) -> bool {
    let may = place.protection;
    let is_file = place.inode != 0 && place.name.starts_with(b"/") && !place.name.starts_with(b"/dev/");
    is_file && may.read && may.execute && !may.write && !may.shared
}

/// The mapping of the same file that holds its headers.
fn first_of<'a>(places: &'a [Place<'a>], place: &Place<'_>) -> Option<&'a Place<'a>> {
    let before = places.partition_point(|other| other.range.start <= place.range.start);
    let is_first = |other: &&Place<'_>| {
        other.inode == place.inode && other.name == place.name && other.offset.0 == 0 && other.protection.read
    };
    places[..before].iter().rev().find(is_first)
}

fn behind_instructions(memory: &File, first: &Place<'_>, place: &Place<'_>) -> Option<Range> {
    let mut page = vec![0; 4096];
    memory.read_exact_at(&mut page, first.range.start.0).ok()?;
    let header = FileHeader64::<Endianness>::parse(&page[..]).ok()?;
    let endian = header.endian().ok()?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return None;
    }
    let headers: &[ProgramHeader64<Endianness>] = header.program_headers(endian, &page[..]).ok()?;
    let (from, to) = (place.offset.0, place.offset.0 + place.size());
    headers.iter().find_map(|header| {
        let is_text = header.p_type(endian) == elf::PT_LOAD && header.p_flags(endian).contains(elf::PF_X);
        let (offset, size) = (header.p_offset(endian), header.p_filesz(endian));
        let end = offset.checked_add(size)?.checked_next_multiple_of(16)?;
        let is_last = is_text && size == header.p_memsz(endian) && from <= end && end < to && to - end < 4096;
        is_last.then(|| Range { start: Address(place.range.start.0 + (end - from)), end: place.range.end })
    })
}

/// All zeros, but for a stub of ours that was left here by one that was killed.
fn is_unused(memory: &File, range: Range) -> bool {
    let mut bytes = vec![0; range.offset_of(range).end];
    if memory.read_exact_at(&mut bytes, range.start.0).is_err() {
        return false;
    }
    let rest = if bytes.starts_with(stub::code()) { &bytes[stub::size()..] } else { &bytes[..] };
    rest.iter().all(|&byte| byte == 0)
}

/// Makes the bytes of the stub zeros again.
pub(super) fn clear(memory: &File, at: Address) -> io::Result<()> {
    memory.write_all_at(&vec![0; stub::size()], at.0)
}
