use std::process::ExitCode;

/// How it went, for scripts. The numbers are a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Done, and a finding is one that `--fail-on` names.
    Found = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// The target cannot be opened or read.
    Target = 3,
    /// Our own work failed: a report could not be written.
    Failed = 4,
    /// Interrupted; what was gathered has been shown.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
