use serde::Serialize;

use crate::{Address, Bytes};

/// The file that a dead process left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dump {
    /// Its path, as it was given.
    pub file: String,
    /// What it is.
    pub format: DumpFormat,
    /// How large it is, decompressed.
    pub size: Bytes,
    /// How much memory of the process it holds.
    pub saved: Bytes,
    /// What ended the process, or what it was doing when the dump was made.
    pub event: Option<Event>,
}

/// The format of a dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DumpFormat {
    /// An ELF core.
    #[default]
    ElfCore,
    /// A minidump.
    Minidump,
    /// What `residue selfcheck` recorded of itself on Windows.
    Observation,
}

impl DumpFormat {
    /// The name that people read.
    pub fn label(self) -> &'static str {
        match self {
            DumpFormat::ElfCore => "ELF core",
            DumpFormat::Minidump => "minidump",
            DumpFormat::Observation => "selfcheck recording",
        }
    }
}

/// A signal or an exception.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its name in its own system: `SIGSEGV`, `EXCEPTION_ACCESS_VIOLATION_READ`.
    pub name: String,
    /// The thread that met it.
    pub thread: Option<u32>,
    /// The address that it is about.
    pub address: Option<Address>,
}

impl Event {
    /// A debugger stopped the process to dump it, and it may well have gone on.
    pub fn is_stop(&self) -> bool {
        matches!(self.name.as_str(), "SIGSTOP" | "SIGTRAP")
    }
}
