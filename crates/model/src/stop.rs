use std::time::Duration;

use crate::Bytes;

/// What holding still cost a running process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// How long it was expected to stand.
    pub estimated: Duration,
    /// How long it stood.
    pub measured: Duration,
    /// How much of that it took to fork; `None` when it did not.
    pub forking: Option<Duration>,
    /// Whether a debugger held it anyway, so that holding it cost nothing.
    pub is_held: bool,
    /// It ran on while it was read: what is seen together may never have been so.
    pub ran_on: bool,
    /// How much memory was copied.
    pub copied: Bytes,
}
