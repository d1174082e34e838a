//! Which frames only pass on what somebody else asked for: allocators, their wrappers, the containers of the languages.
//!
//! Only whole names count, never parts of them: a program's own `lose_malloc` is where it asked.

use regex::Regex;

use super::Frame;
use super::known::{ALLOCATORS, LIBRARIES, RUST_MODULES, RUST_SYMBOLS};
use super::name::{Word, words};

/// Which frames stand between the program's own code and the allocator.
#[derive(Clone, Debug, Default)]
pub struct Skip {
    /// Functions that pass on too, as the user says.
    pub also: Option<Regex>,
}

impl Skip {
    /// Whether a frame only passes on.
    pub fn passes(&self, frame: &Frame) -> bool {
        if frame.module_name().is_some_and(is_library) {
            return true;
        }
        let Some(function) = &frame.function else { return false };
        self.also.as_ref().is_some_and(|also| also.is_match(function))
            || is_wrapper(function)
            || frame.file.as_deref().is_some_and(is_rust_library)
    }
}

fn is_library(module: &str) -> bool {
    let known = LIBRARIES.iter().find(|library| module.starts_with(**library));
    // `libc++` is also how `libc++-fancy.so` of a program could begin: what follows must end the name.
    known.is_some_and(|library| {
        let rest = &module[library.len()..];
        library.ends_with('-')
            || rest.is_empty()
            || rest.starts_with(['.', '-', '_'])
            || rest.starts_with("abi")
    })
}

/// Whether a function is where a program or a thread begins.
pub(super) fn is_entry(frame: &Frame) -> bool {
    const ENTRIES: [&str; 8] = [
        "_start",
        "__libc_start_main",
        "__libc_start_main_impl",
        "__libc_start_call_main",
        "start_thread",
        "clone",
        "clone3",
        "__clone3",
    ];
    frame.function.as_deref().is_some_and(|function| ENTRIES.contains(&function))
}

/// Where the sources of Rust's own library lie: as distributed, and as cargo vendors what the library is built of.
fn is_rust_library(file: &str) -> bool {
    const CRATES: [&str; 4] = ["/library/alloc/", "/library/core/", "/library/std/", "/hashbrown-"];
    (file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/") || file.contains("/registry/src/"))
        && CRATES.iter().any(|place| file.contains(place))
}

fn is_wrapper(function: &str) -> bool {
    match words(function) {
        Word::Plain(path) => is_plain_wrapper(&path),
        Word::Method { on, of } => {
            is_rust_path(&on) || (!on.contains("::") && of.is_some_and(|of| is_rust_path(&of)))
        }
    }
}

fn is_plain_wrapper(path: &str) -> bool {
    if path.starts_with("operator new") || path.starts_with("operator delete") {
        return true;
    }
    if path.contains("::") {
        let is_cpp = ["std::", "__gnu_cxx::", "__cxxabiv1::"].iter().any(|space| path.starts_with(space));
        return is_cpp || is_rust_path(path);
    }
    let bare = bare(path);
    ALLOCATORS.contains(&bare) || RUST_SYMBOLS.iter().any(|symbol| bare.starts_with(symbol))
}

/// A C function without what libraries and compilers put around its name: `__GI___libc_malloc` is malloc, and so is
/// `malloc@plt`.
fn bare(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name).trim_start_matches('_');
    let name = name.strip_prefix("GI_").unwrap_or(name).trim_start_matches('_');
    let name = name.strip_prefix("libc_").unwrap_or(name);
    let clones = [".part.", ".isra.", ".constprop.", ".cold", ".llvm."];
    clones.iter().fold(name, |name, mark| name.split(mark).next().unwrap_or(name))
}

/// Rust's own crates; of `core` and `alloc` only what is in them, for a C++ program may call a namespace so.
fn is_rust_path(path: &str) -> bool {
    let path = path.trim_start_matches(['&', '*', ' ']).trim_start_matches("mut ");
    let mut parts = path.split("::");
    let (Some(first), second) = (parts.next(), parts.next()) else { return false };
    match first {
        "std" | "hashbrown" => second.is_some(),
        "alloc" | "core" => second.is_some_and(|module| RUST_MODULES.contains(&module)),
        _ => false,
    }
}
