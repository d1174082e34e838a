use object::read::elf::{FileHeader, SectionHeader};
use object::{ReadRef, elf};

use crate::procfs::printable;

/// A section that is loaded, such as `.bss`.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: Box<str>,
    pub(super) start: u64,
    pub(super) size: u64,
}

/// More sections than this has no program.
const MOST: usize = 4096;

impl Place {
    pub(super) fn holds(&self, address: u64) -> bool {
        address.checked_sub(self.start).is_some_and(|offset| offset < self.size)
    }

    /// The loaded sections of a file, in order of address.
    pub(super) fn all<'a, H, R>(
        header: &H,
        endian: H::Endian,
        data: R,
        sections: &[H::SectionHeader],
    ) -> Vec<Place>
    where
        H: FileHeader,
        R: ReadRef<'a>,
    {
        let Ok(strings) = header.section_strings(endian, data, sections) else { return Vec::new() };
        let is_loaded = |section: &&H::SectionHeader| {
            let flags = section.sh_flags(endian);
            // Sections of thread-local variables that start as zeros take no addresses.
            let is_template = flags.contains(elf::SHF_TLS) && section.sh_type(endian) == elf::SHT_NOBITS;
            flags.contains(elf::SHF_ALLOC) && !is_template
        };
        let mut places: Vec<Place> = sections
            .iter()
            .filter(is_loaded)
            .take(MOST)
            .filter_map(|section| {
                let name = section.name(endian, strings).ok().filter(|name| !name.is_empty())?;
                let (start, size) = (section.sh_addr(endian).into(), section.sh_size(endian).into());
                Some(Place { name: printable(name).into(), start, size })
            })
            .collect();
        places.sort_by_key(|place| place.start);
        places
    }
}
