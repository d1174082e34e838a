use std::io;

use residue_model::ProcessId;

/// What this crate's functions give.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a target cannot be opened or read: what, the cause beneath, and what would help.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    kind: ErrorKind,
    what: String,
    help: Option<String>,
    #[source]
    source: Option<io::Error>,
}

/// The classes of failure, for callers that act on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such process, name or file.
    NotFound,
    /// The process ended while it was read.
    Ended,
    /// The process has no user memory: a zombie or a kernel thread.
    NoMemory,
    /// The kernel refuses.
    PermissionDenied,
    /// A name fits several processes.
    Ambiguous,
    /// The target is of a kind that this version does not read.
    Unsupported,
    /// A known field does not hold what it should.
    Syntax,
    /// Reading failed in another way.
    Io,
    /// Our own output cannot be written.
    Write,
    /// The caller asked to stop.
    Interrupted,
}

impl Error {
    /// An error of a kind, told in a lowercase fragment that names the object.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Error {
        Error { kind, what: what.into(), help: None, source: None }
    }

    /// The same with what would help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }

    /// The same, told of another object; the cause stays.
    #[must_use]
    pub fn of(mut self, what: impl Into<String>) -> Error {
        self.what = what.into();
        self
    }

    /// The same in another class.
    #[must_use]
    pub fn into_kind(mut self, kind: ErrorKind) -> Error {
        self.kind = kind;
        self
    }

    /// A failure to read something, classed by its cause.
    pub fn reading(what: impl Into<String>, source: io::Error) -> Error {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            // ESRCH: the file of a process that ended after it was opened.
            _ if source.raw_os_error() == Some(3) => ErrorKind::Ended,
            _ => ErrorKind::Io,
        };
        Error { kind, what: format!("failed to read {}", what.into()), help: None, source: Some(source) }
    }

    /// A failure to write what was asked for.
    pub fn writing(what: impl Into<String>, source: io::Error) -> Error {
        let what = format!("failed to write {}", what.into());
        Error { kind: ErrorKind::Write, what, help: None, source: Some(source) }
    }

    /// A known field that does not hold what it should.
    pub fn syntax(file: &str, line: usize, expected: &str) -> Error {
        Error::new(ErrorKind::Syntax, format!("line {line} of {file}: {expected}"))
    }

    /// No process has this number.
    pub fn no_process(pid: ProcessId) -> Error {
        Error::new(ErrorKind::NotFound, format!("there is no process {pid}"))
            .help("list what runs with: residue ps")
    }

    /// The same once more, without the cause beneath: what failed for good fails again.
    #[cfg(target_os = "linux")]
    pub(crate) fn again(&self) -> Error {
        Error { kind: self.kind, what: self.what.clone(), help: self.help.clone(), source: None }
    }

    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }
}
