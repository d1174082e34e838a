//! How the writing of a dump is told, on every system.

use std::time::Duration;

use residue_model::{Bytes, Gap};

/// What a dump will cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// About how much memory will be copied, and at most as much of the disk taken.
    pub size: Bytes,
    /// How long the process will stand.
    pub stopped: Duration,
    /// How much memory of our own the copy takes meanwhile.
    pub staging: Bytes,
}

/// How far a dump is. Writing may go on after the process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpProgress {
    /// What it will cost, told before anything is stopped.
    Estimated(Estimate),
    /// All threads stand.
    Stopped,
    /// So much of the memory has been written, of so much.
    Copied(Bytes, Bytes),
    /// All threads run again. So long they stood.
    Resumed(Duration),
    /// So much of the dump has been compressed, of so much.
    Compressed(Bytes, Bytes),
}

/// A written dump, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dumped {
    /// How much memory was copied.
    pub saved: Bytes,
    /// How large the file looks.
    pub file_size: Bytes,
    /// How much of the disk it takes.
    pub disk: Bytes,
    /// Regions of the process.
    pub regions: usize,
    /// Threads whose registers it holds.
    pub threads: usize,
    /// How long the process stood.
    pub stopped: Duration,
    /// How long it was expected to.
    pub estimate: Duration,
    /// What is missing, and why.
    pub gaps: Vec<Gap>,
}
