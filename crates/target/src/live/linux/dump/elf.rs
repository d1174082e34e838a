//! The headers of a core.
//!
//! Source: `elf(5)`, `include/uapi/linux/elf.h`; `fs/binfmt_elf.c` for more than 65 534 program headers.

use super::machine::Machine;
use super::plan::Segment;

/// `PN_XNUM`: the count stands in the first section header.
const MANY: u16 = 0xffff;

const CORE: u16 = 4;
const LOAD: u32 = 1;
const NOTE: u32 = 4;

/// Writes numbers as a class of machine has them.
pub(super) struct Numbers {
    machine: Machine,
    pub(super) bytes: Vec<u8>,
}

impl Numbers {
    pub(super) fn of(machine: Machine) -> Numbers {
        Numbers { machine, bytes: Vec::new() }
    }

    pub(super) fn byte(&mut self, number: u8) {
        self.bytes.push(number);
    }

    pub(super) fn half(&mut self, number: u16) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn word(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// As long as an address is. What a 32-bit process cannot have is cut: whoever lays out a core checks its size.
    #[allow(clippy::cast_possible_truncation, reason = "no address or size of a 32-bit process is longer")]
    pub(super) fn long(&mut self, number: u64) {
        if self.machine.is_64_bit() {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        } else {
            self.word(number as u32);
        }
    }

    /// Zeros up to `end`, or nothing when it lies behind.
    pub(super) fn pad(&mut self, end: usize) {
        self.bytes.resize(end.max(self.bytes.len()), 0);
    }
}

/// Where the parts of a core stand in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) machine: Machine,
    /// Of the program headers.
    pub(super) headers: u64,
    pub(super) notes: (u64, u64),
}

/// How large one program header is.
pub(super) fn program_header_size(machine: Machine) -> u16 {
    if machine.is_64_bit() { 56 } else { 32 }
}

/// How large the file header is, with the section header that only a core of very many regions uses.
pub(super) fn front_size(machine: Machine) -> u16 {
    if machine.is_64_bit() { 128 } else { 52 + 40 }
}

/// The file header, and behind it the one section header.
pub(super) fn front(layout: &Layout, program_headers: usize) -> Vec<u8> {
    let is_64_bit = layout.machine.is_64_bit();
    let (class, size, section_size) = if is_64_bit { (2, 64, 64) } else { (1, 52, 40) };
    let many = program_headers >= usize::from(MANY);
    let mut out = Numbers::of(layout.machine);
    out.bytes.extend_from_slice(&[0x7f, b'E', b'L', b'F', class, 1, 1]);
    out.pad(16);
    out.half(CORE);
    out.half(layout.machine.number());
    out.word(1);
    out.long(0);
    out.long(layout.headers);
    out.long(if many { u64::from(size) } else { 0 });
    out.word(0);
    out.half(size);
    out.half(program_header_size(layout.machine));
    out.half(u16::try_from(program_headers).unwrap_or(MANY));
    out.half(if many { section_size } else { 0 });
    out.half(u16::from(many));
    out.half(0);
    if many {
        // A section header of no type: its size counts section headers, its info program headers.
        for _ in 0..2 {
            out.word(0);
        }
        for number in [0, 0, 0, 1] {
            out.long(number);
        }
        out.word(0);
        out.word(u32::try_from(program_headers).unwrap_or(u32::MAX));
    }
    out.pad(usize::from(front_size(layout.machine)));
    out.bytes
}

/// The program headers: that of the notes, then one a segment.
pub(super) fn program_headers(layout: &Layout, segments: &[Segment], page_size_bytes: u64) -> Vec<u8> {
    let mut out = Numbers::of(layout.machine);
    let (offset, size) = layout.notes;
    program_header(
        &mut out,
        &Header { kind: NOTE, flags: 0, offset, address: 0, filed: size, size: 0, align: 4 },
    );
    for segment in segments {
        let size = segment.range.size().0;
        let protection = segment.protection;
        let flags = u32::from(protection.execute)
            | u32::from(protection.write) << 1
            | u32::from(protection.read) << 2;
        // Less in the file than in memory means that it was not saved, not that it was zero.
        let filed = if segment.saved { size } else { 0 };
        let (offset, address) = (segment.offset, segment.range.start.0);
        program_header(
            &mut out,
            &Header { kind: LOAD, flags, offset, address, filed, size, align: page_size_bytes },
        );
    }
    out.bytes
}

struct Header {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    filed: u64,
    size: u64,
    align: u64,
}

fn program_header(out: &mut Numbers, header: &Header) {
    let &Header { kind, flags, offset, address, filed, size, align } = header;
    out.word(kind);
    if out.machine.is_64_bit() {
        out.word(flags);
    }
    for number in [offset, address, 0, filed, size] {
        out.long(number);
    }
    if !out.machine.is_64_bit() {
        out.word(flags);
    }
    out.long(align);
}

#[cfg(test)]
mod tests {
    use object::elf::{FileHeader32, FileHeader64};
    use object::read::elf::{FileHeader, ProgramHeader};
    use object::{Endianness, LittleEndian};
    use residue_model::{Address, Protection, Range};

    use super::*;

    fn segment(number: u64, saved: bool) -> Segment {
        let (start, end) = (Address(number << 12), Address((number + 1) << 12));
        let protection = Protection { read: true, write: true, ..Protection::default() };
        Segment { range: Range { start, end }, protection, saved, offset: 0x5000 + (number << 12) }
    }

    fn core(machine: Machine, segments: &[Segment]) -> Vec<u8> {
        let headers = u64::from(front_size(machine));
        let layout = Layout { machine, headers, notes: (0x1000, 0x20) };
        let mut bytes = front(&layout, segments.len() + 1);
        assert_eq!(bytes.len() as u64, headers);
        bytes.extend(program_headers(&layout, segments, 4096));
        bytes
    }

    #[test]
    fn both_classes_read_back_as_they_were_meant() {
        let segments = [segment(1, true), segment(2, false)];
        let bytes = core(Machine::X86_64, &segments);
        let header = FileHeader64::<Endianness>::parse(&*bytes).expect("a header");
        let endian = header.endian().expect("little");
        assert_eq!((header.e_type(endian).0, header.e_machine(endian).0), (CORE, 62));
        let told = header.program_headers(endian, &*bytes).expect("headers");
        assert_eq!(
            (told[0].p_type(endian).0, told[0].p_offset(endian), told[0].p_filesz(endian)),
            (NOTE, 0x1000, 32)
        );
        assert_eq!(
            (told[1].p_vaddr(endian), told[1].p_filesz(endian), told[1].p_flags(endian).0),
            (0x1000, 0x1000, 6)
        );
        assert_eq!((told[2].p_memsz(endian), told[2].p_filesz(endian)), (0x1000, 0));

        let bytes = core(Machine::I386, &segments);
        let header = FileHeader32::<LittleEndian>::parse(&*bytes).expect("a header");
        let told = header.program_headers(LittleEndian, &*bytes).expect("headers");
        assert_eq!((header.e_machine(LittleEndian).0, told.len()), (3, 3));
        assert_eq!((told[1].p_vaddr(LittleEndian), told[1].p_offset(LittleEndian)), (0x1000, 0x6000));
        assert_eq!(told[1].p_flags(LittleEndian).0, 6);
    }

    /// A process may have more regions than the field of the header can count.
    #[test]
    fn seventy_thousand_regions_are_counted_in_the_section_header() {
        let segments: Vec<Segment> = (1..=70_000).map(|number| segment(number, true)).collect();
        for machine in [Machine::X86_64, Machine::I386] {
            let bytes = core(machine, &segments);
            let count = if machine.is_64_bit() {
                let header = FileHeader64::<Endianness>::parse(&*bytes).expect("a header");
                header.program_headers(header.endian().expect("little"), &*bytes).expect("headers").len()
            } else {
                let header = FileHeader32::<LittleEndian>::parse(&*bytes).expect("a header");
                header.program_headers(LittleEndian, &*bytes).expect("headers").len()
            };
            assert_eq!(count, 70_001, "{machine:?}");
        }
    }
}
