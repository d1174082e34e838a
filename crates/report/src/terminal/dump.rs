use std::io::Write;

use residue_model::Gap;

use super::{Screen, gaps};
use crate::Result;
use crate::json::DumpedRow;
use crate::units::{count, duration, size};

/// Writes what a core holds and what it cost the process.
///
/// # Errors
/// When the output cannot be written.
pub fn dumped(
    out: &mut impl Write,
    screen: Screen,
    file: &str,
    dumped: &DumpedRow,
    missing: &[Gap],
) -> Result<()> {
    let line = format!(
        "wrote {file}: {} of memory in {} regions, {} threads; the file takes {} of disk, looks like {}",
        size(dumped.saved),
        count(dumped.regions),
        count(dumped.threads),
        size(dumped.disk),
        size(dumped.file_size)
    );
    writeln!(out, "{}", screen.wrap(&line, 0))?;
    writeln!(
        out,
        "the process stood still for {} (expected {})",
        duration(dumped.stopped_ms / 1000.0),
        duration(dumped.estimate_ms / 1000.0)
    )?;
    let next = format!("next: residue triage {0}, or: gdb -c {0}", crate::words::quoted(file));
    writeln!(out, "{}", screen.wrap(&next, 0))?;
    gaps(out, screen, missing)
}
