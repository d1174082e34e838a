//! Source lines and inlined functions: what stands at an address of an image that ran some time, somewhere.
//!
//! [`Lookup::name`] takes all addresses of one image at once: debug information is gone through once, and only the units
//! that have one of the addresses. It finds that information in the image's file, in the file that was split off it, or
//! at a server; a file of another build than the one that ran is never used.

mod debuginfod;
mod effort;
mod elf;
mod find;
mod functions;
mod names;
mod ranges;
mod resolve;
mod rows;
mod split;
mod units;

use std::path::PathBuf;

use residue_model::Gap;
use residue_model::recording::Place;

pub use debuginfod::Debuginfod;

use self::find::Files;
use self::resolve::{Places, Told, resolve};
use self::split::Split;
use super::demangle::demangle;
use super::separate::packed;
use super::table::SymbolTable;
use crate::procfs::printable;

/// An ELF image as it was recorded: where it stood, and which build it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId {
    /// Its path, as its process saw it.
    pub path: PathBuf,
    /// Its build ID, as `NT_GNU_BUILD_ID` has it; none where it has none.
    pub build_id: Option<Vec<u8>>,
}

/// What stands at the addresses of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// For each address, in the order given: its places, the innermost inlined function first, the function that has the
    /// code last. Nothing where nothing is known.
    pub places: Vec<Vec<Place>>,
    /// What could not be found, and why. What is missing for the same reason has the same words.
    pub gaps: Vec<Gap>,
}

/// Where the files of images are looked for.
#[derive(Debug)]
pub struct Lookup {
    /// Other roots in which all paths are tried first: a container, or a copy of another machine's files.
    pub roots: Vec<PathBuf>,
    /// Where packages put debug files: `/usr/lib/debug`.
    pub debug_directories: Vec<PathBuf>,
    /// Debug files by build ID from a cache, or from servers; none to leave both alone.
    pub debuginfod: Option<Debuginfod>,
}

impl Default for Lookup {
    /// Only what is installed here.
    fn default() -> Lookup {
        let debug_directories = vec![PathBuf::from("/usr/lib/debug")];
        Lookup { roots: Vec::new(), debug_directories, debuginfod: None }
    }
}

impl Lookup {
    /// What is installed here, and debuginfod as the environment says.
    pub fn from_env() -> Lookup {
        let debuginfod = Debuginfod::from_env(|name| std::env::var_os(name));
        Lookup { debuginfod, ..Lookup::default() }
    }

    /// Names addresses of an image, which are those that it was linked for, as in its program headers. Of a return
    /// address, one is to be taken off first: the call stands before it.
    pub fn name(&self, image: &ImageId, addresses: &[u64]) -> Named {
        let files = Files::of(image, self);
        let mut gaps = Gaps::of(image);
        let mut sorted = addresses.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let told = match files.lines() {
            Some((path, debug)) => {
                let shared = files.shared(self).unwrap_or_else(|name| {
                    gaps.names(format!("its debug information shares tables with {name}, which is not here"));
                    None
                });
                let beside = [&image.path, path].map(PathBuf::clone).to_vec();
                resolve(debug, shared.as_ref(), &Split::of(beside, debug.endian), &sorted)
            }
            None => Told::default(),
        };
        gaps.add(image, &files, &told, self);
        let symbols = Symbols::of(&files);
        let places = |address: &u64| symbols.complete(*address, told.places.get(address));
        Named { places: addresses.iter().map(places).collect(), gaps: gaps.list }
    }
}

/// What is missing of an image.
struct Gaps {
    image: String,
    list: Vec<Gap>,
}

impl Gaps {
    fn of(image: &ImageId) -> Gaps {
        Gaps { image: printable(image.path.to_string_lossy().as_bytes()), list: Vec::new() }
    }

    fn names(&mut self, why: impl Into<String>) {
        self.list.push(Gap::new(format!("function names of {}", self.image), why));
    }

    fn lines(&mut self, why: impl Into<String>) {
        self.list.push(Gap::new(format!("source lines of {}", self.image), why));
    }

    fn add(&mut self, image: &ImageId, files: &Files, told: &Told, how: &Lookup) {
        let is_asked = how.debuginfod.as_ref().is_some_and(|debuginfod| !debuginfod.servers.is_empty());
        let loaded = if is_asked { "; no debuginfod server has it" } else { ", or set DEBUGINFOD_URLS" };
        if image.build_id.is_none() && files.image.is_some() {
            self.names("it has no build ID: whether the file is still the one that ran cannot be told");
        }
        if files.image.is_none() && files.debug.is_none() {
            let why = files.refused.clone().unwrap_or_default();
            self.names(match &files.unloaded {
                Some(unloaded) => format!("{why}; {unloaded}"),
                None => why,
            });
        } else if files.lines().is_none() {
            self.lines(match &files.unloaded {
                Some(unloaded) => format!("it has no debug information; {unloaded}"),
                None => format!(
                    "it has no debug information: compile with -g, or install its debug package{loaded}"
                ),
            });
        }
        for why in &told.stops {
            self.lines(*why);
        }
        if let Some(first) = told.unsplit.first() {
            let more = told.unsplit.len() - 1;
            let named = if more == 0 { first.clone() } else { format!("{first} and {more} more") };
            self.names(format!(
                "inlined functions stand in {named}, which cannot be found: pack them with dwp"
            ));
        }
    }
}

/// The symbols of an image, for what its debug information does not name.
struct Symbols {
    table: SymbolTable,
    /// Whether functions that nobody outside calls are among them.
    is_whole: bool,
}

impl Symbols {
    fn of(files: &Files) -> Symbols {
        let mut table = SymbolTable::default();
        let mut is_whole = false;
        for (_, elf) in files.image.iter().chain(&files.debug) {
            is_whole |= table.add(&elf.contents);
        }
        if let Some((_, image)) = files.image.as_ref().filter(|_| !is_whole)
            && let Some(more) = packed(&image.contents)
        {
            table.add(&more);
        }
        table.sort();
        Symbols { table, is_whole }
    }

    /// The function at an address, as its symbol spells it. What has no size reaches as far as the next symbol, where
    /// all symbols are known.
    fn function(&self, address: u64) -> Option<&[u8]> {
        let found = self.table.find(address)?;
        let is_sure = found.size > 0 || found.start == address || self.is_whole;
        (found.is_code && is_sure).then_some(found.name)
    }

    /// The places of an address, with a name for the function that has the code, as far as there is one.
    fn complete(&self, address: u64, places: Option<&Places>) -> Vec<Place> {
        let function = self.function(address);
        let Some(found) = places.filter(|found| !found.places.is_empty()) else {
            let place = |name| Place { function: Some(demangle(name).into()), ..Place::default() };
            return function.map(place).into_iter().collect();
        };
        let mut places = found.places.clone();
        if let (Some(name), Some(last)) = (function.filter(|_| found.is_bare), places.last_mut()) {
            let is_mangled = name.starts_with(b"_Z") || name.starts_with(b"_R");
            if last.function.is_none() || is_mangled {
                // What was split off a function (`.cold`) belongs to it.
                let whole = name.split(|&byte| byte == b'.').next().unwrap_or(name);
                last.function = Some(demangle(if is_mangled { whole } else { name }).into());
            }
        }
        places
    }
}
