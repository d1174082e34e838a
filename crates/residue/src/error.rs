use residue_target::ErrorKind;

/// What this crate's functions give.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum Error {
    /// The target cannot be opened or read.
    Target(#[from] residue_target::Error),
    /// The question cannot be asked.
    Question(#[from] residue_analysis::Error),
    /// The report cannot be made or written.
    Report(#[from] residue_report::Error),
}

impl Error {
    /// What the user can do about it.
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Error::Target(error) => error.remedy(),
            Error::Question(error) => error.remedy(),
            Error::Report(_) => None,
        }
    }

    /// The class of a failure of the target.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Error::Target(error) => Some(error.kind()),
            _ => None,
        }
    }
}
