use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadRef, elf};
use residue_model::{Address, Range};

use crate::image::number;
use crate::{Error, ErrorKind, Result};

/// What the headers of a core say.
#[derive(Debug)]
pub(crate) struct Headers {
    /// Memory.
    pub(crate) loads: Vec<Load>,
    /// Where notes stand in the file: offset and size.
    pub(crate) notes: Vec<(u64, u64)>,
    /// How numbers are written.
    pub(crate) layout: Layout,
    /// The instruction set, as `e_machine` numbers it.
    pub(crate) machine: u16,
    /// How many program headers were read, and how many stand behind the end of the file.
    pub(crate) read: u64,
    pub(crate) lost: u64,
}

/// A segment of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) start: u64,
    /// How large it was in memory.
    pub(crate) memory: u64,
    pub(crate) offset: u64,
    /// How much of it stands in the file.
    pub(crate) file: u64,
    pub(crate) flags: u32,
}

/// How numbers are written in the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) big_endian: bool,
    pub(crate) wide: bool,
}

impl Layout {
    pub(crate) fn bits(self) -> u8 {
        if self.wide { 64 } else { 32 }
    }

    /// The size of an address.
    pub(crate) fn word_bytes(self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    /// A number of two, four or eight bytes; none behind the end.
    pub(crate) fn number(self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        number(bytes, at, size, self.big_endian)
    }

    /// An address, or a `long`.
    pub(crate) fn word(self, bytes: &[u8], at: usize) -> Option<u64> {
        self.number(bytes, at, self.word_bytes())
    }

    pub(crate) fn int(self, bytes: &[u8], at: usize) -> Option<u32> {
        self.number(bytes, at, 4).and_then(|number| u32::try_from(number).ok())
    }
}

impl Load {
    /// More cannot be in the file than was in memory.
    pub(crate) fn in_file(&self) -> u64 {
        self.file.min(self.memory)
    }

    /// Its first bytes, at most so many.
    pub(crate) fn first(&self, size: u64) -> Range {
        Range { start: Address(self.start), end: Address(self.start.saturating_add(size.min(self.memory))) }
    }
}

impl Headers {
    /// Reads the program headers of a core, as many as the file holds.
    ///
    /// # Errors
    /// When it is no ELF file, or one of another kind.
    pub(crate) fn read(path: &str, file: &[u8]) -> Result<Headers> {
        match file.get(4) {
            Some(1) => read::<elf::FileHeader32<Endianness>>(path, file),
            Some(2) => read::<elf::FileHeader64<Endianness>>(path, file),
            _ => Err(damaged(path, "its class is neither 32 nor 64 bits")),
        }
    }

    /// The name of the instruction set.
    pub(crate) fn cpu(&self) -> &'static str {
        match self.machine {
            3 => "x86",
            8 => "mips",
            20 => "ppc",
            21 => "ppc64",
            22 => "s390x",
            40 => "arm",
            62 => "x86-64",
            183 => "aarch64",
            243 => "riscv",
            258 => "loongarch",
            _ => "unknown",
        }
    }
}

fn read<Elf: FileHeader<Endian = Endianness>>(path: &str, file: &[u8]) -> Result<Headers> {
    let header = Elf::parse(file).map_err(|_| damaged(path, "its ELF header is not whole"))?;
    let endian = header.endian().map_err(|_| damaged(path, "its byte order is neither little nor big"))?;
    let kind = header.e_type(endian);
    if kind != elf::ET_CORE {
        return Err(Error::new(ErrorKind::Unsupported, format!("{path} is {}, not a core", named(kind.0)))
            .help("give a core file, a minidump, a pid or a process name"));
    }
    let count = header.phnum(endian, file).map_err(|_| damaged(path, "the count of its headers is lost"))?;
    let count = u64::from(count);
    let at: u64 = header.e_phoff(endian).into();
    let entry = size_of::<Elf::ProgramHeader>() as u64;
    // Read as many as there are: a count of billions costs nothing, a core cut off early still tells something.
    let there = ((file.len() as u64).saturating_sub(at) / entry).min(count);
    let headers: &[Elf::ProgramHeader] = file
        .read_slice_at(at, usize::try_from(there).unwrap_or(0))
        .map_err(|()| damaged(path, "its program headers are not aligned"))?;
    let mut result = Headers {
        loads: Vec::new(),
        notes: Vec::new(),
        layout: Layout { big_endian: endian == Endianness::Big, wide: header.is_type_64() },
        machine: header.e_machine(endian).0,
        read: there,
        lost: count - there,
    };
    // No segment reaches beyond the end of the address space.
    let top = if result.layout.wide { u64::MAX } else { 1 << 32 };
    for header in headers {
        let (offset, size) = header.file_range(endian);
        let start: u64 = header.p_vaddr(endian).into();
        let memory: u64 = header.p_memsz(endian).into();
        let memory = memory.min(top.saturating_sub(start));
        match header.p_type(endian) {
            elf::PT_NOTE => result.notes.push((offset, size)),
            elf::PT_LOAD if memory > 0 => {
                result.loads.push(Load {
                    start,
                    memory,
                    offset,
                    file: size,
                    flags: header.p_flags(endian).0,
                });
            }
            _ => {}
        }
    }
    // Every byte of notes is read once, however many headers point at it.
    result.notes.sort_unstable();
    let mut end = 0;
    result.notes.retain(|&(offset, size)| {
        let is_new = offset >= end;
        end = end.max(offset.saturating_add(size));
        is_new
    });
    Ok(result)
}

fn damaged(path: &str, why: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("{path} is no usable core: {why}"))
        .help("was it cut off when it was copied? Compare its size with the original")
}

fn named(kind: u16) -> &'static str {
    match kind {
        1 => "an ELF object file",
        2 | 3 => "an ELF program or library",
        _ => "an ELF file of another kind",
    }
}
