//! The documents that scripts and other programs read: `docs/report-schema.md` lists their fields.
//!
//! Every document is written straight to the output, field by field: 60 000 regions never stand in memory as text.

mod map;
mod ps;
mod triage;
mod verdict;
mod watch;

pub use map::{diff, map, read_map};
pub use ps::{machine, processes};
pub use triage::triage;
pub use watch::watch;

use std::io::Write;

use residue_model::{Gap, Process};
use serde::Serialize;

use crate::Result;

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

impl<'a> Target<'a> {
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
