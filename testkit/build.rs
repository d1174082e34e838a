//! Compiles the programs for Windows: where their tests run there is no compiler.
//!
//! On other systems a program is compiled when a test first needs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs that Windows can run.
const PROGRAMS: [&str; 2] = ["fragmenting", "victim"];

fn main() {
    println!("cargo::rerun-if-changed=programs");
    if env::var("CARGO_CFG_WINDOWS").is_err() {
        return;
    }
    let target = env::var("TARGET").unwrap_or_default();
    let told = env::var(format!("CC_{}", target.replace('-', "_")));
    let compiler = told.unwrap_or_else(|_| "x86_64-w64-mingw32-gcc".into());
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo tells where to write"));
    for name in PROGRAMS {
        compile(&compiler, name, &folder);
    }
}

/// Stripped: Wine's dbghelp fails on some debug information.
fn compile(compiler: &str, name: &str, folder: &Path) {
    let mut command = Command::new(compiler);
    command
        .args(["-std=gnu11", "-O1", "-s", "-Wall", "-Wextra", "-o"])
        .arg(folder.join(name).with_extension("exe"))
        .arg(Path::new("programs").join(name).with_extension("c"));
    let status = command.status().unwrap_or_else(|error| panic!("failed to start {compiler}: {error}"));
    assert!(status.success(), "{compiler} failed to compile {name}");
}
