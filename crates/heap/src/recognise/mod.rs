//! Allocators and runtimes that are there but not walked, so that a report can say why it says nothing of leaks.
//!
//! What has a structure of its own is told by that. The rest is told by the names of libraries and of mappings, and by
//! texts that it carries; a library that is only mapped, with no variable that points to memory of its own, is said to
//! be just that.

mod go;
mod known;
mod library;
mod mimalloc;
mod texts;
mod veil;
mod versions;

use residue_model::{Range, Recognised};

use crate::{Image, Walked};
use library::Library;

/// Adds what else is there to what walkers have found.
pub(crate) fn recognise(image: &Image<'_>, walked: &mut Walked) {
    let arenas = walked.heaps.iter().flat_map(|heap| &heap.arenas);
    let walked_ranges: Vec<Range> = arenas.flat_map(|arena| arena.extents.iter().copied()).collect();
    let found = &mut walked.recognised;
    let libraries = Library::all(image.regions);
    let structured = go::find(image, &libraries).into_iter().chain(mimalloc::find(image));
    let named =
        known::by_names(image, &libraries).into_iter().chain(texts::find(image, &libraries, known::texts()));
    for mut told in structured.chain(named) {
        // It may have its memory from another allocator, of which every block was seen.
        told.holds.retain(|range| !walked_ranges.iter().any(|walked| walked.overlap(*range).is_some()));
        let is_same = |known: &&mut Recognised| known.name.starts_with(&told.name);
        match found.iter_mut().find(is_same) {
            // Told twice: by its structure, by a name, by a text. The last knows the version best.
            Some(known) if !known.walked => {
                known.version = told.version.or_else(|| known.version.take());
                if known.holds.is_empty() {
                    known.holds = told.holds;
                }
            }
            Some(known) => known.version = known.version.take().or(told.version),
            None => found.push(told),
        }
    }
}

#[cfg(test)]
mod tests {
    use residue_model::{Address, NoMemory, Pieces, Protection, Region};

    use super::*;

    fn region(start: u64, end: u64, write: bool, name: &str) -> Region {
        let protection = Protection { read: true, write, ..Protection::default() };
        let range = Range { start: Address(start), end: Address(end) };
        let name = (!name.is_empty()).then(|| name.into());
        Region { range, protection, name, ..Region::default() }
    }

    const SEGMENT: u64 = 0x39b_7600_0000;

    fn regions() -> [Region; 6] {
        [
            region(0x1000, 0x2000, false, "/usr/bin/program"),
            region(0x2000, 0x3000, true, "/usr/bin/program"),
            region(0x8000, 0x9000, false, "/usr/lib/libtcmalloc_minimal.so.4.5.10"),
            region(0x9000, 0xa000, true, "/usr/lib/libtcmalloc_minimal.so.4.5.10"),
            region(SEGMENT, SEGMENT + (32 << 20), true, ""),
            region(0x800_0000_0000, 0x800_0010_0000, true, "[anon:scudo:primary]"),
        ]
    }

    /// Looks at a program whose variables and texts are these.
    fn seen(variables: &[u8], texts: &[u8], segment: &[u8]) -> Vec<Recognised> {
        let pieces = Pieces(vec![(Address(0x2000), variables), (Address(SEGMENT), segment)]);
        let texts = Pieces(vec![(Address(0x1000), texts)]);
        let mut found = Walked::default();
        recognise(&Image { pieces: &pieces, regions: &regions(), threads: &[], rest: &texts }, &mut found);
        found.recognised
    }

    fn of<'a>(name: &str, all: &'a [Recognised]) -> Option<&'a Recognised> {
        all.iter().find(|recognised| recognised.name == name)
    }

    #[test]
    fn a_library_that_nothing_uses_is_only_mapped() {
        let all = seen(&[], &[], &[]);
        let tcmalloc = of("tcmalloc (gperftools)", &all).expect("its library is mapped");
        assert_eq!(tcmalloc.version.as_deref(), Some("4.5.10"));
        assert!(tcmalloc.evidence.ends_with("nothing shows that it is used"), "{}", tcmalloc.evidence);
    }

    #[test]
    fn mappings_with_a_name_are_what_it_holds() {
        let all = seen(&[], &[], &[]);
        let scudo = of("scudo", &all).expect("its mapping has its name");
        assert_eq!(scudo.holds[0].start, Address(0x800_0000_0000));
    }

    /// Two of 64 bits that agree are no chance, so no name is needed.
    #[test]
    fn a_segment_of_mimalloc_repeats_its_address_with_a_secret() {
        let secret = 0x6104_93bf_ab06_96bb_u64;
        let mut segment = vec![0; 4096];
        segment[216..224].copy_from_slice(&(secret ^ SEGMENT).to_le_bytes());
        let variables = [0_u64, secret].map(u64::to_le_bytes).concat();
        let all = seen(&variables, &[], &segment);
        let holds = &of("mimalloc", &all).expect("the secret agrees").holds;
        assert_eq!((holds.len(), holds[0].start.0, holds[0].end.0), (1, SEGMENT, SEGMENT + 4096));
        assert!(of("mimalloc", &seen(&[0; 64], &[], &segment)).is_none(), "nobody has the secret");
    }

    #[test]
    fn texts_tell_what_a_program_has_inside() {
        let texts = b"\0<jemalloc>: out of memory\x005.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c\0\
            /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/panicking.rs\0";
        let all = seen(&[], texts, &[]);
        let told = |name| of(name, &all).and_then(|known| known.version.as_deref());
        assert_eq!(told("jemalloc"), Some("5.3.0"));
        assert_eq!(told("Rust"), Some("commit 59807616e1"));
        assert!(of("Rust", &all).is_some_and(|rust| rust.walked), "it has no blocks of its own");
        assert!(of("V8", &all).is_none());
    }

    #[test]
    fn the_note_of_go_stands_in_its_variables() {
        let mut note = b"................\xff Go buildinf:\x08\x02".to_vec();
        note.resize(48, 0);
        note.extend_from_slice(b"\x08go1.23.4");
        assert_eq!(of("Go", &seen(&note, &[], &[])).and_then(|go| go.version.as_deref()), Some("1.23.4"));
    }

    #[test]
    fn no_memory_is_no_allocator() {
        let image = Image { pieces: &Pieces::default(), regions: &[], threads: &[], rest: &NoMemory };
        let mut found = Walked::default();
        recognise(&image, &mut found);
        assert!(found.recognised.is_empty());
    }
}
