use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::shelf::shelf;

/// Says which packages were unpacked. A folder without it is not whole.
const STAMP: &str = "packages";

/// Where Debian keeps libraries: before and since `/lib` became a part of `/usr`.
const LIBRARIES: [&str; 2] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];

const LOADER: &str = "ld-linux-x86-64.so.2";

/// The C library that a program runs with: the system's, or that of a Debian release.
///
/// `cargo xtask setup` unpacks them beside the system's, which it leaves alone. Which version a release has is for
/// the program to say (`gnu_get_libc_version`): updates change it, and Sid's at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Libc {
    /// What the compiler and the system's loader take.
    #[default]
    System,
    /// Bullseye: glibc 2.31, before pointers in free lists were mangled. For programs in C alone.
    Debian11,
    /// Bookworm: glibc 2.36.
    Debian12,
    /// Trixie: glibc 2.41.
    Debian13,
    /// What will be a release: glibc 2.43 or newer.
    Sid,
}

impl Libc {
    /// All that `cargo xtask setup` unpacks, the oldest first.
    pub const UNPACKED: [Self; 4] = [Self::Debian11, Self::Debian12, Self::Debian13, Self::Sid];

    /// The name of the release in Debian's archive; `None` for the system's own.
    pub fn suite(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Debian11 => Some("bullseye"),
            Self::Debian12 => Some("bookworm"),
            Self::Debian13 => Some("trixie"),
            Self::Sid => Some("sid"),
        }
    }

    /// Where its packages are unpacked: in the user's cache, which all clones share, else beside what cargo builds.
    ///
    /// `None` for the system's own.
    pub fn folder(self) -> Option<PathBuf> {
        let suite = self.suite()?;
        Some(user_cache().unwrap_or_else(shelf).join("libc").join(suite))
    }

    /// The packages in its folder, one in a line; `None` when they are not all there.
    pub fn packages(self) -> Option<String> {
        fs::read_to_string(self.folder()?.join(STAMP)).ok()
    }

    /// Marks a folder as whole: what [`Self::packages`] gives from then on, once the folder is this one's.
    pub fn mark(folder: &Path, packages: &str) -> io::Result<()> {
        fs::write(folder.join(STAMP), packages)
    }

    /// What the compiler is told. A program that is linked with the system's library cannot run with a much older one,
    /// and one that is linked statically brings its own.
    pub(crate) fn flags(self, is_static: bool) -> io::Result<Vec<String>> {
        if self != Self::Debian11 && !is_static {
            return Ok(Vec::new());
        }
        let Some(folder) = self.whole_folder()? else { return Ok(Vec::new()) };
        let objects = folder.join("usr/lib/x86_64-linux-gnu");
        // The compiler looks for libraries beside itself first, unless it is told of objects elsewhere.
        Ok(vec![format!("--sysroot={}", folder.display()), format!("-B{}", objects.display())])
    }

    /// The words before the program that start it: a loader that is told where to look for libraries, or none.
    pub(crate) fn starter(self, is_static: bool) -> io::Result<Vec<OsString>> {
        let Some(folder) = self.whole_folder()?.filter(|_| !is_static) else { return Ok(Vec::new()) };
        let places = LIBRARIES.map(|place| folder.join(place));
        let loader = places.iter().map(|place| place.join(LOADER)).find(|loader| loader.exists());
        let loader = loader.ok_or_else(|| missing(&format!("no {LOADER} in {}", folder.display())))?;
        let path = env::join_paths(&places).map_err(io::Error::other)?;
        Ok(vec![loader.into(), "--library-path".into(), path])
    }

    fn whole_folder(self) -> io::Result<Option<PathBuf>> {
        let Some(folder) = self.folder() else { return Ok(None) };
        if self.packages().is_none() {
            return Err(missing(&format!("the C library of {self:?} is not in {}", folder.display())));
        }
        Ok(Some(folder))
    }
}

fn missing(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{what}; run `cargo xtask setup`"))
}

fn user_cache() -> Option<PathBuf> {
    let told = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = told.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("residue"))
}
