//! Where running processes cannot be read yet: dumps are, from any system.

use library::model::{AddressSpace, Extent, Process, ProcessId, Sample};
use library::{Detail, ErrorKind, TargetError};

/// There is none here.
pub(crate) enum Probe {}

type Result<T> = std::result::Result<T, TargetError>;

impl Probe {
    pub(crate) fn open(_: ProcessId) -> Result<Probe> {
        let what = "running processes are read on Linux and Windows only";
        Err(TargetError::new(ErrorKind::Unsupported, what).help("open a dump"))
    }

    pub(crate) fn own() -> Result<Probe> {
        Probe::open(ProcessId(std::process::id()))
    }

    pub(crate) fn process(&self) -> &Process {
        match *self {}
    }

    pub(crate) fn age_seconds(&self) -> Option<f64> {
        match *self {}
    }

    pub(crate) fn space(&self) -> AddressSpace {
        match *self {}
    }

    pub(crate) fn sample(&mut self, _: Detail) -> Result<Sample> {
        match *self {}
    }

    pub(crate) fn extents(&mut self, _: &mut dyn FnMut(&Extent)) -> Result<()> {
        match *self {}
    }
}
