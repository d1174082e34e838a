//! The old experiment on 32-bit Windows: a program that runs out of address space with most of it free.
//!
//! It is no leg of the tests: Wine for 32-bit programs wants the libraries of a second architecture, which not every
//! machine can have. What it showed once is replayed by the tests of `residue-target`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::mingw::{I686, Mingw, X86_64};
use super::sysroot;
use super::wine::{Prefix, WINE};
use crate::shell::{self, output};
use crate::{packages, place};

/// The compiler for 32 bits; the rest is that of the tests.
const PACKAGES: [&str; 1] = ["gcc-mingw-w64-i686-posix"];

/// Who looks: a program of 32 bits and one of 64.
const LOOKERS: [Mingw; 2] = [I686, X86_64];

/// Builds, fragments, looks before and after, and fails when what is seen is not what the program found by trying.
pub(crate) fn run() -> Result<()> {
    super::install()?;
    packages::install(&PACKAGES)?;
    for looker in &LOOKERS {
        sysroot::ensure(looker)?;
        shell::run(&mut looker.cargo(&sysroot::folder(looker), &["build", "--package", "residue-cli"]))?;
    }
    let program = compile()?;
    let prefix = Prefix::ensure("wine32", &LOOKERS).context("is wine32 installed?")?;
    let _server = prefix.start()?;

    let mut program = Fragmenting::start(&prefix, &program)?;
    let before = free(&prefix, program.largest()?)?;
    writeln!(program.input, "go 10000")?;
    let after = free(&prefix, program.largest()?)?;
    ensure!(after.largest < before.largest / 2, "the largest free range did not shrink");
    ensure!(
        before.total.abs_diff(after.total) < before.total / 50,
        "the free ranges do not add up as before"
    );
    let triage = output(&mut residue(&prefix, &X86_64, &["triage", NAME, "--for", "3s"]))?;
    println!("{triage}");
    ensure!(triage.contains("crumbs"), "triage does not call it fragmentation");
    Ok(())
}

const NAME: &str = "fragmenting.exe";

fn compile() -> Result<PathBuf> {
    let program = I686.built().join(NAME);
    let mut compile = Command::new(I686.tool("gcc"));
    compile.args(["-std=gnu11", "-O1", "-o"]).arg(&program);
    shell::run(compile.arg(place::root().join("testkit/programs/fragmenting.c")))?;
    Ok(program)
}

/// The program of the experiment, which ends with this.
struct Fragmenting {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Fragmenting {
    fn start(prefix: &Prefix, program: &Path) -> Result<Fragmenting> {
        let mut command = Command::new(WINE);
        command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = prefix.shown_to(&mut command).spawn().context("failed to start Wine")?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Fragmenting { child, input, output })
    }

    /// Waits for what it says next, and gives the largest piece that it could have.
    fn largest(&mut self) -> Result<u64> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        println!("the program: {}", line.trim_end());
        let largest = line.split_whitespace().find_map(|fact| fact.strip_prefix("largest="));
        largest.with_context(|| format!("it told no largest piece: {line:?}"))?.parse().context("no number")
    }
}

impl Drop for Fragmenting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy, PartialEq)]
struct Free {
    total: u64,
    largest: u64,
}

/// What is free, as both lookers see it: the same, and no larger piece than the program could have. It could have larger
/// ones: Wine says of what lies outside of the ranges that it set aside at its start that it is reserved, and gives it
/// out all the same.
fn free(prefix: &Prefix, found: u64) -> Result<Free> {
    let seen = LOOKERS.iter().map(|looker| -> Result<Free> {
        let text = output(&mut residue(prefix, looker, &["map", NAME, "--json"]))?;
        let document: Value = serde_json::from_str(&text).context("residue map --json")?;
        let number = |name: &str| document["free"][name].as_u64().with_context(|| format!("no {name}"));
        let free = Free { total: number("total")?, largest: number("largest")? };
        println!("{}: {} bytes free, {} of them in one piece", looker.triple, free.total, free.largest);
        Ok(free)
    });
    let seen = seen.collect::<Result<Vec<_>>>()?;
    ensure!(seen[0] == seen[1], "programs of 32 and of 64 bits see different things");
    ensure!(seen[0].largest <= found, "the program found {found} bytes in one piece, and no more");
    Ok(seen[0])
}

fn residue(prefix: &Prefix, looker: &Mingw, arguments: &[&str]) -> Command {
    let mut command = Command::new(WINE);
    command.arg(looker.built().join("residue.exe")).args(arguments).stdin(Stdio::null());
    prefix.shown_to(&mut command);
    command
}
