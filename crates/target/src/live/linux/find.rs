use residue_model::{ProcessId, ProcessState};

use super::ProcDir;
use crate::census::command as command_line;
use crate::naming::{self, Candidate};
use crate::procfs::stat;
use crate::{File, Result};

/// The process that a word means: a number, or the name of just one process.
///
/// # Errors
/// Nothing or several fit.
pub fn find(proc_dir: &ProcDir, word: &str) -> Result<ProcessId> {
    if let Some(pid) = naming::number(word) {
        return pid;
    }
    naming::only(word, &named(proc_dir, word)?)
}

fn named(proc_dir: &ProcDir, word: &str) -> Result<Vec<Candidate>> {
    let myself = std::process::id();
    let mut text = Vec::new();
    let mut found = Vec::new();
    for pid in proc_dir.processes()?.into_iter().filter(|pid| pid.0 != myself) {
        if proc_dir.read(pid, File::Stat, &mut text).is_err() {
            continue;
        }
        let Ok(stat) = stat::parse(&text) else { continue };
        if stat.state != ProcessState::Alive {
            continue;
        }
        let command =
            proc_dir.read(pid, File::Cmdline, &mut text).map(|()| text.as_slice()).unwrap_or_default();
        let program = command.split(|&byte| byte == 0).next().unwrap_or_default();
        let file = program.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        if stat.name == word || file == word.as_bytes() {
            found.push(Candidate { pid, command: command_line(command).unwrap_or_default() });
        }
    }
    Ok(found)
}
