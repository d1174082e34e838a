use std::cmp::Reverse;

use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::{Endianness, ReadRef, elf};

use super::contents::Contents;
use super::place::Place;

/// The symbols of one ELF file, in order of address. Addresses are those it was linked for.
///
/// It is made when it is first asked for, and holds the file's own string tables: a name is made to be read when it is
/// shown.
#[derive(Debug, Default)]
pub(super) struct SymbolTable {
    entries: Vec<Entry>,
    /// The string tables that names stand in.
    names: Vec<Box<[u8]>>,
    /// Its sections that are loaded, in order of address.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    size: u64,
    name: u32,
    table: u8,
    rank: Rank,
    is_code: bool,
}

/// Which of several symbols at one address is shown: the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_sized: bool,
    is_typed: bool,
    binding: u8,
    /// Names of the implementation, such as `__libc_malloc`, come behind the public ones.
    plainness: Reverse<u8>,
}

/// What a table says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) name: &'a [u8],
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) is_code: bool,
}

/// So many symbols before an address are looked at for one that covers it: symbols hardly ever nest.
const NESTED: usize = 32;

impl SymbolTable {
    /// Adds what a file holds; it is to be sorted afterwards.
    ///
    /// The static table holds what the dynamic one does and more, so that is read only where there is no other; whether
    /// there was one is told.
    pub(super) fn add(&mut self, contents: &Contents) -> bool {
        let cache = contents.cache();
        // A file that ends in the middle gives what came before.
        let added =
            match (&cache).read_bytes_at(4, 1).map(|class| class[0]) {
                Ok(1) => elf::FileHeader32::<Endianness>::parse(&cache)
                    .and_then(|header| self.add_all(header, &cache)),
                Ok(_) => elf::FileHeader64::<Endianness>::parse(&cache)
                    .and_then(|header| self.add_all(header, &cache)),
                Err(()) => Ok(false),
            };
        added.unwrap_or_default()
    }

    fn add_all<'a, H>(&mut self, header: &H, data: impl ReadRef<'a>) -> object::Result<bool>
    where
        H: FileHeader<Endian = Endianness> + 'a,
    {
        let endian = header.endian()?;
        let sections = header.section_headers(endian, data)?;
        if self.places.is_empty() {
            self.places = Place::all(header, endian, data, sections);
        }
        let of = |kind| sections.iter().find(|section| section.sh_type(endian) == kind);
        let Some(section) = of(elf::SHT_SYMTAB).or_else(|| of(elf::SHT_DYNSYM)) else { return Ok(false) };
        let symbols: &[H::Sym] = section.data_as_array(endian, data)?;
        let link = usize::try_from(section.sh_link(endian)).unwrap_or(usize::MAX);
        let Some(strings) = sections.get(link) else { return Ok(false) };
        let strings: Box<[u8]> = strings.data(endian, data)?.into();
        let table = u8::try_from(self.names.len()).unwrap_or(u8::MAX);
        self.entries.reserve(symbols.len());
        let entries = symbols.iter().filter_map(|symbol| entry(symbol, endian, table, &strings));
        self.entries.extend(entries);
        self.names.push(strings);
        Ok(section.sh_type(endian) == elf::SHT_SYMTAB)
    }

    /// To be called once, when all files were added.
    pub(super) fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        // The best of equals comes last: a search walks down from behind.
        entries.sort_unstable_by_key(|entry| (entry.start, entry.rank, Reverse(entry.name)));
        entries.dedup_by(|later, kept| {
            let is_same = later.start == kept.start && later.size == kept.size;
            if is_same {
                *kept = *later;
            }
            is_same
        });
        entries.shrink_to_fit();
        self.entries = entries;
    }

    /// The symbol that covers an address: of several the one that begins last. Where none does, the one without a size
    /// that begins before it in the same section: code written in assembly has no sizes.
    pub(super) fn find(&self, address: u64) -> Option<Found<'_>> {
        let behind = self.entries.partition_point(|entry| entry.start <= address);
        let before = || self.entries[..behind].iter().rev().take(NESTED);
        let covers = |entry: &&Entry| address - entry.start < entry.size;
        if let Some(entry) = before().find(covers) {
            return Some(self.found(entry));
        }
        let last = before().next().filter(|entry| entry.size == 0)?;
        let is_near = last.start == address
            || last.is_code && self.place(last.start).is_some_and(|place| place.holds(address));
        is_near.then(|| self.found(last))
    }

    /// The loaded section at an address.
    pub(super) fn place(&self, address: u64) -> Option<&Place> {
        let behind = self.places.partition_point(|place| place.start <= address);
        self.places[..behind].last().filter(|place| place.holds(address))
    }

    /// The symbols of a name, as it stands in the file without its version.
    pub(super) fn named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = Found<'a>> {
        let is_named = move |entry: &&Entry| {
            let rest = self.name(entry).strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'@')
        };
        self.entries.iter().filter(is_named).map(|entry| self.found(entry))
    }

    fn found(&self, entry: &Entry) -> Found<'_> {
        Found { name: self.name(entry), start: entry.start, size: entry.size, is_code: entry.is_code }
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        text(&self.names[usize::from(entry.table)], entry.name)
    }
}

fn text(strings: &[u8], at: u32) -> &[u8] {
    let rest = usize::try_from(at).ok().and_then(|at| strings.get(at..)).unwrap_or_default();
    &rest[..memchr::memchr(0, rest).unwrap_or(rest.len())]
}

/// A symbol that stands for memory of its own: not one of another file, nor a mark of the linker's.
fn entry<S: Sym<Endian = Endianness>>(
    symbol: &S,
    endian: Endianness,
    table: u8,
    strings: &[u8],
) -> Option<Entry> {
    let kind = symbol.st_type();
    let is_code = matches!(kind, elf::STT_FUNC | elf::STT_GNU_IFUNC);
    let is_typed = is_code || matches!(kind, elf::STT_OBJECT | elf::STT_COMMON);
    let section = symbol.st_shndx(endian);
    if !is_typed && kind != elf::STT_NOTYPE || section == elf::SHN_UNDEF || section == elf::SHN_ABS {
        return None;
    }
    let (start, size, name) =
        (symbol.st_value(endian).into(), symbol.st_size(endian).into(), symbol.st_name(endian));
    let first = text(strings, name);
    // `$x` and `.L5` mark places inside of something.
    if matches!(first.first(), None | Some(b'$' | b'.')) {
        return None;
    }
    let underscores = first.iter().take(3).take_while(|&&byte| byte == b'_').count();
    let rank = Rank {
        is_sized: size > 0,
        is_typed,
        binding: match symbol.st_bind() {
            elf::STB_LOCAL => 0,
            elf::STB_WEAK => 1,
            _ => 2,
        },
        // `_Z…` is a plain name too, once demangled.
        plainness: Reverse(if first.starts_with(b"_Z") { 0 } else { u8::try_from(underscores).unwrap_or(3) }),
    };
    Some(Entry { start, size, name, table, rank, is_code })
}
