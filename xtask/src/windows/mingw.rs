use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place;

/// A Windows that the distribution's compilers build for.
pub(super) struct Mingw {
    pub(super) triple: &'static str,
    /// What the names of its C tools begin with.
    prefix: &'static str,
    /// Where a 64-bit Windows keeps the libraries of its programs.
    pub(super) libraries: &'static str,
}

pub(super) const X86_64: Mingw =
    Mingw { triple: "x86_64-pc-windows-gnu", prefix: "x86_64-w64-mingw32", libraries: "system32" };
pub(super) const I686: Mingw =
    Mingw { triple: "i686-pc-windows-gnu", prefix: "i686-w64-mingw32", libraries: "syswow64" };

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";

/// What the toolchain that runs us leaves for its children, and what would displace our own flags.
const LEFT_OUT: [&str; 7] = [
    "RUSTUP_TOOLCHAIN",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "LD_LIBRARY_PATH",
];

impl Mingw {
    /// The programs without which nothing builds.
    pub(super) fn programs(&self) -> [String; 4] {
        [CARGO.to_owned(), RUSTC.to_owned(), self.tool("gcc"), self.tool("ar")]
    }

    /// A C tool, by the name that it has on a Unix.
    pub(super) fn tool(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// cargo in the workspace, building for this Windows with its standard library from `sysroot`, in a folder of
    /// its own: another compiler would build the dependencies of the host again and again.
    ///
    /// Build scripts and macros run here and find the library of the host where it always is: flags are for the
    /// target alone when one is given.
    pub(super) fn cargo(&self, sysroot: &Path, arguments: &[&str]) -> Command {
        let mut flags = OsString::from("--sysroot\x1f");
        flags.push(sysroot);
        let mut command = cargo();
        command
            .args(arguments)
            .args(["--target", self.triple])
            .current_dir(place::root())
            .env("CARGO_TARGET_DIR", place::target().join("windows"))
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .env(self.setting("LINKER"), self.tool("gcc"))
            .env(format!("CC_{}", self.underscored()), self.tool("gcc"))
            .env(format!("AR_{}", self.underscored()), self.tool("ar"));
        command
    }

    /// Where cargo leaves what it built.
    pub(super) fn built(&self) -> PathBuf {
        place::target().join("windows").join(self.triple).join("debug")
    }

    /// Has cargo and nextest run what they built by `runner`.
    pub(super) fn run_with(&self, command: &mut Command, runner: &str) {
        command.env(self.setting("RUNNER"), runner);
    }

    fn setting(&self, name: &str) -> String {
        format!("CARGO_TARGET_{}_{name}", self.underscored().to_uppercase())
    }

    fn underscored(&self) -> String {
        self.triple.replace('-', "_")
    }
}

/// The distribution's cargo, which finds the distribution's compiler. Its subcommands are where they always are.
pub(super) fn cargo() -> Command {
    let mut command = alone(CARGO);
    command.env("CARGO", CARGO).env("RUSTC", RUSTC).env("PATH", path());
    command
}

pub(super) fn rustc() -> Command {
    alone(RUSTC)
}

fn alone(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in LEFT_OUT {
        command.env_remove(name);
    }
    command
}

/// A build script that looks for a `rustc` must not find that of rustup. The runner of tests is named without its folder,
/// for cargo would part a path that has a space in it.
fn path() -> OsString {
    let told = env::var_os("PATH").unwrap_or_default();
    let ours = [PathBuf::from("/usr/bin"), place::root().join("xtask/windows")];
    let folders = ours.into_iter().chain(env::split_paths(&told));
    env::join_paths(folders).unwrap_or_else(|_| OsStr::new("/usr/bin").to_owned())
}
