//! Symbols that stand beside the file: debug packages, and the small packed table that Fedora puts inside.

use std::fs::File;
use std::io::Read;

use liblzma::read::XzDecoder;
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, ReadRef, elf};

use super::build::{BuildId, file_id};
use super::contents::Contents;
use super::layout::Layout;

/// Where distributions put the symbols of their packages.
const ROOT: &str = "/usr/lib/debug/.build-id";
/// Unpacked tables are smaller.
const MOST: u64 = 64 * 1024 * 1024;

/// The file with the symbols of a build, when its debug package is installed.
pub(super) fn debug_file(id: &BuildId) -> Option<Contents> {
    use std::fmt::Write as _;
    let (first, rest) = id.0.split_first()?;
    let mut path = format!("{ROOT}/{first:02x}/");
    for byte in rest {
        write!(path, "{byte:02x}").expect("a string takes everything");
    }
    path.push_str(".debug");
    let contents = Contents::of_file(File::open(path).ok()?);
    let layout = Layout::read(&contents.cache())?;
    // Its headers keep the places that notes had in the program's file, so sections tell, not segments.
    let is_same = file_id(&layout, &contents).is_none_or(|found| found == *id);
    is_same.then_some(contents)
}

/// The packed symbol table inside a file: `.gnu_debugdata`.
pub(super) fn packed(contents: &Contents) -> Option<Contents> {
    let bytes = {
        let cache = contents.cache();
        match (&cache).read_bytes_at(4, 1).ok()?[0] {
            1 => section(elf::FileHeader32::<Endianness>::parse(&cache).ok()?, &cache)?.to_vec(),
            _ => section(elf::FileHeader64::<Endianness>::parse(&cache).ok()?, &cache)?.to_vec(),
        }
    };
    let mut unpacked = Vec::new();
    // What comes before a damage is as good as it was.
    let _ = XzDecoder::new(bytes.as_slice()).take(MOST).read_to_end(&mut unpacked);
    (!unpacked.is_empty()).then_some(Contents::Bytes(unpacked))
}

fn section<'a, H: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(header: &H, data: R) -> Option<&'a [u8]> {
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, data).ok()?;
    let (_, section) = sections.section_by_name(endian, b".gnu_debugdata")?;
    section.data(endian, data).ok()
}
