/// What this crate's functions give.
pub type Result<T> = std::result::Result<T, Error>;

/// A question that cannot be asked: an unknown column, key or pattern.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    what: String,
    help: Option<String>,
}

impl Error {
    /// An error, and what would have been right.
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Error {
        Error { what: what.into(), help: Some(help.into()) }
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }
}
