use residue_model::ProcessId;

use super::access::{Handle, Right};
use super::owner::command;
use super::{Host, list};
use crate::Result;
use crate::naming::{self, Candidate};

/// The process that a word means: a number, or the name of just one process, with or without `.exe`.
///
/// # Errors
/// Nothing or several fit.
pub fn find(_: &Host, word: &str) -> Result<ProcessId> {
    if let Some(pid) = naming::number(word) {
        return pid;
    }
    let myself = std::process::id();
    let is_named = |name: &str| {
        let stem = name.len().checked_sub(4).and_then(|at| name.split_at_checked(at));
        let stem = stem.filter(|(_, end)| end.eq_ignore_ascii_case(".exe")).map(|(stem, _)| stem);
        name.eq_ignore_ascii_case(word) || stem.is_some_and(|stem| stem.eq_ignore_ascii_case(word))
    };
    let named =
        list::processes()?.into_iter().filter(|listed| listed.pid.0 != myself && is_named(&listed.name));
    let candidate = |pid: ProcessId, name: String| Candidate {
        pid,
        command: Handle::open(pid, Right::Count).ok().and_then(|handle| command(&handle)).unwrap_or(name),
    };
    let candidates: Vec<Candidate> = named.map(|listed| candidate(listed.pid, listed.name)).collect();
    naming::only(word, &candidates)
}
