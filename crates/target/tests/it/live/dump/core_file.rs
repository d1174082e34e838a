//! A core as `object` reads it, which knows nothing of how we wrote it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf::{FileHeader64, PF_W, PT_LOAD, ProgramHeader64};
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};

pub(in crate::live) struct CoreFile {
    file: File,
    pub(in crate::live) loads: Vec<Load>,
    /// Type and content.
    pub(in crate::live) notes: Vec<(u32, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::live) struct Load {
    pub(in crate::live) address: u64,
    pub(in crate::live) size: u64,
    pub(in crate::live) filed: u64,
    pub(in crate::live) writable: bool,
    offset: u64,
}

impl CoreFile {
    pub(in crate::live) fn open(path: &Path) -> CoreFile {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let cache = ReadCache::new(file.try_clone().expect("files can be cloned"));
        let header = FileHeader64::<Endianness>::parse(&cache).expect("an ELF file");
        let endian = header.endian().expect("it has one");
        let headers = header.program_headers(endian, &cache).expect("it has headers");
        let load = |header: &ProgramHeader64<Endianness>| Load {
            address: header.p_vaddr(endian),
            size: header.p_memsz(endian),
            filed: header.p_filesz(endian),
            writable: header.p_flags(endian).contains(PF_W),
            offset: header.p_offset(endian),
        };
        let loads = headers.iter().filter(|header| header.p_type(endian) == PT_LOAD).map(load).collect();
        let mut notes = Vec::new();
        for header in headers {
            let Some(mut found) = header.notes(endian, &cache).expect("notes are well formed") else {
                continue;
            };
            while let Some(note) = found.next().expect("notes are well formed") {
                notes.push((note.n_type(endian).0, note.desc().to_vec()));
            }
        }
        CoreFile { file, loads, notes }
    }

    /// So many bytes, or none when the core does not hold all of them.
    pub(in crate::live) fn bytes(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        let load = self
            .loads
            .iter()
            .find(|load| load.address <= address && address + size as u64 <= load.address + load.filed)?;
        let mut bytes = vec![0; size];
        self.file
            .read_exact_at(&mut bytes, load.offset + (address - load.address))
            .expect("it is in the file");
        Some(bytes)
    }

    /// The byte at each of so many pages; none where the core does not hold the page.
    pub(in crate::live) fn letters(&self, start: u64, pages: u64) -> Vec<Option<char>> {
        let letter = |page| self.bytes(start + page * 4096, 4096).map(|bytes| char::from(bytes[17]));
        (0..pages).map(letter).collect()
    }

    /// Thread, instruction pointer and stack pointer, as `struct elf_prstatus` of x86-64 holds them.
    pub(in crate::live) fn threads(&self) -> Vec<(u32, u64, u64)> {
        let statuses = self.notes.iter().filter(|(kind, _)| *kind == 1);
        statuses
            .map(|(_, status)| {
                let long =
                    |at: usize| u64::from_le_bytes(status[at..at + 8].try_into().expect("eight bytes"));
                let tid = u32::from_le_bytes(status[32..36].try_into().expect("four bytes"));
                (tid, long(112 + 16 * 8), long(112 + 19 * 8))
            })
            .collect()
    }
}
