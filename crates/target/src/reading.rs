use std::time::Duration;

use residue_model::{Sample, Snapshot};

use crate::Result;

/// What one reading of a process that is watched gave.
#[derive(Debug)]
pub struct Reading {
    /// Totals; what is told by regions is still to be judged.
    pub sample: Sample,
    /// Its regions and threads, with what tells how much of each is held, or why they could not be read.
    pub layout: Result<Snapshot>,
    /// The processor time that this reading took; pauses between steps cost nobody anything.
    pub busy: Duration,
}
