//! The programs with a known heap hold what they say: by mallinfo2, memcheck and gcc's leak sanitizer, none of them ours.

#![cfg(target_os = "linux")]

mod fuzzed;
mod generated;
mod memcheck;
mod outside;
mod sanitizer;
mod standing;

use std::path::Path;
use std::process::{Command, Stdio};

use residue_testkit::{Facts, Program};

/// A block that a program tells of.
#[derive(Debug)]
struct Block {
    name: String,
    address: u64,
    size: u64,
    kind: String,
}

impl Block {
    fn all(facts: &Facts) -> Vec<Self> {
        let names = facts.names().filter_map(|name| name.strip_suffix("_kind"));
        let blocks: Vec<Self> = names
            .map(|name| Self {
                name: name.to_owned(),
                address: facts.number(name),
                size: facts.number(&format!("{name}_bytes")),
                kind: facts.text(&format!("{name}_kind")).to_owned(),
            })
            .collect();
        assert_eq!(blocks.len() as u64, facts.number("blocks"));
        blocks
    }

    fn covers(&self, place: u64) -> bool {
        (self.address..self.address + self.size).contains(&place)
    }

    fn is_lost(&self) -> bool {
        matches!(self.kind.as_str(), "definite" | "indirect")
    }
}

/// What the program says when `tool` runs it to its end, and what the tool writes on stderr.
fn run_under(tool: &[&str], program: &Path, arguments: &[&str]) -> (Facts, String) {
    let words: Vec<_> = tool.iter().map(AsRef::as_ref).chain([program.as_os_str()]).collect();
    let done = Command::new(words[0])
        .args(&words[1..])
        .args(arguments)
        .env("LSAN_OPTIONS", "report_objects=1")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", words[0].display()));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    (Facts::of(said.trim_end()), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// The argument for programs that load a library.
fn holder() -> String {
    let path = Program::build("holder").shared().path().expect("it compiles");
    format!("library={}", path.display())
}
