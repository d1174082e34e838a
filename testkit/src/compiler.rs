use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::libc::Libc;
use crate::shelf::shelf;

/// What programs share. Few: all of them count for each program.
const HEADERS: [&str; 3] = ["truth.h", "heap.h", "sites.h"];

/// Compiles a program unless it is there, and gives its path.
///
/// The folder is named by what the result depends on and the file by the program, so that the kernel shows the
/// program under its own name.
pub(crate) fn compile(name: &str, flags: &[String], libc: Libc) -> io::Result<PathBuf> {
    let source = Source::of(name)?;
    let flags = [libc.flags(is_static(flags))?, flags.to_vec()].concat();
    let folder = shelf().join(key(&source, &flags)?);
    let stem = source.path.file_stem().unwrap_or_default();
    let binary = folder.join(stem);
    if binary.exists() {
        return Ok(binary);
    }
    fs::create_dir_all(&folder)?;
    let draft = folder.join(draft_name(&stem.to_string_lossy()));
    run(&source, &flags, &draft)?;
    // Tests run in parallel, in several processes: each compiles its own draft, and all drafts are equal.
    fs::rename(&draft, &binary)?;
    Ok(binary)
}

/// Whether the program has its libraries in it, and no loader starts it.
pub(crate) fn is_static(flags: &[String]) -> bool {
    flags.iter().any(|flag| flag == "-static")
}

struct Source {
    path: PathBuf,
    language: &'static Language,
}

struct Language {
    extension: &'static str,
    /// The variable that names the compiler, and the compiler where it is not set.
    compiler: (&'static str, &'static str),
    flags: &'static [&'static str],
    libraries: &'static [&'static str],
}

const NATIVE: [&str; 3] = ["-lrt", "-lm", "-ldl"];

const LANGUAGES: [Language; 3] = [
    Language {
        extension: "c",
        compiler: ("CC", "cc"),
        flags: &["-std=gnu11", "-O1", "-g", "-pthread", "-Wall", "-Wextra"],
        libraries: &NATIVE,
    },
    Language {
        extension: "cpp",
        compiler: ("CXX", "c++"),
        flags: &["-std=gnu++17", "-O1", "-g", "-pthread", "-Wall", "-Wextra"],
        libraries: &NATIVE,
    },
    Language {
        extension: "rs",
        compiler: ("RUSTC", "rustc"),
        flags: &["--edition=2024", "-g", "-O"],
        libraries: &[],
    },
];

impl Source {
    /// A name with an extension is that file; one without is the program of that name, in C when there are several.
    fn of(name: &str) -> io::Result<Self> {
        let place = programs().join(name);
        for language in &LANGUAGES {
            let path = match place.extension() {
                Some(extension) if extension == language.extension => place.clone(),
                Some(_) => continue,
                None => place.with_extension(language.extension),
            };
            if path.exists() {
                return Ok(Self { path, language });
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no program {}", place.display())))
    }

    fn compiler(&self) -> OsString {
        let (variable, otherwise) = self.language.compiler;
        env::var_os(variable).unwrap_or_else(|| otherwise.into())
    }
}

fn run(source: &Source, flags: &[String], output: &Path) -> io::Result<()> {
    let compiler = source.compiler();
    let done = Command::new(&compiler)
        .args(source.language.flags)
        .args(flags)
        .arg("-o")
        .args([output, &source.path])
        .args(source.language.libraries)
        .output()
        .map_err(|error| {
            io::Error::new(error.kind(), format!("failed to start {}: {error}", compiler.display()))
        })?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("{} {flags:?} {}: {said}", compiler.display(), source.path.display())))
}

fn key(source: &Source, flags: &[String]) -> io::Result<String> {
    let mut hasher = DefaultHasher::new();
    let path = &source.path;
    fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?
        .hash(&mut hasher);
    for header in HEADERS {
        fs::read(programs().join(header))?.hash(&mut hasher);
    }
    flags.hash(&mut hasher);
    source.language.flags.hash(&mut hasher);
    source.compiler().hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn draft_name(name: &str) -> String {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    format!("{name}.{}.{}", process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed))
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}
