use std::io::Write;

use residue_model::{DumpFormat, Gap};

use super::{Screen, gaps};
use crate::Result;
use crate::json::DumpedRow;
use crate::units::{counted, duration, size};

/// Writes what a dump holds and what it cost the process.
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
        "wrote {file}: {} of memory in {}, {}; the file takes {} of disk, looks like {}",
        size(dumped.saved),
        counted(dumped.regions, "region"),
        counted(dumped.threads, "thread"),
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
    let file = crate::words::quoted(file);
    let debugger = match (dumped.format, dumped.compressed) {
        (DumpFormat::Minidump, true) => format!("zstd -d {file} for WinDbg"),
        (DumpFormat::Minidump, false) => format!("windbg -z {file}"),
        (_, true) => format!("zstd -d {file} for gdb"),
        (_, false) => format!("gdb -c {file}"),
    };
    let next = format!("next: residue triage {file}, or: {debugger}");
    writeln!(out, "{}", screen.wrap(&next, 0))?;
    gaps(out, screen, missing)
}
