use std::io::Write;

use residue_model::{Bytes, DumpFormat, Gap};
use serde::Serialize;

use super::{Target, write};
use crate::Result;

/// A dump that was written, and what it cost.
#[derive(Clone, Debug, Serialize)]
pub struct DumpedRow {
    /// What kind of dump it is.
    pub format: DumpFormat,
    /// How much memory it holds.
    pub saved: Bytes,
    /// How large the file looks.
    pub file_size: Bytes,
    /// How much of the disk it takes.
    pub disk: Bytes,
    /// Regions of the process.
    pub regions: u64,
    /// Threads whose registers it holds.
    pub threads: u64,
    /// It is a zstd stream.
    pub compressed: bool,
    /// How long the process stood still.
    pub stopped_ms: f64,
    /// How long it was expected to.
    pub estimate_ms: f64,
}

#[derive(Serialize)]
struct DumpBody<'a> {
    of: &'a str,
    file: &'a str,
    #[serde(flatten)]
    dumped: &'a DumpedRow,
}

/// Writes `residue.dump/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn dump(out: &mut impl Write, of: &str, file: &str, dumped: &DumpedRow, gaps: &[Gap]) -> Result<()> {
    write(out, "residue.dump/1", Target::Processes, gaps, DumpBody { of, file, dumped })
}
