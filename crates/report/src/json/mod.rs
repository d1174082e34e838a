//! The documents that scripts and other programs read: `docs/report-schema.md` lists their fields.
//!
//! Every document is written straight to the output, field by field: 60 000 regions never stand in memory as text.

mod dump;
mod heap;
mod leaks;
mod map;
mod ps;
mod read;
mod recorded;
mod refs;
mod search;
mod triage;
mod verdict;
mod watch;

pub use dump::{DumpedRow, dump};
pub use heap::heap;
pub use leaks::{blocks, leaks, read_leaks};
pub use map::{diff, map, read_map};
pub use ps::{machine, processes};
pub use read::{Extracted, Found, extracted, read, texts};
pub use recorded::{compared, recorded};
pub use refs::refs;
pub use search::search;
pub use triage::triage;
pub use watch::watch;

use std::io::{Read, Write};

use residue_model::{Dump, Gap, Machine, Module, Process, Snapshot, Thread};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What stands around every document.
#[derive(Serialize)]
struct Document<'a, T> {
    schema: &'static str,
    residue: &'static str,
    target: Target<'a>,
    gaps: &'a [Gap],
    #[serde(flatten)]
    body: T,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Target<'a> {
    /// All processes of the running machine.
    Machine,
    /// All processes in a capture.
    Capture {
        /// The file.
        file: &'a str,
    },
    /// Several running processes.
    Processes,
    /// One running process.
    #[serde(untagged)]
    Process(OneProcess<'a>),
    /// A process that left a dump.
    #[serde(untagged)]
    Dump(OneDump<'a>),
}

/// One running process.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OneProcess<'a> {
    kind: &'static str,
    pid: u32,
    name: &'a str,
    command: Option<&'a str>,
    user: Option<&'a str>,
    start_ticks: Option<u64>,
}

/// A process that left a dump.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OneDump<'a> {
    kind: &'static str,
    #[serde(flatten)]
    dump: &'a Dump,
    machine: &'a Machine,
    pid: Option<u32>,
    name: Option<&'a str>,
    command: Option<&'a str>,
    modules: &'a [Module],
    threads: &'a [Thread],
}

impl<'a> Target<'a> {
    /// What a snapshot is of.
    fn of(snapshot: &'a Snapshot) -> Target<'a> {
        let process = &snapshot.process;
        let Some(dump) = &snapshot.dump else { return Target::process(process) };
        Target::Dump(OneDump {
            kind: "dump",
            dump,
            machine: &snapshot.machine,
            pid: Some(process.pid.0).filter(|&pid| pid != 0),
            name: Some(process.name.as_str()).filter(|name| !name.is_empty()),
            command: process.command.as_deref(),
            modules: &snapshot.modules,
            threads: &snapshot.threads,
        })
    }

    fn process(process: &'a Process) -> Target<'a> {
        Target::Process(OneProcess {
            kind: "process",
            pid: process.pid.0,
            name: &process.name,
            command: process.command.as_deref(),
            user: process.user.as_deref(),
            start_ticks: process.start_ticks,
        })
    }
}

/// A document that knows its own schema, on one line.
///
/// # Errors
/// When a part of it cannot be written as JSON.
pub fn document(document: &impl Serialize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(document)?)
}

fn write<T: Serialize>(
    out: &mut impl Write,
    schema: &'static str,
    target: Target<'_>,
    gaps: &[Gap],
    body: T,
) -> Result<()> {
    let document = Document { schema, residue: env!("CARGO_PKG_VERSION"), target, gaps, body };
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}

/// What every saved document tells of itself.
#[derive(Deserialize)]
struct Saved {
    schema: String,
}

/// Reads a saved document of a schema. Of another one, that is said, not which of its fields are missing.
fn saved<T: DeserializeOwned>(mut from: impl Read, schema: &'static str) -> Result<T> {
    let refuse = |what: String| Error::Document { schema, what };
    let mut text = Vec::new();
    from.read_to_end(&mut text)?;
    let found: Saved = serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
    if found.schema != schema {
        return Err(refuse(format!("its schema is `{}`", found.schema)));
    }
    serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))
}
