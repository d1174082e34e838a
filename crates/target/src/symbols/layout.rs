use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadRef, elf};
use residue_model::{Address, Range};

/// How a module wants to be loaded, as its program headers say. Addresses are those it was linked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) is_wide: bool,
    pub(super) is_big_endian: bool,
    /// As `e_machine` numbers it.
    pub(super) machine: u16,
    pub(super) loads: Vec<Part>,
    pub(super) notes: Vec<Part>,
    pub(super) dynamic: Option<Part>,
    /// `.eh_frame_hdr`.
    pub(super) unwind: Option<Part>,
    pub(super) thread_local: Option<Part>,
}

/// A program header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) address: u64,
    /// How large it is in memory.
    pub(super) memory: u64,
    pub(super) offset: u64,
    /// How much of it stands in the file.
    pub(super) file: u64,
    pub(super) align: u64,
    pub(super) can_write: bool,
    pub(super) can_execute: bool,
}

impl Part {
    /// Where it stands once it is loaded.
    pub(super) fn range(&self, bias: u64) -> Range {
        self.first(bias, self.memory)
    }

    /// The pages that it is loaded to: all of them are its own.
    pub(super) fn pages(&self, bias: u64) -> Range {
        let Range { start, end } = self.range(bias);
        let end = end.0.checked_next_multiple_of(PAGE).unwrap_or(end.0);
        Range { start: Address(start.0 & !(PAGE - 1)), end: Address(end) }
    }

    /// Where so many of its first bytes stand.
    pub(super) fn first(&self, bias: u64, size: u64) -> Range {
        let start = self.address.wrapping_add(bias);
        Range { start: Address(start), end: Address(start.saturating_add(size)) }
    }
}

/// More program headers than this has no program.
const MOST: usize = 1024;

impl Layout {
    /// Reads the headers at the start of a file, or of the memory it is mapped to; none when it is no program or library.
    pub(super) fn read<'a>(data: impl ReadRef<'a>) -> Option<Layout> {
        match data.read_bytes_at(4, 1).ok()?[0] {
            1 => Layout::of(elf::FileHeader32::<Endianness>::parse(data).ok()?, data),
            _ => Layout::of(elf::FileHeader64::<Endianness>::parse(data).ok()?, data),
        }
    }

    fn of<'a, H>(header: &H, data: impl ReadRef<'a>) -> Option<Layout>
    where
        H: FileHeader<Endian = Endianness> + 'a,
    {
        let endian = header.endian().ok()?;
        if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) {
            return None;
        }
        let mut layout = Layout {
            is_wide: header.is_type_64(),
            is_big_endian: endian == Endianness::Big,
            machine: header.e_machine(endian).0,
            ..Layout::default()
        };
        for header in header.program_headers(endian, data).ok()?.iter().take(MOST) {
            let flags = header.p_flags(endian);
            let part = Part {
                address: header.p_vaddr(endian).into(),
                memory: header.p_memsz(endian).into(),
                offset: header.p_offset(endian).into(),
                file: header.p_filesz(endian).into(),
                align: header.p_align(endian).into(),
                can_write: flags.contains(elf::PF_W),
                can_execute: flags.contains(elf::PF_X),
            };
            match header.p_type(endian) {
                elf::PT_LOAD => layout.loads.push(part),
                elf::PT_NOTE => layout.notes.push(part),
                elf::PT_DYNAMIC => layout.dynamic = Some(part),
                elf::PT_GNU_EH_FRAME => layout.unwind = Some(part),
                elf::PT_TLS => layout.thread_local = Some(part),
                _ => {}
            }
        }
        (!layout.loads.is_empty()).then_some(layout)
    }

    /// The size of an address.
    pub(super) fn word_bytes(&self) -> usize {
        if self.is_wide { 8 } else { 4 }
    }

    /// How far from where it was linked the module stands, when the start of its file stands at `header`.
    pub(super) fn bias(&self, header: Address) -> Option<u64> {
        let first = self.loads.iter().find(|load| load.offset < PAGE)?;
        Some(header.0.wrapping_sub(first.address.wrapping_sub(first.offset)))
    }

    /// From the first loaded page to the last.
    pub(super) fn range(&self, bias: u64) -> Option<Range> {
        let start = self.loads.iter().map(|load| load.pages(bias).start).min()?;
        let end = self.loads.iter().map(|load| load.pages(bias).end).max()?;
        Range::new(start, end).filter(|range| range.start < range.end)
    }
}

/// The smallest page of any Linux.
pub(super) const PAGE: u64 = 4096;
