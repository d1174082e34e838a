//! Debug information that was left beside the program: `.dwo` files, and the `.dwp` they are packed into.
//!
//! Source: DWARF 5, 7.3.2 "Split DWARF Object Files"; before it, GCC's `-gsplit-dwarf` of DWARF 4.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gimli::{Dwarf, DwoId, EndianSlice, RunTimeEndian, Unit};

use super::effort::Stop;
use super::elf::{Elf, Package, Sections, Slice, package_size, size};
use super::find::{from_bytes, open};
use crate::procfs::printable;

/// Where the split units of an image may be found.
pub(super) struct Split {
    /// The image, or the debug file that was found for it.
    beside: Vec<PathBuf>,
    endian: RunTimeEndian,
    package: OnceCell<Option<Package>>,
}

/// The name of a split unit.
pub(super) struct Off {
    pub(super) id: DwoId,
    /// Where it was when it was compiled.
    path: PathBuf,
    name: Vec<u8>,
}

impl Off {
    /// What was split off a unit; none where it is whole.
    pub(super) fn of<'a>(dwarf: &Dwarf<Slice<'a>>, unit: &Unit<Slice<'a>>) -> Result<Option<Off>, Stop> {
        let (Some(id), Some(name)) = (unit.dwo_id, unit.dwo_name()?) else { return Ok(None) };
        let name = dwarf.attr_string(unit, name)?.slice();
        let directory = unit.comp_dir.map(|directory| from_bytes(directory.slice())).unwrap_or_default();
        Ok(Some(Off { id, path: directory.join(from_bytes(name)), name: name.to_vec() }))
    }

    pub(super) fn shown(&self) -> String {
        printable(&self.name)
    }
}

/// What holds a split unit.
pub(super) enum SplitFile<'s> {
    Own(Box<Sections>, RunTimeEndian),
    Packed(&'s Package, RunTimeEndian),
}

impl Split {
    pub(super) fn of(beside: Vec<PathBuf>, endian: RunTimeEndian) -> Split {
        Split { beside, endian, package: OnceCell::new() }
    }

    /// What may hold it: the package of the program, the file itself where it was, or beside the program.
    pub(super) fn files(&self, off: &Off) -> impl Iterator<Item = SplitFile<'_>> {
        let packed = std::iter::once_with(|| self.package()).flatten();
        let packed = packed.map(|package| SplitFile::Packed(package, self.endian));
        let file_name = off.path.file_name().unwrap_or_default().to_owned();
        let beside = self.beside.iter().filter_map(move |path| Some(path.parent()?.join(&file_name)));
        let own = std::iter::once(off.path.clone()).chain(beside).filter_map(|path| {
            let elf = open(&path).and_then(Elf::read)?;
            Some(SplitFile::Own(Box::new(elf.split_sections().ok()?), elf.endian))
        });
        packed.chain(own)
    }

    fn package(&self) -> Option<&Package> {
        let find = || {
            let packed = |path: &PathBuf| {
                let mut name = OsString::from(path);
                name.push(".dwp");
                open(Path::new(&name)).and_then(Elf::read)
            };
            self.beside.iter().find_map(packed)?.package().ok()
        };
        self.package.get_or_init(find).as_ref()
    }
}

impl SplitFile<'_> {
    /// How much stands in it, in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            SplitFile::Own(sections, _) => size(sections),
            SplitFile::Packed(package, _) => package_size(package),
        }
    }

    /// The tables of a unit, where it is here; what only the linker knew comes from those of the program.
    pub(super) fn dwarf<'a>(
        &'a self,
        id: DwoId,
        parent: &Dwarf<Slice<'a>>,
    ) -> Result<Option<Dwarf<Slice<'a>>>, Stop> {
        match self {
            SplitFile::Own(sections, endian) => {
                let mut dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, *endian));
                dwarf.make_dwo(parent);
                Ok(Some(dwarf))
            }
            SplitFile::Packed(package, endian) => {
                let empty = EndianSlice::new(&[], *endian);
                let package = package.borrow(|bytes| EndianSlice::new(bytes, *endian), empty)?;
                Ok(package.find_cu(id, parent)?)
            }
        }
    }
}
