use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Range;

/// A program or library in an address space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Where it stands, from its header to the end of its last section.
    #[serde(flatten)]
    pub range: Range,
    /// Its path as the target knows it, printable.
    pub name: Arc<str>,
    /// Its version, where the dump tells.
    pub version: Option<String>,
    /// It has been unloaded; where it stood, something else may stand now.
    pub unloaded: bool,
}

impl Module {
    /// The last part of its path, whichever way the slashes lean.
    pub fn file_name(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or_default()
    }
}
