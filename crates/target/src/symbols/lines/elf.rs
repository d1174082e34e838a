use std::cell::Cell;
use std::collections::HashMap;
use std::io::Read;

use flate2::read::ZlibDecoder;
use gimli::{DwarfPackageSections, DwarfSections, EndianSlice, RunTimeEndian, SectionId};
use object::{CompressedFileRange, CompressionFormat, Object, ObjectSection, ReadRef};

use super::effort::Stop;
use crate::symbols::contents::Contents;

/// What a DWARF section is read through.
pub(super) type Slice<'a> = EndianSlice<'a, RunTimeEndian>;
/// The tables of one file that tell of its code.
pub(super) type Sections = DwarfSections<Vec<u8>>;
/// Those of many split units in one file.
pub(super) type Package = DwarfPackageSections<Vec<u8>>;

/// An ELF file that may hold debug information, or say where it stands.
#[derive(Debug)]
pub(super) struct Elf {
    pub(super) contents: Contents,
    pub(super) build_id: Option<Vec<u8>>,
    /// The name of the file that was split off, and the checksum of all of it.
    pub(super) link: Option<(Vec<u8>, u32)>,
    /// The path and build ID of the file that it shares tables with.
    pub(super) shared: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) endian: RunTimeEndian,
    sections: HashMap<Vec<u8>, CompressedFileRange>,
    /// So many more bytes of its sections may be unpacked.
    room: Cell<u64>,
}

/// More sections than this has no program.
const MOST: usize = 16 * 1024;
/// No compiler's tables shrink this much.
const SHRUNK: u64 = 64;

impl Elf {
    /// Reads what the headers tell; none when it is no ELF file.
    pub(super) fn read(contents: Contents) -> Option<Elf> {
        let elf = {
            let cache = contents.cache();
            let file = object::File::parse(&cache).ok()?;
            let owned = |bytes: &[u8]| bytes.to_vec();
            let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
            let named = |section: object::Section<'_, '_, _>| {
                let name = section.name_bytes().ok().filter(|name| is_debug(name))?;
                Some((plain(name), section.compressed_file_range().ok()?))
            };
            Elf {
                contents: Contents::Bytes(Vec::new()),
                build_id: file.build_id().ok().flatten().map(owned),
                link: file.gnu_debuglink().ok().flatten().map(|(name, sum)| (name.to_vec(), sum)),
                shared: file.gnu_debugaltlink().ok().flatten().map(|(path, id)| (owned(path), owned(id))),
                endian,
                sections: file.sections().take(MOST).filter_map(named).collect(),
                room: Cell::new((&cache).len().ok()?.saturating_mul(SHRUNK)),
            }
        };
        Some(Elf { contents, ..elf })
    }

    /// Whether it holds debug information itself.
    pub(super) fn has_lines(&self) -> bool {
        self.has(".debug_info")
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.sections.get(name.as_bytes()).is_some_and(|range| range.uncompressed_size > 0)
    }

    /// The sections that tell of code; those that tell of variables stay where they are.
    pub(super) fn sections(&self) -> Result<Sections, Stop> {
        DwarfSections::load(|id| if is_wanted(id) { self.section(id.name()) } else { Ok(Vec::new()) })
    }

    /// Those of a `.dwo`.
    pub(super) fn split_sections(&self) -> Result<Sections, Stop> {
        DwarfSections::load(|id| if is_wanted(id) { self.split_section(id) } else { Ok(Vec::new()) })
    }

    /// Those of a `.dwp`: all of them, since its index points into each.
    pub(super) fn package(&self) -> Result<Package, Stop> {
        DwarfPackageSections::load(|id| self.split_section(id))
    }

    fn split_section(&self, id: SectionId) -> Result<Vec<u8>, Stop> {
        id.dwo_name().map_or_else(|| Ok(Vec::new()), |name| self.section(name))
    }

    fn section(&self, name: &str) -> Result<Vec<u8>, Stop> {
        let Some(range) = self.sections.get(name.as_bytes()) else { return Ok(Vec::new()) };
        self.reserve(range.compressed_size)?;
        let size = usize::try_from(range.compressed_size).map_err(|_| Stop::Damaged)?;
        let mut bytes = vec![0; size];
        if self.contents.read_at(range.offset, &mut bytes) < size {
            return Err(Stop::Damaged);
        }
        if range.format == CompressionFormat::None {
            return Ok(bytes);
        }
        self.reserve(range.uncompressed_size)?;
        unpack(&bytes, range)
    }

    fn reserve(&self, size: u64) -> Result<(), Stop> {
        let left = self.room.get().checked_sub(size).ok_or(Stop::Exhausted)?;
        self.room.set(left);
        Ok(())
    }
}

fn unpack(packed: &[u8], range: &CompressedFileRange) -> Result<Vec<u8>, Stop> {
    let size = usize::try_from(range.uncompressed_size).map_err(|_| Stop::Damaged)?;
    match range.format {
        CompressionFormat::Zlib => {
            let mut bytes = Vec::with_capacity(size);
            let mut unpacker = ZlibDecoder::new(packed).take(range.uncompressed_size);
            unpacker.read_to_end(&mut bytes).map_err(|_| Stop::Damaged)?;
            Ok(bytes)
        }
        CompressionFormat::Zstandard => zstd::bulk::decompress(packed, size).map_err(|_| Stop::Damaged),
        _ => Err(Stop::Damaged),
    }
}

/// Those whose names begin so hold nothing else.
fn is_debug(name: &[u8]) -> bool {
    name.starts_with(b".debug_") || name.starts_with(b".zdebug_")
}

/// Before there was a mark for it, packed sections had names of their own.
fn plain(name: &[u8]) -> Vec<u8> {
    match name.strip_prefix(b".z") {
        Some(rest) => [b".", rest].concat(),
        None => name.to_vec(),
    }
}

fn is_wanted(id: SectionId) -> bool {
    matches!(
        id,
        SectionId::DebugAbbrev
            | SectionId::DebugAddr
            | SectionId::DebugAranges
            | SectionId::DebugInfo
            | SectionId::DebugLine
            | SectionId::DebugLineStr
            | SectionId::DebugRanges
            | SectionId::DebugRngLists
            | SectionId::DebugStr
            | SectionId::DebugStrOffsets
    )
}

/// All that sections hold, in bytes.
pub(super) fn size(sections: &Sections) -> u64 {
    let mut sum = 0;
    let _ = sections.borrow(|bytes| counted(bytes, &mut sum));
    sum
}

/// All that a package holds, in bytes.
pub(super) fn package_size(package: &Package) -> u64 {
    let mut sum = 0;
    let _ = package.borrow(|bytes| counted(bytes, &mut sum), counted(&[], &mut 0));
    sum
}

fn counted<'a>(bytes: &'a [u8], sum: &mut u64) -> Slice<'a> {
    *sum += bytes.len() as u64;
    EndianSlice::new(bytes, RunTimeEndian::Little)
}
