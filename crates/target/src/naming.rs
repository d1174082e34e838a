//! What a word means that names a process, once it is known which ones carry the name.

use residue_model::ProcessId;

use crate::{Error, ErrorKind, Result};

/// A process that carries a name.
pub(crate) struct Candidate {
    pub(crate) pid: ProcessId,
    /// What tells it from others of the name.
    pub(crate) command: String,
}

/// More candidates than this are counted, not listed.
const LISTED: usize = 10;

/// The pid that a word of digits is; `None` for any other.
pub(crate) fn number(word: &str) -> Option<Result<ProcessId>> {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let too_large = |_| Error::new(ErrorKind::NotFound, format!("{word} is too large for a pid"));
    is_number.then(|| word.parse().map(ProcessId).map_err(too_large))
}

/// The only one.
///
/// # Errors
/// When there is none, or there are several: with a list of them.
pub(crate) fn only(word: &str, candidates: &[Candidate]) -> Result<ProcessId> {
    match candidates {
        [candidate] => Ok(candidate.pid),
        [] => Err(nothing(word)),
        several => Err(ambiguous(word, several)),
    }
}

fn ambiguous(word: &str, candidates: &[Candidate]) -> Error {
    let line = |candidate: &Candidate| format!("{}  {}", candidate.pid, candidate.command.trim_end());
    let mut list: Vec<String> = candidates.iter().take(LISTED).map(line).collect();
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
