//! What is known by name: of its library, of its program, or of the mappings that it makes.

use residue_model::{Range, Recognised};

use super::library::Library;
use super::texts::Text;
use super::veil::veiled;
use super::versions;
use crate::Image;

/// An allocator or a runtime, and how it shows.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// How the names of its libraries or programs begin.
    pub(super) files: &'static [&'static str],
    /// How the version of its library follows from that one's name.
    version: fn(&Library) -> Option<String>,
    /// How it names the memory that it maps.
    pub(super) mapping: Option<&'static str>,
    /// A text in every program that has it inside.
    pub(super) text: Option<Text>,
}

/// In which order they are looked for and told.
const KNOWN: [Known; 15] = [
    Known {
        name: "jemalloc",
        files: &["libjemalloc.so", "libjemalloc-"],
        version: unnamed,
        mapping: None,
        text: Some(Text {
            mark: veiled!(b"<jemalloc>: "),
            version: Some((veiled!(b"-g"), versions::jemalloc)),
        }),
    },
    Known {
        name: "tcmalloc (gperftools)",
        files: &["libtcmalloc"],
        version: behind_so,
        mapping: None,
        text: Some(Text { mark: veiled!(b"TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES"), version: None }),
    },
    Known {
        name: "tcmalloc (Google)",
        files: &[],
        version: unnamed,
        mapping: Some("[anon:tcmalloc_region_"),
        text: None,
    },
    Known {
        name: "mimalloc",
        files: &["libmimalloc"],
        version: behind_so,
        mapping: None,
        text: Some(Text { mark: veiled!(b"mimalloc: warning: "), version: None }),
    },
    Known {
        name: "scudo",
        files: &["libscudo", "libclang_rt.scudo"],
        version: unnamed,
        mapping: Some("[anon:scudo:"),
        text: Some(Text { mark: veiled!(b"Scudo ERROR: "), version: None }),
    },
    Known {
        name: "AddressSanitizer's allocator",
        files: &["libasan.so", "libclang_rt.asan"],
        version: unnamed,
        mapping: None,
        text: Some(Text { mark: veiled!(b"ERROR: AddressSanitizer: attempting "), version: None }),
    },
    // Before 1.2.1 it had another allocator, which has no structure that tells it apart.
    Known { name: "musl", files: &["ld-musl", "libc.musl"], version: unnamed, mapping: None, text: None },
    Known { name: "Hoard", files: &["libhoard"], version: unnamed, mapping: None, text: None },
    Known { name: "snmalloc", files: &["libsnmalloc"], version: unnamed, mapping: None, text: None },
    Known { name: "Boehm's collector", files: &["libgc.so"], version: unnamed, mapping: None, text: None },
    Known {
        name: "CPython",
        files: &["libpython3", "libpython2", "python3", "python2"],
        version: in_name,
        mapping: None,
        text: None,
    },
    Known {
        name: "Java (HotSpot)",
        files: &["libjvm.so"],
        version: unnamed,
        mapping: None,
        text: Some(Text {
            mark: veiled!(b"OpenJDK 64-Bit Server VM ("),
            version: Some((veiled!(b"OpenJDK 64-Bit Server VM ("), versions::in_brackets)),
        }),
    },
    Known {
        name: "V8",
        files: &["libv8.so"],
        version: unnamed,
        mapping: Some("[anon:v8"),
        text: Some(Text {
            mark: veiled!(b"Fatal JavaScript invalid size error"),
            version: Some((veiled!(b"-node."), versions::before)),
        }),
    },
    Known { name: ".NET", files: &["libcoreclr.so"], version: unnamed, mapping: None, text: None },
    Known { name: "Ruby", files: &["libruby"], version: in_name, mapping: None, text: None },
];

/// The texts by which allocators and runtimes are told, with the names of these.
pub(super) fn texts() -> impl Iterator<Item = (&'static str, Text)> {
    KNOWN.iter().filter_map(|known| Some((known.name, known.text?)))
}

/// Those whose libraries or mappings are there.
pub(super) fn by_names(image: &Image<'_>, libraries: &[Library]) -> Vec<Recognised> {
    KNOWN.iter().filter_map(|known| known.mapped(image).or_else(|| known.loaded(image, libraries))).collect()
}

impl Known {
    /// By the names of its mappings: these are its memory.
    fn mapped(&self, image: &Image<'_>) -> Option<Recognised> {
        let name = self.mapping?;
        let regions = image.regions.iter().filter(|region| region.name().starts_with(name));
        let holds: Vec<Range> =
            regions.filter(|region| region.protection.write).map(|region| region.range).collect();
        let first = holds.first()?;
        let evidence =
            format!("{} of its mappings are named {name}…, the first at {}", holds.len(), first.start);
        Some(Recognised { name: self.name.to_owned(), version: None, evidence, walked: false, holds })
    }

    /// By its library, and whether that has begun to work.
    fn loaded(&self, image: &Image<'_>, libraries: &[Library]) -> Option<Recognised> {
        let is_its = |library: &&Library| self.files.iter().any(|file| library.file_name().starts_with(file));
        let all = || libraries.iter().filter(is_its);
        let mut each = all().map(|library| (library, library.memory(image, libraries)));
        let used = each.find(|(_, holds)| !holds.is_empty());
        let is_used = used.is_some();
        let (library, holds) = used.or_else(|| Some((all().next()?, Vec::new())))?;
        let evidence = if is_used {
            format!("{} is mapped, and its variables point to memory", library.path)
        } else {
            format!("{} is mapped; nothing shows that it is used", library.path)
        };
        let version = all().find_map(self.version);
        Some(Recognised { name: self.name.to_owned(), version, evidence, walked: false, holds })
    }
}

/// Its file says nothing of the version, or counts another way.
fn unnamed(_: &Library) -> Option<String> {
    None
}

/// `4.5.10` of `libtcmalloc.so.4.5.10`.
fn behind_so(library: &Library) -> Option<String> {
    library.so_version()
}

/// `3.11` of `libpython3.11.so.1.0` and of `python3.11`.
fn in_name(library: &Library) -> Option<String> {
    versions::of_program(library.file_name())
}
