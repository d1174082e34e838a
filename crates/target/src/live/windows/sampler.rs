use std::time::{Duration, Instant};

use residue_model::{Memory, Module, NoMemory, Process, ProcessId, Sample};

use super::access::{Handle, Right};
use super::counters::{created, has_ended};
use super::process::{Depth, take};
use super::{ProcessMemory, host};
use crate::{ErrorKind, Reading, Result};

/// Reads one process again and again.
pub struct Sampler {
    handle: Handle,
    memory: Option<ProcessMemory>,
    process: Process,
    /// As of the start. What a sample needs of them is the header of the program, which is there from the start.
    modules: Vec<Module>,
}

impl Sampler {
    /// Starts to watch a process.
    ///
    /// # Errors
    /// When it does not exist or may not be asked.
    pub fn new(pid: ProcessId) -> Result<Sampler> {
        // The handle keeps the number from being given to another.
        let handle = Handle::open(pid, Right::Query)?;
        let observation = take(pid, Depth::Ranges)?;
        let (process, modules) = (observation.process(), observation.modules);
        Ok(Sampler { handle, memory: ProcessMemory::open(pid).ok(), process, modules })
    }

    /// Who is watched.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// How old it is now, in seconds.
    pub fn age_seconds(&self) -> Option<f64> {
        let age = host::now().checked_sub(created(&self.handle)?)?;
        Some(Duration::from_nanos(age.saturating_mul(100)).as_secs_f64())
    }

    /// What tells where stacks and heaps are.
    pub fn memory(&self) -> &dyn Memory {
        self.memory.as_ref().map_or(&NoMemory as &dyn Memory, |memory| memory)
    }

    /// Reads the process now; `None` when it has ended.
    ///
    /// # Errors
    /// When it may not be asked any more.
    pub fn read(&mut self) -> Result<Option<Reading>> {
        if has_ended(&self.handle) {
            return Ok(None);
        }
        let begun_at = Instant::now();
        let mut observation = match take(self.process.pid, Depth::Sample) {
            Ok(observation) => observation,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Ended) => return Ok(None),
            Err(error) => return Err(error),
        };
        observation.modules.clone_from(&self.modules);
        let snapshot = observation.snapshot(self.memory());
        let process = &snapshot.process;
        let sample = Sample {
            footprint: process.footprint.clone(),
            minflt: process.minflt,
            threads: process.threads,
            handles: process.handles,
            maps: process.maps,
            ..Sample::default()
        };
        // Times of processes move in steps of 15 ms: too coarse for this.
        Ok(Some(Reading { sample, layout: Ok(snapshot), busy: begun_at.elapsed() }))
    }
}
