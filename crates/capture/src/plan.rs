use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use residue_model::recording::End;
use residue_model::{Bytes, Gap, Range};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::Signals;

/// What is recorded, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program and its arguments: not empty.
    pub command: Vec<OsString>,
    /// The file for the recording. None: it is called after the program and its process, in this folder.
    pub output: Option<PathBuf>,
    /// Bytes from one sampled byte to the next in the mean; None: every allocation is recorded.
    pub sample: Option<Bytes>,
    /// Whether what the program starts is recorded too.
    pub children: bool,
    /// Whether a process that ends by itself is held until somebody has looked what is lost. Never in a sample.
    pub lost: bool,
    /// So many frames of a call path are kept, the innermost.
    pub most_frames: u32,
    /// Signals as the program is to have them.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub signals: Signals,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            command: Vec::new(),
            output: None,
            sample: None,
            children: true,
            lost: true,
            most_frames: 1024,
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            signals: Signals::default(),
        }
    }
}

/// What nobody can reach of a process that is about to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The blocks, in order of address: none overlaps another.
    pub blocks: Vec<Range>,
    /// Why there may be more, or fewer.
    pub gaps: Vec<Gap>,
}

/// How a recording goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Events so far.
    pub events: u64,
    /// The bytes that stand now, of all processes that run.
    pub live: Bytes,
    /// How many run.
    pub processes: usize,
    /// Who holds most of it.
    pub top: Option<Top>,
    /// The share of a processor that collecting takes.
    pub cost: f64,
    /// How long threads waited for the collector, all together.
    pub waited: Duration,
}

/// The innermost frame of a call path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Top {
    /// Its file; empty when it has none.
    pub module: String,
    /// The return address, as in the file's headers.
    pub address: u64,
    /// What it holds.
    pub live: Bytes,
}

/// What came of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// What was written.
    pub files: Vec<RecordedFile>,
    /// How the program that was started ended; None when it runs on.
    pub end: Option<End>,
    /// Events in all.
    pub events: u64,
    /// Programs that could tell what they do. None: nothing was seen at all.
    pub programs: u32,
    /// It was ended before the program was.
    pub is_interrupted: bool,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}

/// A recording that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedFile {
    /// Where.
    pub path: PathBuf,
    /// Of which process.
    pub pid: u32,
    /// What it ran.
    pub command: Vec<String>,
    /// Events in it.
    pub events: u64,
    /// How it ended.
    pub end: Option<End>,
    /// It is of the process that was started.
    pub is_first: bool,
}
