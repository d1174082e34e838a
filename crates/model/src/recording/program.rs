use std::time::{Duration, SystemTime};

use crate::Bytes;

/// The program that was recorded: one image of one process, from its start or its `exec` to its end or the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Its arguments, its own name first.
    pub command: Vec<String>,
    /// The file that ran.
    pub executable: String,
    /// Its process id.
    pub pid: u32,
    /// The recorded process that forked it, if any.
    pub parent: Option<u32>,
    /// When the recording began.
    pub started: Option<SystemTime>,
    /// For how long it was recorded.
    pub recorded: Duration,
    /// How it ended; None when it ran on, or nobody could see.
    pub end: Option<End>,
    /// The C library, the system: `glibc 2.36`, `Linux 6.18 x86_64`; what is known of them.
    pub system: Vec<String>,
}

/// How a recorded program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It ended itself, with this code.
    Exited(i32),
    /// A signal ended it.
    Killed(i32),
    /// It became another program by `exec`, which has a recording of its own.
    Replaced,
    /// The recording was ended, and the program ran on.
    Left,
}

/// Allocations were picked by chance, in proportion to their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// The mean distance from one picked byte to the next.
    pub interval: Bytes,
}
