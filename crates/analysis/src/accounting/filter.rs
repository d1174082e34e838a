use regex::{Regex, bytes};
use residue_model::{Process, ProcessId};

use crate::{Error, Result};

/// Which processes, and which of their mappings, count.
#[derive(Clone, Debug, Default)]
pub struct ProcessFilter {
    /// One of these, if there are any.
    pids: Vec<ProcessId>,
    processes: Vec<Regex>,
    users: Vec<Regex>,
    mappings: Vec<bytes::Regex>,
}

impl ProcessFilter {
    /// Reads conditions like `pid=42`, `process=nginx`, `user=^www`, `mapping=libc`; a bare pattern is one for processes.
    /// All hold, but one pid of several is enough.
    ///
    /// # Errors
    /// A pattern that is none.
    pub fn parse(conditions: &[String]) -> Result<ProcessFilter> {
        let mut filter = ProcessFilter::default();
        for condition in conditions {
            match condition.split_once('=') {
                Some(("user", pattern)) => filter.users.push(compile(pattern)?),
                Some(("mapping", pattern)) => {
                    filter.mappings.push(bytes::Regex::new(pattern).map_err(|error| bad(pattern, &error))?);
                }
                Some(("process", pattern)) => filter.processes.push(compile(pattern)?),
                Some(("pid", number)) => filter.pids.push(pid(number)?),
                Some((key, _))
                    if key.chars().all(|letter| letter.is_ascii_lowercase()) && !key.is_empty() =>
                {
                    let help = "filters are pid=N, process=REGEX, user=REGEX and mapping=REGEX";
                    return Err(Error::new(format!("unknown filter `{key}`"), help));
                }
                _ => filter.processes.push(compile(condition)?),
            }
        }
        Ok(filter)
    }

    /// Whether a process counts, by pid, name, command line and user.
    pub fn accepts(&self, process: &Process) -> bool {
        let uid = || process.uid.map(|uid| uid.to_string()).unwrap_or_default();
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && self.processes.iter().all(|pattern| is_called(process, pattern))
            && self.users.iter().all(|pattern| pattern.is_match(process.user.as_deref().unwrap_or(&uid())))
    }

    /// Whether only some mappings count, so that regions have to be read.
    pub fn is_by_mapping(&self) -> bool {
        !self.mappings.is_empty()
    }

    /// Whether names and command lines have to be known.
    pub fn names_processes(&self) -> bool {
        !self.processes.is_empty()
    }

    /// Whether users have to be known.
    pub fn names_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether a mapping of this name counts.
    pub fn accepts_mapping(&self, name: &[u8]) -> bool {
        self.mappings.iter().all(|pattern| pattern.is_match(super::group::label(name)))
    }
}

fn is_called(process: &Process, pattern: &Regex) -> bool {
    pattern.is_match(&process.name)
        || process.command.as_deref().is_some_and(|command| pattern.is_match(command))
}

fn pid(number: &str) -> Result<ProcessId> {
    let wrong = |_| Error::new(format!("`{number}` is no pid"), "write pid=1234; for names: process=REGEX");
    number.parse().map(ProcessId).map_err(wrong)
}

fn compile(pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| bad(pattern, &error))
}

fn bad(pattern: &str, error: &regex::Error) -> Error {
    Error::new(format!("`{pattern}` is no pattern"), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(conditions: &[&str]) -> ProcessFilter {
        let conditions: Vec<String> = conditions.iter().map(|&condition| condition.into()).collect();
        ProcessFilter::parse(&conditions).expect("patterns")
    }

    #[test]
    fn all_conditions_hold_and_a_bare_word_means_processes() {
        let process = Process {
            pid: ProcessId(42),
            name: "nginx".into(),
            command: Some("nginx: worker".into()),
            user: Some("www-data".into()),
            ..Process::default()
        };
        assert!(filter(&["worker", "user=^www"]).accepts(&process));
        assert!(filter(&["pid=41", "pid=42"]).accepts(&process));
        assert!(!filter(&["process=nginx", "user=root"]).accepts(&process));
        assert!(ProcessFilter::parse(&["user=(".into()]).is_err());
        assert!(ProcessFilter::parse(&["usr=root".into()]).is_err());
    }

    #[test]
    fn anonymous_memory_can_be_named() {
        assert!(filter(&["mapping=^\\[anon"]).accepts_mapping(b""));
        assert!(!filter(&["mapping=libc"]).accepts_mapping(b""));
        assert!(filter(&["mapping=libc"]).accepts_mapping(b"/lib/libc.so.6"));
    }
}
