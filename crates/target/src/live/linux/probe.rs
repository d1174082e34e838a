use std::fs::File as Disk;
use std::io;
use std::os::unix::fs::FileExt;

use residue_model::{
    Address, AddressSpace, Extent, Footprint, Process, ProcessId, ProcessState, Range, Sample, State,
};

use super::snapshot::{ended, explain, identify, layout};
use super::vma_query::{at_or_above, backing};
use super::{Host, age_seconds};
use crate::procfs::{maps, rollup, stat, status};
use crate::{Detail, Error, ErrorKind, File, Result};

/// A process that is read thousands of times a second: its files stay open, its text goes through one buffer.
///
/// An open file of `/proc` means the process that it was opened for: a number that is given again does not mislead it.
pub struct Probe {
    host: Host,
    process: Process,
    age_seconds: Option<f64>,
    space: AddressSpace,
    stat: Disk,
    status: Disk,
    maps: Disk,
    /// The kernel answers queries for single regions.
    has_queries: bool,
    text: Vec<u8>,
}

/// More than the longest line of `maps`, and many at once.
const ROOM: usize = 64 * 1024;

impl Probe {
    /// Opens a process.
    ///
    /// # Errors
    /// When there is none, it has no memory, or may not be read.
    pub fn open(pid: ProcessId) -> Result<Probe> {
        let host = Host::open()?;
        let process = identify(&host, pid)?.process;
        let space = layout(&host, pid)?.space;
        let open = |file: File| {
            let what = || format!("/proc/{pid}/{}", file.name());
            host.open_file(pid, file).map_err(|error| explain(Error::reading(what(), error), &process))
        };
        let (stat, status, maps) = (open(File::Stat)?, open(File::Status)?, open(File::Maps)?);
        let has_queries = at_or_above(&maps, Address(0)).is_ok();
        let age_seconds = process.start_ticks.and_then(|ticks| age_seconds(&host, ticks));
        Ok(Probe { space, stat, status, maps, has_queries, text: vec![0; ROOM], age_seconds, host, process })
    }

    /// Opens the process that asks.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
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
        let stat = self.stat()?;
        let status = match read_at(&self.status, &mut self.text, 0) {
            Ok(text) => status::parse(text),
            Err(error) => return Err(self.failed("status", error)),
        };
        let mut footprint = Footprint {
            vss: status.vss.or(Some(stat.vss)),
            rss: status.rss,
            peak_rss: status.peak_rss,
            anon: status.anon,
            file: status.file,
            shmem: status.shmem,
            swap: status.swap,
            ..Footprint::default()
        };
        if detail == Detail::Full {
            self.rollup(&mut footprint);
            // It too was opened by number.
            self.stat()?;
        }
        Ok(Sample {
            footprint,
            majflt: Some(stat.majflt),
            minflt: Some(stat.minflt),
            threads: Some(stat.threads),
            ..Sample::default()
        })
    }

    /// What tells whether it still runs.
    fn stat(&mut self) -> Result<stat::Stat> {
        let stat = read_at(&self.stat, &mut self.text, 0).ok().and_then(stat::numbers);
        stat.filter(|stat| stat.state == ProcessState::Alive).ok_or_else(|| ended(&self.process))
    }

    /// Shows its regions in order of address, as far as they are memory of its own: not the page that the kernel lends to
    /// every program above all others.
    ///
    /// # Errors
    /// When it has ended or may not be read any more.
    pub fn extents(&mut self, visit: &mut dyn FnMut(&Extent)) -> Result<()> {
        if self.walk(visit)? > 0 {
            return Ok(());
        }
        // The file means the memory that the process had before it executed another program: that is gone.
        let pid = self.process.pid;
        let maps = self.host.open_file(pid, File::Maps).map_err(|error| self.failed("maps", error))?;
        // It was opened by number: if the process lives now, it did then, and the number was its own.
        self.stat()?;
        self.maps = maps;
        if self.walk(visit)? > 0 { Ok(()) } else { Err(ended(&self.process)) }
    }

    fn walk(&mut self, visit: &mut dyn FnMut(&Extent)) -> Result<usize> {
        if self.has_queries { self.walk_queries(visit) } else { self.walk_text(visit) }
    }

    fn walk_queries(&mut self, visit: &mut dyn FnMut(&Extent)) -> Result<usize> {
        let (mut at, mut seen) = (Address(0), 0);
        loop {
            match at_or_above(&self.maps, at) {
                Ok(Some(extent)) => {
                    visit(&extent);
                    seen += 1;
                    at = extent.range.end;
                }
                Ok(None) => return Ok(seen),
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) && seen == 0 => return Ok(0),
                Err(error) => return Err(self.failed("maps", error)),
            }
        }
    }

    fn walk_text(&mut self, visit: &mut dyn FnMut(&Extent)) -> Result<usize> {
        let (mut offset, mut seen) = (0, 0);
        loop {
            let text = match read_at(&self.maps, &mut self.text, offset) {
                Ok(text) => text,
                Err(error) => return Err(self.failed("maps", error)),
            };
            // The kernel gives whole lines.
            let Some(end) = memchr::memrchr(b'\n', text) else { return Ok(seen) };
            for line in text[..end].split(|&byte| byte == b'\n') {
                let Some((header, _)) = maps::parse(line) else {
                    return Err(Error::syntax("maps", seen + 1, "not a region"));
                };
                if header.range.start < self.space.range.end {
                    visit(&extent(&header));
                }
                seen += 1;
            }
            offset += end as u64 + 1;
        }
    }

    fn rollup(&self, footprint: &mut Footprint) {
        let mut text = Vec::new();
        if self.host.read(self.process.pid, File::Rollup, &mut text).is_ok()
            && let Ok(sum) = rollup::parse(&text)
        {
            footprint.absorb(&sum);
        }
    }

    fn failed(&self, file: &str, error: io::Error) -> Error {
        let error = Error::reading(format!("/proc/{}/{file}", self.process.pid), error);
        if error.kind() == ErrorKind::Ended { ended(&self.process) } else { explain(error, &self.process) }
    }
}

fn extent(header: &maps::Header) -> Extent {
    let Range { start, .. } = header.range;
    Extent {
        range: header.range,
        allocation_base: start,
        state: if header.protection.is_none() { State::Reserved } else { State::Mapped },
        protection: header.protection,
        backing: backing(header.inode, header.device, header.protection.shared),
        pages: None,
    }
}

fn read_at<'a>(file: &Disk, into: &'a mut [u8], offset: u64) -> io::Result<&'a [u8]> {
    loop {
        match file.read_at(into, offset) {
            Ok(read) => return Ok(&into[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
