use std::path::Path;

use residue_target::live::host::{DumpOptions, Host, dump as write_dump, find};
use residue_target::{DumpProgress, Dumped};

use crate::Result;

/// Writes the dump of a running process: a core, on Windows a minidump. `word` is a pid or the name of just one process.
///
/// # Errors
/// When the process cannot be found, stopped or read, or the file cannot be written; the process runs on in each case.
pub fn dump(
    word: &str,
    options: &DumpOptions<'_>,
    path: &Path,
    progress: &mut dyn FnMut(DumpProgress),
) -> Result<Dumped> {
    let host = Host::open()?;
    let pid = find(&host, word)?;
    Ok(write_dump(&host, pid, options, path, progress)?)
}
