//! ELF cores, as Linux, gdb and Residue itself write them.
//!
//! Source: `fs/binfmt_elf.c` and `include/uapi/linux/elfcore.h` of Linux; `elf(5)`.

mod headers;
mod names;
mod notes;

use residue_model::{
    Address, AddressSpace, Bytes, Dump, DumpFormat, Gap, Machine, Memory, Os, Process, ProcessId, Protection,
    Region, Snapshot, Source,
};

use crate::image::{Mapped, Segment, Segments, part, within};
use crate::{Result, Still, StillProgress, Stillness, Target};
use headers::{Headers, Load};
use notes::Notes;

/// A core file.
#[derive(Debug)]
pub struct ElfCore {
    path: String,
    headers: Headers,
    notes: Notes,
    segments: Segments,
    gaps: Vec<Gap>,
}

impl ElfCore {
    /// Reads headers and notes; memory stays in the file until it is looked at.
    pub(crate) fn open(path: &str, file: Mapped) -> Result<ElfCore> {
        let headers = Headers::read(path, &file)?;
        let notes = Notes::read(&headers, &file);
        let length = file.len() as u64;
        let held = headers.loads.iter().map(|load| Segment {
            range: load.first(within(length, load.offset, load.in_file())),
            offset: load.offset,
        });
        let (segments, overlap) = Segments::new(file, held.collect());
        let mut gaps = missing(&headers, length);
        gaps.extend(notes.gaps.iter().cloned());
        if overlap > Bytes::ZERO {
            gaps.push(Gap::new(
                format!("{overlap} that two segments of the core claim"),
                "the one that begins first is shown",
            ));
        }
        Ok(ElfCore { path: path.to_owned(), headers, notes, segments, gaps })
    }

    fn regions(&self, gaps: &mut Vec<Gap>) -> Vec<Region> {
        let mut regions: Vec<Region> = self.headers.loads.iter().map(region).collect();
        part(&mut regions);
        join(&mut regions, &self.notes, &self.segments);
        names::name(&mut regions, &self.notes, gaps);
        // Files that only the list names may overlap each other, in a damaged core.
        part(&mut regions);
        names::landmarks(&mut regions, &self.notes, self.headers.cpu());
        for region in &mut regions {
            region.saved = Some(self.segments.saved(region.range));
        }
        regions
    }
}

impl Target for ElfCore {
    fn snapshot(&self) -> Result<Snapshot> {
        let mut gaps = self.gaps.clone();
        let regions = self.regions(&mut gaps);
        let notes = &self.notes;
        let mut process = Process {
            pid: ProcessId(notes.pid.unwrap_or_default()),
            name: notes.name.clone().unwrap_or_default(),
            command: notes.command.clone(),
            uid: notes.uid,
            threads: (!notes.threads.is_empty()).then_some(notes.threads.len() as u64),
            maps: Some(regions.len() as u64),
            ..Process::default()
        };
        process.footprint.vss = Some(regions.iter().map(Region::size).sum());
        Ok(Snapshot {
            process,
            threads: notes.threads.clone(),
            machine: Machine {
                os: Os::Linux,
                os_version: None,
                cpu: Some(self.headers.cpu().to_owned()),
                big_endian: self.headers.layout.big_endian,
            },
            space: AddressSpace::wide(self.headers.layout.bits(), &regions, LOWEST),
            regions,
            source: Source::Core,
            dump: Some(Dump {
                file: self.path.clone(),
                format: DumpFormat::ElfCore,
                size: Bytes(self.segments.file().len() as u64),
                saved: self.segments.total(),
                event: notes.event.clone(),
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

/// `vm.mmap_min_addr` of almost every Linux; a core does not tell.
const LOWEST: Address = Address(0x1_0000);

fn region(load: &Load) -> Region {
    let range = load.first(load.memory);
    let has = |bit| load.flags & bit != 0;
    let protection = Protection { read: has(4), write: has(2), execute: has(1), shared: false };
    Region { range, protection, allocation_base: range.start, ..Region::default() }
}

/// Joins segments that are one mapping of which only a part was saved: parts of one mapped file, or memory without a
/// file of which one part was left out.
fn join(regions: &mut Vec<Region>, notes: &Notes, segments: &Segments) {
    let file = |region: &Region| names::holding(&notes.files, region.range.start);
    let mut joined: Vec<Region> = Vec::with_capacity(regions.len());
    let mut was_left_out = false;
    for next in regions.drain(..) {
        let is_left_out = segments.saved(next.range) == Bytes::ZERO;
        let is_part = joined.last().is_some_and(|last| {
            let touches = last.range.end == next.range.start && last.protection == next.protection;
            touches
                && match (file(last), file(&next)) {
                    (Some(file), Some(other)) => file == other,
                    (None, None) => !next.protection.is_none() && was_left_out != is_left_out,
                    _ => false,
                }
        });
        was_left_out = is_left_out;
        match joined.last_mut() {
            Some(last) if is_part => last.range.end = next.range.end,
            _ => joined.push(next),
        }
    }
    *regions = joined;
}

/// What the headers promise and the file does not hold.
fn missing(headers: &Headers, length: u64) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if headers.loads.is_empty() {
        gaps.push(Gap::new("all memory", "the core has no segment of it"));
    }
    let cut = |load: &Load| load.in_file() - within(length, load.offset, load.in_file());
    let lost: Bytes = headers.loads.iter().map(|load| Bytes(cut(load))).sum();
    if lost > Bytes::ZERO {
        let regions = headers.loads.iter().filter(|load| cut(load) > 0).count();
        let end = headers.loads.iter().map(|load| load.offset.saturating_add(load.in_file())).max();
        gaps.push(Gap::new(
            format!("{lost} of memory in {regions} regions"),
            format!(
                "the core is cut off: it ends at byte {length}, its headers reach to {}; look for a full disk, \
                 `ulimit -c`, or ProcessSizeMax of systemd-coredump",
                end.unwrap_or_default()
            ),
        ));
    }
    let elided = |load: &&Load| load.memory > load.in_file() && load.flags != 0;
    let left_out: Bytes =
        headers.loads.iter().filter(elided).map(|load| Bytes(load.memory - load.in_file())).sum();
    if left_out > Bytes::ZERO {
        let regions = headers.loads.iter().filter(elided).count();
        gaps.push(Gap::new(
            format!("{left_out} of memory in {regions} regions"),
            "whoever wrote the core left them out, mostly what stands in files anyway; they are not taken for zeros",
        ));
    }
    if headers.lost > 0 {
        gaps.push(Gap::new(
            format!("{} of the core's {} program headers", headers.lost, headers.lost + headers.read),
            "the file ends before them",
        ));
    }
    gaps
}
