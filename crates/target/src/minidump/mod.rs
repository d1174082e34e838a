//! Minidumps, as Windows, Wine, Breakpad and Crashpad write them, of Windows, Linux and macOS processes.
//!
//! Streams are decoded by the `minidump` crate; memory is found by ourselves, so that a dump that was cut off still
//! gives what it holds. Source: `minidumpapiset.h`.

mod directory;
mod lists;
mod memory;
mod regions;
mod streams;

use residue_model::{AddressSpace, Bytes, Dump, DumpFormat, Gap, Memory, Region, Snapshot, Source};

use crate::image::{Mapped, Segments};
use crate::{Result, Still, StillProgress, Stillness, Target, windows};
use streams::Streams;

/// A minidump file.
#[derive(Debug)]
pub struct Minidump {
    path: String,
    streams: Streams,
    segments: Segments,
    gaps: Vec<Gap>,
}

impl Minidump {
    /// Reads the streams; memory stays in the file until it is looked at.
    pub(crate) fn open(path: &str, file: Mapped) -> Result<Minidump> {
        let mut gaps = Vec::new();
        let (streams, held) = streams::read(path, &file, &mut gaps)?;
        let (segments, overlap) = Segments::new(file, held);
        if overlap > Bytes::ZERO {
            gaps.push(Gap::new(
                format!("{overlap} that two memory ranges of the dump claim"),
                "the range that begins first is shown",
            ));
        }
        Ok(Minidump { path: path.to_owned(), streams, segments, gaps })
    }
}

impl Target for Minidump {
    fn snapshot(&self) -> Result<Snapshot> {
        let mut gaps = self.gaps.clone();
        let streams = &self.streams;
        let regions = regions::regions(streams, &self.segments, &mut gaps);
        let mut process = streams.process.clone();
        process.maps = Some(regions.len() as u64);
        process.threads = (!streams.threads.is_empty()).then_some(streams.threads.len() as u64);
        process.footprint.vss = Some(regions.iter().map(Region::size).sum());
        let space = if streams.is_windows() {
            windows::space(streams.bits, None, &streams.modules, &self.segments, &regions)
        } else {
            AddressSpace::wide(streams.bits, &regions, LOWEST)
        };
        Ok(Snapshot {
            process,
            threads: streams.threads.clone(),
            modules: streams.modules.clone(),
            machine: streams.machine.clone(),
            space,
            regions,
            source: Source::Minidump,
            dump: Some(Dump {
                file: self.path.clone(),
                format: DumpFormat::Minidump,
                size: Bytes(self.segments.file().len() as u64),
                saved: self.segments.total(),
                event: streams.event.clone(),
            }),
            gaps,
            ..Snapshot::default()
        })
    }

    fn memory(&self) -> Result<&dyn Memory> {
        Ok(&self.segments)
    }

    fn still(&self, _: Stillness<'_>, _: &mut dyn FnMut(StillProgress)) -> Result<Still<'_>> {
        Still::dump(self, &self.segments)
    }
}

/// Nothing is mapped below, on any system that writes minidumps.
const LOWEST: residue_model::Address = residue_model::Address(0x1_0000);
