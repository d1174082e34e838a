//! Go, by the note that its linker leaves in every program.
//!
//! Source: Go `src/debug/buildinfo/buildinfo.go`, `src/runtime/malloc.go` for where the heap stands on 64-bit machines.

use memchr::memmem::Finder;
use residue_model::{Address, Range, Recognised};

use super::library::Library;
use super::veil::veiled;
use crate::Image;

/// Where the heap begins, and how far apart the places are that are tried next.
const HEAP: Range = Range { start: Address(0xc0 << 32), end: Address(0xe0 << 32) };
/// The version stands in the note itself, and not behind a pointer. Since Go 1.18.
const INLINE: u8 = 2;
/// Where in the note.
const VERSION: usize = 32;

/// The Go runtime, if a program or library of the target has it.
pub(super) fn find(image: &Image<'_>, libraries: &[Library]) -> Vec<Recognised> {
    let magic = Finder::new(&veiled!(b"\xff Go buildinf:").plain()).into_owned();
    libraries.iter().find_map(|library| told(image, library, &magic)).into_iter().collect()
}

fn told(image: &Image<'_>, library: &Library, magic: &Finder<'_>) -> Option<Recognised> {
    let mut variables = library.variables.iter().flat_map(|range| image.pieces.within(*range));
    let note = variables.find_map(|(_, bytes)| bytes.get(magic.find(bytes)?..))?;
    let regions =
        image.regions.iter().filter(|region| region.protection.write && region.range.overlap(HEAP).is_some());
    Some(Recognised {
        name: "Go".to_owned(),
        version: version(note),
        evidence: format!("{} has the note of Go's linker", library.path),
        walked: false,
        holds: regions.map(|region| region.range).collect(),
    })
}

/// `go1.23.4`, without its first two letters.
fn version(note: &[u8]) -> Option<String> {
    let inline = *note.get(15)? & INLINE != 0;
    // A length of 128 and more has more bytes than one; no version is so long.
    let length = usize::from(*note.get(VERSION)?).min(127);
    let text = note.get(VERSION + 1..VERSION + 1 + length).filter(|_| inline)?;
    let text = std::str::from_utf8(text).ok()?.split_whitespace().next()?;
    Some(text.strip_prefix("go").unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_in_the_note() {
        let mut note = b"\xff Go buildinf:\x08\x02".to_vec();
        note.resize(VERSION, 0);
        note.extend_from_slice(b"\x08go1.23.4rest");
        assert_eq!(version(&note).as_deref(), Some("1.23.4"));
        note[15] = 0;
        assert_eq!(version(&note), None, "it stands behind a pointer");
        assert_eq!(version(&note[..20]), None);
    }
}
