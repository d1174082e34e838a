//! `cargo xtask setup`: installs what the tests need, and nothing that is there.

use anyhow::Result;

use crate::shell::{self, cargo, works};
use crate::{libraries, packages, windows};

/// Debian packages: the peers that we compare with, compilers for the testkit, a browser for the report.
const PACKAGES: [&str; 18] = [
    "chromium",
    "dwz",
    "g++",
    "gcc",
    "gcc-multilib",
    "gdb",
    "git",
    "heaptrack",
    "libcap2-bin",
    "libjemalloc-dev",
    "libjemalloc2",
    "musl-tools",
    "perl",
    "procps",
    "python3",
    "smem",
    "util-linux",
    "valgrind",
];

/// Subcommands of cargo; each comes from the package `cargo-NAME`.
const TOOLS: [&str; 3] = ["nextest", "deny", "fuzz"];

pub(crate) fn run() -> Result<()> {
    println!("{}", install()?);
    Ok(())
}

/// Installs what is missing and says what that was. What cannot be had does not keep the rest out.
pub(crate) fn install() -> Result<String> {
    let (packages, tools, windows) = (packages::install(&PACKAGES), install_tools(), windows::install());
    let libraries = libraries::install();
    let installed = [packages?, tools?, windows?, libraries?].concat();
    Ok(if installed.is_empty() {
        "all is there".to_owned()
    } else {
        format!("installed {}", installed.join(", "))
    })
}

fn install_tools() -> Result<Vec<String>> {
    let mut installed = Vec::new();
    for tool in TOOLS {
        if works(&mut cargo(&[tool, "--version"])) {
            continue;
        }
        let package = format!("cargo-{tool}");
        shell::run(&mut cargo(&["install", "--locked", &package]))?;
        installed.push(package);
    }
    Ok(installed)
}
