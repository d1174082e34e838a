use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{self, cargo, works};
use crate::{layers, place, setup, windows};

/// A part of the tests. It gives a note for the table.
pub(super) struct Leg {
    pub(super) name: &'static str,
    pub(super) run: fn() -> Result<String>,
}

pub(super) const LEGS: &[Leg] = &[
    Leg { name: "setup", run: setup::install },
    Leg { name: "fmt", run: fmt },
    Leg { name: "clippy", run: clippy },
    Leg { name: "layers", run: layers::check },
    Leg { name: "build", run: build },
    Leg { name: "test", run: test },
    Leg { name: "windows", run: windows::test },
    Leg { name: "doctest", run: doctest },
    Leg { name: "doc", run: doc },
    Leg { name: "deny", run: deny },
    Leg { name: "fuzz", run: fuzz },
];

/// Seconds a fuzz target runs: enough to show that it stands and to find again what was found before.
const FUZZ_TIME: &str = "-max_total_time=15";
const FUZZ_INPUT: &str = "-max_len=65536";

/// The recorder, which is no member of the workspace.
const PRELOAD: [&str; 2] = ["--manifest-path", "crates/preload/Cargo.toml"];

fn fmt() -> Result<String> {
    preload("fmt", &["--check"])?;
    bare(&["fmt", "--all", "--check"])
}

fn clippy() -> Result<String> {
    preload("clippy", &["--all-targets", "--", "-D", "warnings"])?;
    preload("clippy", &["--lib", "--features", "hooks", "--", "-D", "warnings"])?;
    bare(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// The tests of the command and the figures run this binary.
fn build() -> Result<String> {
    bare(&["build", "--release", "--package", "residue-cli"])
}

fn test() -> Result<String> {
    // Programs in C and Python load it: to cargo nothing depends on it.
    bare(&["build", "--package", "residue-capi"])?;
    preload("test", &[])?;
    if works(&mut cargo(&["nextest", "--version"])) {
        // All that fail, in one run: on another machine each run is dear.
        let tests = ["nextest", "run", "--workspace", "--no-fail-fast"];
        shell::run_and_note(&mut cargo(&tests), "Summary")
    } else {
        let tests = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
        let note = shell::run_and_note(&mut cargo(&tests), "test result")?;
        Ok(format!("without nextest; the last of them: {note}"))
    }
}

fn doctest() -> Result<String> {
    shell::run_and_note(&mut cargo(&["test", "--doc", "--workspace"]), "test result: FAILED")
}

fn doc() -> Result<String> {
    let mut command = cargo(&["doc", "--no-deps", "--workspace"]);
    shell::run(command.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    Ok(String::new())
}

/// Without network there are no advisories; the other checks need none.
fn deny() -> Result<String> {
    let all = cargo(&["deny", "check"]).output().context("failed to start cargo deny")?;
    let said = String::from_utf8_lossy(&all.stderr);
    let fetched = !said.contains("failed to fetch advisory database");
    if all.status.success() || fetched {
        eprint!("{said}");
        print!("{}", String::from_utf8_lossy(&all.stdout));
        return if all.status.success() { deny_preload() } else { bail!("cargo deny check found something") };
    }
    bare(&["deny", "check", "bans", "licenses", "sources"])?;
    deny_preload()?;
    Ok("ADVISORIES WERE NOT CHECKED: their database cannot be fetched from here".to_owned())
}

/// It has a lock file of its own.
fn deny_preload() -> Result<String> {
    let deny = ["deny", PRELOAD[0], PRELOAD[1], "check", "bans", "licenses", "sources"];
    bare(&deny)
}

fn fuzz() -> Result<String> {
    let targets = fuzz_targets()?;
    for target in &targets {
        println!("--- {target}");
        fuzz_one(target)?;
    }
    Ok(format!("{} targets", targets.len()))
}

fn fuzz_targets() -> Result<Vec<String>> {
    let folder = place::root().join("fuzz/fuzz_targets");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).context("failed to list the fuzz targets")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// The first folder takes what is found, the second is only read.
fn fuzz_one(target: &str) -> Result<()> {
    let corpus = place::root().join("fuzz/corpus").join(target);
    let fixtures = place::root().join("fixtures").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("failed to make {}", corpus.display()))?;
    let mut command = cargo(&["fuzz", "run", target]);
    command.args([corpus, fixtures].into_iter().filter(|folder: &PathBuf| Path::is_dir(folder)));
    // Sanitizers and coverage are unstable flags; the pinned toolchain is the stable one.
    shell::run(command.env("RUSTC_BOOTSTRAP", "1").args(["--", FUZZ_TIME, FUZZ_INPUT, "-verbosity=0"]))
}

fn preload(command: &str, arguments: &[&str]) -> Result<String> {
    bare(&[&[command], &PRELOAD[..], arguments].concat())
}

fn bare(arguments: &[&str]) -> Result<String> {
    shell::run(&mut cargo(arguments))?;
    Ok(String::new())
}
