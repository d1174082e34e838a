use std::io;

/// What this crate's functions give.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The output cannot be written.
    #[error("failed to write the report")]
    Write(#[from] io::Error),
    /// A document that was given to read is none of ours.
    #[error("not a whole document of {schema}: {what}")]
    Document {
        /// What it should have been.
        schema: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A chart could not be drawn.
    #[error("failed to draw the chart: {0}")]
    Chart(String),
}

impl Error {
    /// Whether the reader has gone: nobody is left to tell.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Error {
        Error::Write(error.into())
    }
}
