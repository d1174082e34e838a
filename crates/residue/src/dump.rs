use std::path::Path;

use residue_target::live::linux::{
    DumpOptions, DumpProgress, Dumped, Estimate, ProcDir, dump as write_core, estimate, find,
};

use crate::Result;

/// Writes the core of a running process. `word` is a pid or the name of just one process.
///
/// `estimated` is told before the process is stopped what it will cost.
///
/// # Errors
/// When the process cannot be found, stopped or read, or the file cannot be written; the process runs on in each case.
pub fn dump(
    word: &str,
    options: &DumpOptions<'_>,
    path: &Path,
    estimated: impl FnOnce(&Estimate),
    progress: &mut dyn FnMut(DumpProgress),
) -> Result<Dumped> {
    let proc_dir = ProcDir::open()?;
    let pid = find(&proc_dir, word)?;
    estimated(&estimate(&proc_dir, pid, options)?);
    Ok(write_core(&proc_dir, pid, options, path, progress)?)
}
