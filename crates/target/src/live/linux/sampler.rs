use std::time::Duration;

use residue_model::{
    Address, AddressSpace, Memory, NoMemory, Process, ProcessId, ProcessState, Region, Sample, Snapshot,
    Thread,
};
use rustix::time::{ClockId, clock_gettime};

use super::pagemap::Pagemap;
use super::snapshot::{explain, identify, lowest_address, read_maps, still_runs};
use super::{ProcDir, age_seconds, threads};
use crate::{Draft, Error, ErrorKind, File, Reading, Result};

/// Reads one process again and again without making it wait: `status`, `stat`, `maps` and the page table in small steps.
pub struct Sampler {
    proc_dir: ProcDir,
    process: Process,
    text: Vec<u8>,
    threads: Vec<Thread>,
    lowest: Address,
    pagemap: Result<Pagemap>,
}

impl Sampler {
    /// Starts to watch a process.
    ///
    /// # Errors
    /// When it does not exist or has no memory.
    pub fn new(pid: ProcessId) -> Result<Sampler> {
        let proc_dir = ProcDir::open()?;
        let process = identify(&proc_dir, pid)?.process;
        let pagemap = Pagemap::open(&proc_dir, pid)
            .map_err(|error| explain(Error::reading(format!("/proc/{pid}/pagemap"), error), &process));
        let lowest = lowest_address(&proc_dir);
        Ok(Sampler { proc_dir, process, text: Vec::new(), threads: Vec::new(), lowest, pagemap })
    }

    /// How old it is now, in seconds.
    pub fn age_seconds(&self) -> Option<f64> {
        age_seconds(&self.proc_dir, self.process.start_ticks?)
    }

    /// What tells usages that regions do not tell: nothing is needed of it here.
    pub fn memory(&self) -> &dyn Memory {
        &NoMemory
    }

    /// Who is watched.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Reads the process now; `None` when it has ended, or its number belongs to another by now.
    ///
    /// # Errors
    /// When its small files cannot be read.
    pub fn read(&mut self) -> Result<Option<Reading>> {
        let begun = processor_time();
        match self.totals() {
            Ok(Some(sample)) => {
                let regions = self.regions();
                if !still_runs(&self.proc_dir, self.process.pid, self.process.start_ticks) {
                    return Ok(None);
                }
                let maps = regions.as_ref().ok().map(|regions| regions.len() as u64);
                let sample = Sample { maps, ..sample };
                self.follow_threads(&sample);
                let layout = regions.map(|regions| Snapshot {
                    space: AddressSpace::of(&regions, self.lowest),
                    regions,
                    threads: self.threads.clone(),
                    ..Snapshot::default()
                });
                Ok(Some(Reading { sample, layout, busy: processor_time().saturating_sub(begun) }))
            }
            Ok(None) => Ok(None),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Ended | ErrorKind::NoMemory) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn totals(&mut self) -> Result<Option<Sample>> {
        let pid = self.process.pid;
        let mut draft = Draft::new(pid, rustix::param::page_size() as u64);
        for file in [File::Stat, File::Status] {
            let failed = |error| Error::reading(format!("/proc/{pid}/{}", file.name()), error);
            self.proc_dir.read(pid, file, &mut self.text).map_err(failed)?;
            draft.take(file, &self.text)?;
            if draft.process.state != ProcessState::Alive {
                return Ok(None);
            }
        }
        if draft.process.start_ticks != self.process.start_ticks {
            return Ok(None);
        }
        let process = draft.process;
        Ok(Some(Sample {
            footprint: process.footprint,
            majflt: process.majflt,
            minflt: process.minflt,
            threads: process.threads,
            ..Sample::default()
        }))
    }

    fn regions(&mut self) -> Result<Vec<Region>> {
        let pid = self.process.pid;
        let mut regions = Vec::new();
        read_maps(&self.proc_dir, pid, &mut regions).map_err(|error| explain(error, &self.process))?;
        let pagemap = match &mut self.pagemap {
            Ok(pagemap) => pagemap,
            Err(error) => return Err(error.again()),
        };
        let failed = |error| explain(Error::reading(format!("/proc/{pid}/pagemap"), error), &self.process);
        pagemap.fill_resident(&mut regions).map_err(failed)?;
        Ok(regions)
    }

    fn follow_threads(&mut self, sample: &Sample) {
        if sample.threads != Some(self.threads.len() as u64) {
            self.threads = threads::read(&self.proc_dir, self.process.pid).unwrap_or_default();
        }
    }
}

/// The processor time of this thread so far.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
