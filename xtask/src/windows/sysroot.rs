use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::mingw::{self, Mingw};
use crate::place;
use crate::shell::{self, output};

/// The crates of the standard library: what programs need, and what tests do.
const CRATES: &str = "std,panic_unwind,panic_abort,proc_macro,test";

/// Objects that every program for 32 bits is linked with: they register its unwind tables.
const STARTUP: [&str; 2] = ["rsbegin", "rsend"];

/// Says by whom a library was built. A library without it is not whole.
const STAMP: &str = "built-by";

/// What rustc takes for its own folder. It holds the library for `windows` and nothing else.
pub(super) fn folder(windows: &Mingw) -> PathBuf {
    place::cache().join("windows-std").join(windows.triple)
}

/// Builds the library unless the compiler that is here built it already. Gives whether it did.
pub(super) fn ensure(windows: &Mingw) -> Result<bool> {
    let compiler = output(mingw::rustc().arg("-vV"))?;
    let stamp = format!("{compiler}{CRATES}\n");
    let folder = folder(windows);
    if is_whole(&folder, &stamp) {
        return Ok(false);
    }
    let source = source(&compiler)?;
    println!("building the standard library for {}: some minutes, once for each compiler", windows.triple);
    let work = place::target().join("windows-std");
    clear(&work)?;
    let built = build(windows, &work)
        .with_context(|| format!("failed to build the standard library for {}", windows.triple))?;

    // Two clones may build at the same time: each puts together its own, and either may be the one that stays.
    let new = folder.with_extension(process::id().to_string());
    clear(&new)?;
    install(windows, &built, &source, &new).with_context(|| format!("failed to fill {}", new.display()))?;
    write(&new.join(STAMP), &stamp)?;
    replace(&folder, &new)
        .or_else(|error| if is_whole(&folder, &stamp) { clear(&new) } else { Err(error) })?;
    clear(&work)?;
    Ok(true)
}

fn is_whole(folder: &Path, stamp: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp)
}

/// The source of the library. That of another version does not compile.
fn source(compiler: &str) -> Result<PathBuf> {
    let release = compiler.lines().find_map(|line| line.strip_prefix("release: ")).unwrap_or_default();
    let sysroot = output(mingw::rustc().args(["--print", "sysroot"]))?;
    let root = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    let library = root.join("library");
    ensure!(
        library.is_dir(),
        "the source of the Rust library is not in {}. On Debian: apt-get install rust-web-src",
        library.display()
    );
    // Not every distribution says the version.
    if let Ok(version) = fs::read_to_string(root.join("src/version")) {
        let version = version.trim();
        ensure!(
            version == release,
            "the source of the Rust library is of {version} and the compiler of {release}. \
             On Debian: apt-get update && apt-get install rustc-web cargo-web rust-web-src"
        );
    }
    Ok(library)
}

/// Builds a crate that needs nothing, with the library under it, and gives the files of the library.
fn build(windows: &Mingw, work: &Path) -> Result<Vec<PathBuf>> {
    make(&work.join("src"))?;
    write(&work.join("src/lib.rs"), "#![no_std]\n")?;
    // The workspace keeps cargo from looking for one above.
    let manifest = "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n";
    write(&work.join("Cargo.toml"), manifest)?;
    let mut command = mingw::cargo();
    command
        .args(["build", "--release", "--message-format=json-render-diagnostics", "--target", windows.triple])
        .arg(format!("-Zbuild-std={CRATES}"))
        .current_dir(work)
        .env("RUSTC_BOOTSTRAP", "1") // unstable flags, with the only compiler that the source is for
        .env("CARGO_TARGET_DIR", work.join("target"))
        .stderr(Stdio::inherit());
    let messages = output(&mut command)?;
    Ok(messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .flat_map(|message| rlibs(&message))
        .collect())
}

/// The library files in one of cargo's messages.
fn rlibs(message: &Value) -> Vec<PathBuf> {
    if message["target"]["name"] == "empty" {
        return Vec::new();
    }
    let files = message["filenames"].as_array().into_iter().flatten();
    let paths = files.filter_map(Value::as_str).map(PathBuf::from);
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "rlib")).collect()
}

fn install(windows: &Mingw, built: &[PathBuf], source: &Path, sysroot: &Path) -> Result<()> {
    let folder = sysroot.join("lib/rustlib").join(windows.triple).join("lib");
    make(&folder)?;
    for file in built {
        let name = file.file_name().context("a library without a name")?;
        fs::copy(file, folder.join(name)).with_context(|| format!("failed to copy {}", file.display()))?;
    }
    for name in STARTUP {
        let mut command = mingw::rustc();
        command
            .args(["--target", windows.triple, "--emit=obj", "-O", "-o"])
            .arg(folder.join(name).with_extension("o"))
            .arg(source.join("rtstartup").join(name).with_extension("rs"))
            .env("RUSTC_BOOTSTRAP", "1");
        shell::run(&mut command)?;
    }
    Ok(())
}

/// The stamp of the old goes first: half of a folder must not pass for a whole one.
fn replace(old: &Path, new: &Path) -> Result<()> {
    if old.exists() {
        let _ = fs::remove_file(old.join(STAMP));
        clear(old)?;
    }
    fs::rename(new, old).with_context(|| format!("failed to move {} into place", new.display()))
}

fn clear(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("failed to remove {}", folder.display()))
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
