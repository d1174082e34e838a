use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

const HEADER: &str = "truth.h";

/// Compiles a program unless it is there, and gives its path.
///
/// The folder is named by what the result depends on and the file by the program, so that the kernel shows the
/// program under its own name.
pub(crate) fn compile(name: &str, flags: &[String]) -> io::Result<PathBuf> {
    let source = programs().join(format!("{name}.c"));
    let folder = shelf().join(key(&source, flags)?);
    let binary = folder.join(name);
    if binary.exists() {
        return Ok(binary);
    }
    fs::create_dir_all(&folder)?;
    let draft = folder.join(draft_name(name));
    run(&source, flags, &draft)?;
    // Tests run in parallel, in several processes: each compiles its own draft, and all drafts are equal.
    fs::rename(&draft, &binary)?;
    Ok(binary)
}

fn run(source: &Path, flags: &[String], output: &Path) -> io::Result<()> {
    let cc = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let done = Command::new(&cc)
        .args(["-std=gnu11", "-O1", "-g", "-pthread", "-Wall", "-Wextra"])
        .args(flags)
        .arg("-o")
        .args([output, source])
        .args(["-lrt", "-lm"])
        .output()
        .map_err(|error| {
            io::Error::new(error.kind(), format!("failed to start {}: {error}", cc.display()))
        })?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("{} {flags:?} {}: {said}", cc.display(), source.display())))
}

fn key(source: &Path, flags: &[String]) -> io::Result<String> {
    let mut hasher = DefaultHasher::new();
    fs::read(source)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", source.display())))?
        .hash(&mut hasher);
    fs::read(programs().join(HEADER))?.hash(&mut hasher);
    flags.hash(&mut hasher);
    env::var_os("CC").hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn draft_name(name: &str) -> String {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    format!("{name}.{}.{}", process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed))
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// Beside what cargo builds, so that `cargo clean` takes it too.
fn shelf() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the testkit stands in the workspace");
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target).join("testkit")
}
