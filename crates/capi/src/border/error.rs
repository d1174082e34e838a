//! What went wrong.

use std::error::Error as _;

use crate::border::status::residue_status;

/// What this crate's own functions give.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a call failed, as its caller gets to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: residue_status,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(status: residue_status, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into() }
    }

    /// An argument that makes no sense.
    pub(crate) fn argument(text: impl Into<String>) -> Failure {
        Failure::new(residue_status::RESIDUE_BAD_ARGUMENT, text)
    }

    /// Something that cannot be done here.
    pub(crate) fn unsupported(text: impl Into<String>) -> Failure {
        Failure::new(residue_status::RESIDUE_UNSUPPORTED, text)
    }
}

impl From<library::Error> for Failure {
    fn from(error: library::Error) -> Failure {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str("; cause: ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        if let Some(help) = error.remedy() {
            text.push_str("; help: ");
            text.push_str(help);
        }
        Failure::new(error.kind().map_or(residue_status::RESIDUE_UNREADABLE, residue_status::from), text)
    }
}

impl From<library::TargetError> for Failure {
    fn from(error: library::TargetError) -> Failure {
        library::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_what_why_and_what_to_do() {
        let cause = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = library::TargetError::reading("/proc/1/maps", cause).help("run as root");
        let failure = Failure::from(error);
        assert_eq!(failure.status, residue_status::RESIDUE_DENIED);
        assert!(failure.text.starts_with("failed to read /proc/1/maps; cause: "), "{}", failure.text);
        assert!(failure.text.ends_with("; help: run as root"), "{}", failure.text);
    }
}
