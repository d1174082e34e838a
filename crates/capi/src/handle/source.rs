//! What a handle reads: a running process, or a dump.

use std::sync::Arc;

#[cfg(any(target_os = "linux", windows))]
use library::Probe;
use library::model::{AddressSpace, Extent, Process, ProcessId, Region, Sample};
use library::{Detail, ErrorKind, Options, TargetError, analysis::Map};

use crate::border::error::{Failure, Result};
use crate::border::status::residue_status;
#[cfg(not(any(target_os = "linux", windows)))]
use crate::handle::elsewhere::Probe;

/// What a handle reads.
pub(crate) enum Source {
    Live(Box<Probe>),
    Dump(Arc<Map>),
}

/// What a process needs to be found once more.
pub(crate) struct Identity {
    pid: ProcessId,
    start_ticks: Option<u64>,
}

impl Source {
    pub(crate) fn process(&self) -> &Process {
        match self {
            Source::Live(probe) => probe.process(),
            Source::Dump(map) => &map.snapshot.process,
        }
    }

    pub(crate) fn age_seconds(&self) -> Option<f64> {
        match self {
            Source::Live(probe) => probe.age_seconds(),
            Source::Dump(_) => None,
        }
    }

    pub(crate) fn is_dump(&self) -> bool {
        matches!(self, Source::Dump(_))
    }

    pub(crate) fn space(&self) -> AddressSpace {
        match self {
            Source::Live(probe) => probe.space(),
            Source::Dump(map) => map.snapshot.space,
        }
    }

    /// The counters; a dump has those that its process left.
    pub(crate) fn counters(&mut self, detail: Detail) -> Result<Sample> {
        match self {
            Source::Live(probe) => Ok(probe.sample(detail)?),
            Source::Dump(map) => {
                let process = &map.snapshot.process;
                Ok(Sample {
                    footprint: process.footprint.clone(),
                    majflt: process.majflt,
                    minflt: process.minflt,
                    threads: process.threads,
                    handles: process.handles,
                    ..Sample::default()
                })
            }
        }
    }

    /// Shows the regions in order of address.
    pub(crate) fn extents(&mut self, visit: &mut dyn FnMut(&Extent)) -> Result<()> {
        match self {
            Source::Live(probe) => Ok(probe.extents(visit)?),
            Source::Dump(map) => {
                map.snapshot.regions.iter().for_each(|region| visit(&extent(region)));
                Ok(())
            }
        }
    }

    /// How to understand it whole, without keeping others from this handle meanwhile.
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Source::Live(probe) => {
                let Process { pid, start_ticks, .. } = *probe.process();
                Subject::Process(Identity { pid, start_ticks })
            }
            Source::Dump(map) => Subject::Understood(Arc::clone(map)),
        }
    }
}

/// What will be understood whole.
pub(crate) enum Subject {
    Process(Identity),
    Understood(Arc<Map>),
}

impl Subject {
    /// The map. Of a process it is made now.
    pub(crate) fn map(self) -> Result<Arc<Map>> {
        match self {
            Subject::Understood(map) => Ok(map),
            Subject::Process(identity) => identity.map().map(Arc::new),
        }
    }
}

impl Identity {
    fn look(&self) -> library::Result<Map> {
        let target = library::open(&self.pid.to_string(), &Options::default(), &mut |_, _| {})?;
        library::map(&*target)
    }

    fn map(&self) -> Result<Map> {
        let map = self.look().map_err(|error| match error.kind() {
            // It lived when the handle was opened.
            Some(ErrorKind::NotFound | ErrorKind::NoMemory) => {
                let text = format!("process {} has ended", self.pid);
                Failure::new(residue_status::RESIDUE_ENDED, text)
            }
            _ => error.into(),
        })?;
        if map.snapshot.process.start_ticks == self.start_ticks {
            return Ok(map);
        }
        let text = format!("process {} has ended, and another has its number", self.pid);
        Err(Failure::new(residue_status::RESIDUE_ENDED, text))
    }
}

pub(crate) fn live(probe: std::result::Result<Probe, TargetError>) -> Result<Source> {
    Ok(Source::Live(Box::new(probe?)))
}

pub(crate) fn dump(path: &str) -> Result<Source> {
    let target = library::open_dump(path, &mut |_, _| {})?;
    Ok(Source::Dump(Arc::new(library::map(&*target)?)))
}

pub(crate) fn process(pid: u32) -> Result<Source> {
    live(Probe::open(ProcessId(pid)))
}

pub(crate) fn own() -> Result<Source> {
    live(Probe::own())
}

fn extent(region: &Region) -> Extent {
    Extent {
        range: region.range,
        allocation_base: region.allocation_base,
        state: region.state(),
        protection: region.protection,
        backing: region.backing(),
        pages: region.pages,
    }
}
