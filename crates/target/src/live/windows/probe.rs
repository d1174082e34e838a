use residue_model::{AddressSpace, Extent, Memory, NoMemory, Process, ProcessId, Sample};

use super::access::{Handle, Right};
use super::counters::{VmQuery, created, handles, has_ended};
use super::process::{Depth, take};
use super::{ProcessMemory, host, list, query};
use crate::windows::Counted;
use crate::{Detail, Error, ErrorKind, Result};

/// A process that is read thousands of times a second: its handle stays open, and keeps its number from being given to
/// another.
pub struct Probe {
    handle: Handle,
    process: Process,
    age_seconds: Option<f64>,
    space: AddressSpace,
    counters: VmQuery,
    is_wine: bool,
}

impl Probe {
    /// Opens a process.
    ///
    /// # Errors
    /// When there is none, or it may not be asked.
    pub fn open(pid: ProcessId) -> Result<Probe> {
        let handle = Handle::open(pid, Right::Query)?;
        let observation = take(pid, Depth::Ranges)?;
        let memory = ProcessMemory::open(pid).ok();
        let space =
            observation.snapshot(memory.as_ref().map_or(&NoMemory as &dyn Memory, |memory| memory)).space;
        let created = created(&handle);
        let age = created.and_then(|created| host::now().checked_sub(created));
        Ok(Probe {
            handle,
            process: observation.process(),
            age_seconds: age.map(|ticks| ticks as f64 * 1e-7),
            space,
            counters: VmQuery::default(),
            is_wine: observation.system.wine.is_some(),
        })
    }

    /// Opens the process that asks.
    ///
    /// # Errors
    /// As for [`Probe::open`]; nobody is denied his own process.
    pub fn own() -> Result<Probe> {
        Probe::open(ProcessId(std::process::id()))
    }

    /// Who is read.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// How old it was when it was opened, in seconds.
    pub fn age_seconds(&self) -> Option<f64> {
        self.age_seconds
    }

    /// The bounds of its address space.
    pub fn space(&self) -> AddressSpace {
        self.space
    }

    /// Its counters now; regions are not looked at. The time of the sample is 0.
    ///
    /// # Errors
    /// When it has ended.
    pub fn sample(&mut self, detail: Detail) -> Result<Sample> {
        if self.has_ended() {
            return Err(self.ended());
        }
        let own = self.counters.read(&self.handle).ok_or_else(|| self.ended())?;
        let own = Counted { handles: handles(&self.handle), ..own };
        let counted = match detail {
            Detail::Quick => own.believed(self.is_wine),
            Detail::Full => own.or(self.listed()?).believed(self.is_wine),
        };
        Ok(Sample {
            footprint: counted.footprint(),
            minflt: counted.page_faults,
            threads: counted.threads,
            handles: counted.handles,
            ..Sample::default()
        })
    }

    fn listed(&self) -> Result<Counted> {
        let listed = list::processes()?.into_iter().find(|listed| listed.pid == self.process.pid);
        listed.map(|listed| listed.counted).ok_or_else(|| self.ended())
    }

    /// Shows its regions in order of address.
    ///
    /// # Errors
    /// When it has ended.
    pub fn extents(&mut self, visit: &mut dyn FnMut(&Extent)) -> Result<()> {
        if self.has_ended() {
            return Err(self.ended());
        }
        match query::walk(&self.handle, &mut |query| visit(&query.extent())) {
            0 => Err(self.ended()),
            _ => Ok(()),
        }
    }

    /// Whoever asks of himself has not ended, and need not ask.
    fn has_ended(&self) -> bool {
        self.handle.is_owned() && has_ended(&self.handle)
    }

    fn ended(&self) -> Error {
        let Process { pid, name, .. } = &self.process;
        Error::new(ErrorKind::Ended, format!("process {pid} ({name}) has ended"))
    }
}
