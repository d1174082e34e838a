use residue_model::{ProcessId, ProcessState};

use super::ProcDir;
use crate::census::command as command_line;
use crate::procfs::stat;
use crate::{Error, ErrorKind, File, Result};

/// More candidates than this are counted, not listed.
const LISTED: usize = 10;

/// The process that a word means: a number, or the name of just one process.
///
/// # Errors
/// Nothing or several fit.
pub fn find(proc_dir: &ProcDir, word: &str) -> Result<ProcessId> {
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        let pid = word.parse().map(ProcessId);
        return pid.map_err(|_| Error::new(ErrorKind::NotFound, format!("{word} is too large for a pid")));
    }
    let found = named(proc_dir, word)?;
    match found.as_slice() {
        [(pid, _)] => Ok(*pid),
        [] => Err(nothing(word)),
        several => Err(ambiguous(word, several)),
    }
}

fn named(proc_dir: &ProcDir, word: &str) -> Result<Vec<(ProcessId, String)>> {
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
            found.push((pid, command_line(command).unwrap_or_default()));
        }
    }
    Ok(found)
}

fn ambiguous(word: &str, candidates: &[(ProcessId, String)]) -> Error {
    let mut list: Vec<String> = candidates
        .iter()
        .take(LISTED)
        .map(|(pid, command)| format!("{pid}  {}", command.trim_end()))
        .collect();
    if candidates.len() > LISTED {
        list.push(format!("and {} more", candidates.len() - LISTED));
    }
    let what = format!("{} processes are called {word}", candidates.len());
    Error::new(ErrorKind::Ambiguous, what).help(format!("name one by its pid:\n  {}", list.join("\n  ")))
}

fn nothing(word: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no process is called {word}"))
        .help(format!("look for it with: residue ps --filter process={word}; name a dump by its path"))
}
