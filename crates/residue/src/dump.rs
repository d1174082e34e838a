use std::path::Path;

use residue_target::live::linux::{DumpOptions, DumpProgress, Dumped, ProcDir, dump as write_core, find};

use crate::Result;

/// Writes the core of a running process. `word` is a pid or the name of just one process.
///
/// # Errors
/// When the process cannot be found, stopped or read, or the file cannot be written; the process runs on in each case.
pub fn dump(
    word: &str,
    options: &DumpOptions<'_>,
    path: &Path,
    progress: &mut dyn FnMut(DumpProgress),
) -> Result<Dumped> {
    let proc_dir = ProcDir::open()?;
    let pid = find(&proc_dir, word)?;
    Ok(write_core(&proc_dir, pid, options, path, progress)?)
}
