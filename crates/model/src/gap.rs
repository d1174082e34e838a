use serde::{Deserialize, Serialize};

/// Evidence that is missing, and why. Every report prints its gaps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What could not be seen: `pss of process 412 (nginx)`.
    pub what: String,
    /// Why, and what would help: `permission denied: run as root`.
    pub why: String,
}

impl Gap {
    /// A gap in the evidence.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Gap {
        Gap { what: what.into(), why: why.into() }
    }
}
