//! The Windows leg: our crates, built with mingw and tested under Wine on Linux.
//!
//! The distribution's compiler does it, beside the pinned one: the source of its library is packaged with it, so a
//! standard library for Windows can be built where none can be downloaded.

mod experiment;
mod mingw;
mod sysroot;
mod wine;

pub(crate) use experiment::run as experiment;

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{self, works};
use crate::{packages, place};
use mingw::{Mingw, X86_64};
use wine::Prefix;

/// Debian packages. Where there is no Debian: their equivalents, cargo and the compiler in `/usr/bin`.
const PACKAGES: [&str; 6] =
    ["rustc-web", "cargo-web", "rust-web-src", "gcc-mingw-w64-x86-64-posix", "wine", "wine64"];

/// The Windows that is built for.
const WINDOWS: Mingw = X86_64;

/// Packages that must build as they are for people.
const BUILT: [&str; 2] = ["residue-cli", "residue-capi"];

/// Packages whose tests run.
const TESTED: [&str; 11] = [
    "residue-model",
    "residue-analysis",
    "residue-heap",
    "residue-report",
    "residue-target",
    "residue-recording",
    "residue-capture",
    "residue",
    "residue-cli",
    "residue-capi",
    "residue-testkit",
];

/// Installs what the leg needs, the standard library for Windows with it, and says what was missing.
pub(crate) fn install() -> Result<Vec<String>> {
    let mut installed = packages::install(&PACKAGES)
        .context("the tests for Windows lack packages; Debian 12 has rustc-web among its security updates")?;
    for program in WINDOWS.programs().iter().map(String::as_str).chain(wine::PROGRAMS) {
        if !works(Command::new(program).arg("--version")) {
            bail!(
                "the tests for Windows need {program}, and it does not run. \
                 Install the equivalents of the Debian packages {}",
                PACKAGES.join(" ")
            );
        }
    }
    if sysroot::ensure(&WINDOWS)? {
        installed.push(format!("the standard library for {}", WINDOWS.triple));
    }
    Ok(installed)
}

/// Builds, then tests. All is compiled before Wine's server starts, so that the server lives no longer than the tests.
pub(crate) fn test() -> Result<String> {
    install()?;
    let prefix = Prefix::ensure("wine", &[WINDOWS])?;
    for package in BUILT {
        shell::run(&mut cargo(&["build", "--package", package]))?;
    }
    // nextest would run the programs to list their tests, even when it is told to run none.
    shell::run(&mut tests(&["test", "--no-run"]))?;
    let _server = prefix.start()?;
    let note = run_tests(&prefix)?;
    shell::run(prefix.shown_to(&mut library_tests()))?;
    Ok(format!("{note}; and the library from C"))
}

fn run_tests(prefix: &Prefix) -> Result<String> {
    if works(mingw::cargo().args(["nextest", "--version"])) {
        shell::run_and_note(prefix.shown_to(&mut tests(&["nextest", "run", "--no-fail-fast"])), "Summary")
    } else {
        let mut command = tests(&["test", "--lib", "--bins", "--tests"]);
        let note = shell::run_and_note(prefix.shown_to(&mut command), "test result")?;
        Ok(format!("without nextest; the last of them: {note}"))
    }
}

/// Programs in C that load the library: compiled here, where the compiler is, and started by Wine.
fn library_tests() -> Command {
    let library = WINDOWS.built().join("residue.dll");
    let mut command = shell::cargo(&["test", "--package", "residue-capi", "--test", "wine"]);
    command.args(["--", "--test-threads", "1"]).env("RESIDUE_WINDOWS_DLL", library);
    command
}

fn tests(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.args(TESTED.iter().flat_map(|package| ["--package", package]));
    command
}

/// cargo for Windows. The tests of snapshots are told where the workspace is: under Wine they cannot ask cargo.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = WINDOWS.cargo(&sysroot::folder(&WINDOWS), arguments);
    WINDOWS.run_with(&mut command, wine::RUNNER);
    command.env("INSTA_WORKSPACE_ROOT", place::root());
    command
}
