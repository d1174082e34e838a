use serde::Serialize;

use crate::{Bytes, Footprint, Process, Usage};

/// One reading of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Seconds since the first sample.
    pub seconds: f64,
    /// The memory of the process.
    #[serde(flatten)]
    pub footprint: Footprint,
    /// Major page faults since the process started.
    pub majflt: Option<u64>,
    /// Minor page faults since the process started.
    pub minflt: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Mapped regions.
    pub maps: Option<u64>,
    /// Open handles, of a Windows process.
    pub handles: Option<u64>,
    /// Address space that nothing uses, and the largest piece of it. `None` when regions were not read at this moment.
    #[serde(flatten)]
    pub free: Option<FreeSize>,
    /// Memory by usage: in RAM or swapped out. `None` when regions were not read at this moment.
    #[serde(skip)]
    pub by_usage: Option<Vec<(Usage, Bytes)>>,
}

/// How much of an address space is free, and how large a mapping can still be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FreeSize {
    /// All of it.
    #[serde(rename = "free")]
    pub total: Bytes,
    /// The largest range.
    #[serde(rename = "largest_free")]
    pub largest: Bytes,
}

/// A process over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// Whose memory.
    pub process: Process,
    /// How old the process was at the first sample, in seconds.
    pub age_seconds: Option<f64>,
    /// The readings, in order of time.
    pub samples: Vec<Sample>,
    /// Set when the process ended while it was watched.
    pub ended: bool,
}
