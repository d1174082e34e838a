//! Allocators and runtimes inside of programs, by texts that they carry.

use std::cell::OnceCell;
use std::ops::ControlFlow;

use memchr::memmem::Finder;
use residue_model::{Bytes, Range, Recognised};

use super::library::Library;
use super::veil::{Veiled, veiled};
use super::versions::{self, Pick};
use crate::Image;

/// A text, and where beside another one the version stands.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) mark: Veiled,
    pub(super) version: Option<(Veiled, Pick)>,
}

/// In texts of libraries of the system stands nothing that is looked for here, and they are large.
const SYSTEM: [&str; 9] =
    ["libc.", "libc-", "ld-", "libstdc++", "libm.", "libgcc_s", "libpthread", "libcrypto", "locale-archive"];
/// So much of one process is read for this at most.
const BUDGET: Bytes = Bytes(512 << 20);
/// Of one piece of memory and the next, so much is looked at together.
const SEAM: usize = 2 * versions::LONGEST;

/// Rust's standard library names its sources where it panics. It has no heap of its own.
const RUST: Veiled = veiled!(b"/rustc/");

/// What programs and libraries have inside. Reads all that they only read, once.
pub(super) fn find(
    image: &Image<'_>,
    libraries: &[Library],
    known: impl Iterator<Item = (&'static str, Text)>,
) -> Vec<Recognised> {
    let mut seeker = Seeker::new(known);
    let mut left = BUDGET.0;
    for library in libraries.iter().filter(|library| !is_system(library)) {
        let size: u64 = library.fixed.iter().map(|range| range.size().0).sum();
        if size <= left {
            left -= size;
            seeker.search(image, library, libraries);
        }
    }
    seeker.found()
}

fn is_system(library: &Library) -> bool {
    SYSTEM.iter().any(|name| library.file_name().starts_with(name))
}

struct Seeker {
    marks: Vec<(&'static str, Mark)>,
    rust: Mark,
}

/// One text that is looked for, and where it was seen first.
struct Mark {
    finder: Finder<'static>,
    version: Option<(Finder<'static>, Pick)>,
    seen: Option<(String, Vec<Range>)>,
    told: Option<String>,
}

impl Seeker {
    fn new(known: impl Iterator<Item = (&'static str, Text)>) -> Seeker {
        let known = known.map(|(name, text)| (name, Mark::new(text)));
        let rust = Text { mark: RUST, version: Some((RUST, rust_commit)) };
        Seeker { marks: known.collect(), rust: Mark::new(rust) }
    }

    fn search(&mut self, image: &Image<'_>, library: &Library, libraries: &[Library]) {
        let mut window = Vec::new();
        // Told when a mark is seen, and not for every library: it reads all variables.
        let used = OnceCell::new();
        let memory = || used.get_or_init(|| library.memory(image, libraries)).clone();
        for range in &library.fixed {
            let mut seam = Vec::new();
            let _ = image.rest.walk(*range, &mut window, &mut |_, piece| {
                seam.extend_from_slice(&piece[..piece.len().min(SEAM)]);
                self.look(&seam, library, &memory);
                self.look(piece, library, &memory);
                seam.clear();
                seam.extend_from_slice(&piece[piece.len().saturating_sub(SEAM)..]);
                ControlFlow::Continue(())
            });
        }
    }

    fn look(&mut self, bytes: &[u8], library: &Library, memory: &impl Fn() -> Vec<Range>) {
        for mark in self.marks.iter_mut().map(|(_, mark)| mark).chain([&mut self.rust]) {
            mark.look(bytes, library, memory);
        }
    }

    fn found(self) -> Vec<Recognised> {
        let recognised = |name: &str, version, evidence, walked| Recognised {
            name: name.to_owned(),
            version,
            evidence,
            walked,
            holds: Vec::new(),
        };
        let inside = self.marks.into_iter().filter_map(|(name, mark)| {
            let (path, holds) = mark.seen?;
            let doubt = if holds.is_empty() { "; nothing shows that it is used" } else { "" };
            let evidence = format!("its texts stand in {path}{doubt}");
            Some(Recognised { holds, ..recognised(name, mark.told, evidence, false) })
        });
        let rust = self.rust.seen.filter(|_| self.rust.told.is_some()).map(|(path, _)| {
            let evidence = format!("{path} was built from Rust; its blocks are those of the allocator");
            recognised("Rust", self.rust.told, evidence, true)
        });
        inside.chain(rust).collect()
    }
}

impl Mark {
    fn new(text: Text) -> Mark {
        let finder = |veiled: Veiled| Finder::new(&veiled.plain()).into_owned();
        let version = text.version.map(|(mark, pick)| (finder(mark), pick));
        Mark { finder: finder(text.mark), version, seen: None, told: None }
    }

    fn look(&mut self, bytes: &[u8], library: &Library, memory: &impl Fn() -> Vec<Range>) {
        if self.seen.is_none() && self.finder.find(bytes).is_some() {
            self.seen = Some((library.path.to_string(), memory()));
        }
        if let Some((mark, pick)) = self.version.as_ref().filter(|_| self.told.is_none()) {
            let length = mark.needle().len();
            self.told = mark.find_iter(bytes).find_map(|at| pick(&bytes[..at], &bytes[at + length..]));
        }
    }
}

/// The commit that the compiler was built from: programs do not carry its version.
fn rust_commit(_: &[u8], behind: &[u8]) -> Option<String> {
    let (commit, rest) = behind.split_at_checked(40)?;
    let is_commit = commit.iter().all(u8::is_ascii_hexdigit) && rest.first() == Some(&b'/');
    is_commit.then(|| format!("commit {}", String::from_utf8_lossy(&commit[..10])))
}
