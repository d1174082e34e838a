use residue_model::{Bytes, Dump, DumpFormat, Gap, Memory, Region, Snapshot};

use super::observation::Recalled;
use super::selfcheck::Selfcheck;
use crate::{Error, ErrorKind, Result, Target};

/// How a document of `residue selfcheck` begins, whatever wrote it.
const BEGINS: &[u8] = br#"{"schema":"residue.selfcheck/1""#;

/// Whether a file begins as a recording does.
pub(crate) fn is_recording(magic: &[u8]) -> bool {
    magic.starts_with(BEGINS)
}

/// What `residue selfcheck` recorded of itself on Windows, looked at on any system.
#[derive(Debug)]
pub struct Recorded {
    path: String,
    size: Bytes,
    selfcheck: Selfcheck,
    memory: Recalled,
}

impl Recorded {
    /// Reads a recording.
    pub(crate) fn open(path: &str, file: &[u8]) -> Result<Recorded> {
        let selfcheck: Selfcheck = serde_json::from_slice(file).map_err(|error| {
            Error::new(ErrorKind::Syntax, format!("{path} is no usable selfcheck recording: {error}"))
                .help("was it cut off or edited? Write it again on Windows: residue selfcheck -o FILE")
        })?;
        let memory = selfcheck.observation.memory();
        Ok(Recorded { path: path.to_owned(), size: Bytes(file.len() as u64), selfcheck, memory })
    }

    /// The whole document.
    pub fn selfcheck(&self) -> &Selfcheck {
        &self.selfcheck
    }
}

impl Target for Recorded {
    fn snapshot(&self) -> Result<Snapshot> {
        let mut snapshot = self.selfcheck.observation.snapshot(&self.memory);
        for region in &mut snapshot.regions {
            region.saved = Some(self.memory.saved(region));
        }
        snapshot.gaps.push(Gap::new(
            "what is in memory",
            "a recording holds only what tells where stacks and heaps are",
        ));
        let vss: Bytes = snapshot.regions.iter().map(Region::size).sum();
        snapshot.process.footprint.vss.get_or_insert(vss);
        snapshot.dump = Some(Dump {
            file: self.path.clone(),
            format: DumpFormat::Observation,
            size: self.size,
            saved: self.memory.total(),
            event: None,
        });
        Ok(snapshot)
    }

    fn memory(&self) -> Result<&dyn Memory> {
        Ok(&self.memory)
    }
}
