//! The files of all processes in one archive, to be read on another machine.
//!
//! The layout is the one of smem's captures: a tar of `meminfo`, `version` and `PID/smaps`, so that captures
//! of either kind can be read; the directory of each process carries its owner. Compressed with gzip where the name ends in `.gz` or `.tgz`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use residue_model::{
    Bytes, CounterSum, Counters, Gap, Process, ProcessId, ProcessState, Range, SystemMemory,
};

use crate::procfs::smaps::{self, Record};
use crate::procfs::{iomem, meminfo, printable};
use crate::{Census, Draft, Error, ErrorKind, File, Files, Result};

/// No small file of `/proc` is larger; a foreign archive may claim anything.
const LARGEST: u64 = 4 << 20;

/// A page of the machine that captured: `statm` counts in pages, and every capture so far came from one of 4 KiB.
const PAGE_SIZE_BYTES: u64 = 4096;

/// An archive that is being written.
pub struct Archive<W: Write> {
    tar: tar::Builder<Sink<W>>,
}

enum Sink<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Plain(output) => output.write(bytes),
            Sink::Gzip(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(output) => output.flush(),
            Sink::Gzip(output) => output.flush(),
        }
    }
}

impl<W: Write> Archive<W> {
    /// An empty archive.
    pub fn new(output: W, compressed: bool) -> Archive<W> {
        let sink = if compressed {
            Sink::Gzip(GzEncoder::new(output, Compression::fast()))
        } else {
            Sink::Plain(output)
        };
        Archive { tar: tar::Builder::new(sink) }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn add(&mut self, path: &str, content: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o444);
        self.tar.append_data(&mut header, path, content).map_err(writing)
    }

    /// Adds the directory of a process, which carries its owner.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn add_owner(&mut self, pid: ProcessId, uid: u32, user: &str) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o555);
        header.set_uid(u64::from(uid));
        // A name too long for the format stays out: the number is there.
        let _ = header.set_username(user);
        self.tar.append_data(&mut header, format!("{pid}"), io::empty()).map_err(writing)
    }

    /// Writes the end.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(self) -> Result<()> {
        let mut output = match self.tar.into_inner().map_err(writing)? {
            Sink::Plain(output) => output,
            Sink::Gzip(output) => output.finish().map_err(writing)?,
        };
        output.flush().map_err(writing)
    }
}

fn writing(error: io::Error) -> Error {
    Error::writing("the capture", error)
}

/// Reads an archive; `select` decides which processes count, `visitor` sees each of their regions and says whether it
/// counts.
///
/// The archive is opened twice: other tools write the regions of a process before its name, and a process has to be known
/// before it can be selected.
///
/// # Errors
/// When it is no archive, or damaged: nothing is half believed.
pub fn replay<R: Read>(
    open: impl Fn() -> io::Result<R>,
    files: Files,
    select: &dyn Fn(&Process) -> bool,
    visitor: &mut Visitor<'_>,
) -> Result<Census> {
    let mut roll = Roll::default();
    each_file(open().map_err(reading)?, |path, owner, entry| roll.take(path, owner, entry))?;
    roll.drafts.retain(|_, draft| draft.process.state != ProcessState::Kernel);
    let listed = roll.drafts.len();
    roll.drafts.retain(|_, draft| select(&draft.process));
    let whole = files.contains(File::Rollup)
        && roll.drafts.values().all(|draft| draft.process.footprint.pss.is_some());
    if files.contains(File::Smaps) || files.contains(File::Maps) || !whole {
        each_file(open().map_err(reading)?, |path, _, entry| roll.regions(&path, files, visitor, entry))?;
    }
    roll.finish(listed)
}

/// Sees each region of each selected process; says whether it counts.
pub type Visitor<'a> = dyn FnMut(&Process, &Record) -> bool + 'a;

/// The processes of an archive, while they come in.
#[derive(Default)]
struct Roll {
    drafts: BTreeMap<ProcessId, Draft>,
    system: SystemMemory,
}

impl Roll {
    fn take(&mut self, path: Path, owner: Owner, entry: &mut dyn Read) -> Result<()> {
        match path {
            Path::Process(pid, None) => {
                let process = &mut self.draft(pid).process;
                process.uid = process.uid.or(owner.uid);
                process.user = owner.name;
            }
            Path::Process(_, Some(File::Maps | File::Smaps)) => {}
            Path::Process(pid, Some(file)) => self.draft(pid).take(file, &small(entry)?)?,
            Path::Machine(name) if name == "meminfo" => {
                let system = meminfo::parse(&small(entry)?);
                let SystemMemory { installed, kernel_image, .. } = self.system;
                self.system = SystemMemory { installed, kernel_image, ..system };
            }
            Path::Machine(name) if name == "iomem" => {
                (self.system.installed, self.system.kernel_image) = iomem::parse(&small(entry)?);
            }
            Path::Machine(_) => {}
        }
        Ok(())
    }

    fn draft(&mut self, pid: ProcessId) -> &mut Draft {
        self.drafts.entry(pid).or_insert_with(|| Draft::new(pid, PAGE_SIZE_BYTES))
    }

    fn regions(
        &mut self,
        path: &Path,
        files: Files,
        visitor: &mut Visitor<'_>,
        entry: &mut dyn Read,
    ) -> Result<()> {
        let &Path::Process(pid, Some(File::Smaps)) = path else { return Ok(()) };
        let Some(draft) = self.drafts.get_mut(&pid) else { return Ok(()) };
        let mut sum = Sum::default();
        let mut regions = 0;
        smaps::visit(entry, |record| {
            regions += 1;
            if !files.contains(File::Smaps) || visitor(&draft.process, record) {
                sum.add(record.header.range, &record.counters);
            }
        })?;
        if regions > 0 {
            draft.process.maps = Some(regions);
            sum.settle(draft);
        }
        Ok(())
    }

    fn finish(self, listed: usize) -> Result<Census> {
        if listed == 0 {
            return Err(Error::new(ErrorKind::Syntax, "the capture holds no process")
                .help("make one with: residue ps --save FILE"));
        }
        let processes: Vec<Process> = self.drafts.into_values().map(|draft| draft.process).collect();
        let denied = processes.iter().filter(|process| process.footprint.pss.is_none()).count();
        let mut gaps = Vec::new();
        if denied > 0 {
            let what = format!("{denied} of {listed} processes not readable: pss, uss and swap_pss");
            gaps.push(Gap::new(what, "the capture does not hold them: capture as root"));
        }
        Ok(Census { processes, system: self.system, gaps })
    }
}

/// What a member of an archive is, told from its path.
enum Path {
    Process(ProcessId, Option<File>),
    Machine(String),
}

impl Path {
    fn of(path: &str) -> Option<Path> {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let Ok(pid) = first.parse() else { return Some(Path::Machine(path.to_owned())) };
        let file = File::ALL.into_iter().find(|file| file.name() == rest);
        (rest.is_empty() || file.is_some()).then_some(Path::Process(ProcessId(pid), file))
    }
}

/// Whom a member of an archive belongs to.
struct Owner {
    uid: Option<u32>,
    name: Option<String>,
}

fn each_file(input: impl Read, mut each: impl FnMut(Path, Owner, &mut dyn Read) -> Result<()>) -> Result<()> {
    let mut archive = tar::Archive::new(decompressed(input)?);
    // Raw: long names and other extensions are read whole by the library before anyone can ask how long they are, and
    // no file of `/proc` needs them.
    for entry in archive.entries().map_err(reading)?.raw(true) {
        let mut entry = entry.map_err(reading)?;
        let header = entry.header();
        let owner = Owner {
            uid: header.uid().ok().and_then(|uid| u32::try_from(uid).ok()),
            name: header.username_bytes().filter(|name| !name.is_empty()).map(printable),
        };
        if let Some(path) = Path::of(&String::from_utf8_lossy(&entry.path_bytes())) {
            each(path, owner, &mut entry)?;
        }
    }
    Ok(())
}

/// The plain bytes of the input: gzip is told from its first two bytes, not from a name.
fn decompressed<'a>(input: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    let mut input = BufReader::new(input);
    let compressed = input.fill_buf().map_err(reading)?.starts_with(&[0x1f, 0x8b]);
    Ok(if compressed { Box::new(MultiGzDecoder::new(input)) } else { Box::new(input) })
}

/// A small file whole; a foreign archive may claim any size.
fn small(entry: &mut dyn Read) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    entry.take(LARGEST).read_to_end(&mut text).map_err(reading)?;
    Ok(text)
}

fn reading(error: io::Error) -> Error {
    // The library's own words repeat what it took for a header: pages of whatever file was given.
    let error = match error.kind() {
        _ if error.raw_os_error().is_some() => error,
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it ends too early"),
        kind => io::Error::new(kind, "no tar archive, or a damaged one"),
    };
    Error::reading("the capture", error).into_kind(ErrorKind::Syntax).help(
        "it should be a tar of /proc files, as residue ps --save and smem captures are, plain or in gzip",
    )
}

/// The sum of the regions that count.
#[derive(Default)]
pub(crate) struct Sum {
    size: Bytes,
    counters: CounterSum,
}

impl Sum {
    pub(crate) fn add(&mut self, range: Range, counters: &Counters) {
        // The vsyscall page stands in the kernel's half: no other file counts it as the process's.
        if range.end.0 >> 63 == 0 {
            self.size += range.size();
        }
        self.counters.add(counters);
    }

    pub(crate) fn settle(self, draft: &mut Draft) {
        draft.process.footprint.vss = Some(self.size);
        draft.absorb(&self.counters.total());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &[u8] = b"7 (x) S 0 1 1 0 -1 4194560 1 0 2 0 5 6 0 0 20 0 9 0 42 10485760 512 0 0";
    const SMAPS: &[u8] = b"1000-3000 rw-p 00000000 00:00 0 [heap]\nRss: 8 kB\nPss: 8 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 8 kB\n\
                           5000-6000 r--p 00000000 00:01 7 /bin/x\nRss: 4 kB\nPss: 1 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 0 kB\n";

    fn archive(compressed: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes, compressed);
        // As smem writes them: regions first.
        archive.add("7/smaps", SMAPS).expect("memory takes everything");
        archive.add_owner(ProcessId(7), 1000, "anna").expect("memory takes everything");
        archive.add("7/stat", STAT).expect("memory takes everything");
        archive.add("meminfo", b"MemTotal: 100 kB\n").expect("memory takes everything");
        archive.finish().expect("memory takes everything");
        bytes
    }

    fn census(bytes: &[u8], visitor: &mut Visitor<'_>) -> Result<Census> {
        replay(|| Ok(bytes), Files::all(), &|_| true, visitor)
    }

    #[test]
    fn a_capture_comes_back_plain_or_compressed() {
        for compressed in [false, true] {
            let census = census(&archive(compressed), &mut |_, _| true).expect("our own");
            let process = &census.processes[0];
            assert_eq!((process.name.as_str(), process.user.as_deref()), ("x", Some("anna")));
            assert_eq!(process.footprint.pss, Some(Bytes::kib(9)));
            assert_eq!(process.footprint.uss, Some(Bytes::kib(8)));
            assert_eq!((process.maps, census.system.total), (Some(2), Some(Bytes::kib(100))));
            assert_eq!(census.gaps, []);
        }
    }

    #[test]
    fn only_regions_that_count_are_summed() {
        let census = census(&archive(false), &mut |_, record| record.name == b"[heap]").expect("our own");
        assert_eq!(census.processes[0].footprint.pss, Some(Bytes::kib(8)));
        assert_eq!(census.processes[0].footprint.vss, Some(Bytes(0x2000)));
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        assert_eq!(census(b"", &mut |_, _| true).expect_err("empty").kind(), ErrorKind::Syntax);
        assert!(census(&[7; 5000], &mut |_, _| true).is_err());
        let secret = census("root:secret\n".repeat(500).as_bytes(), &mut |_, _| true).expect_err("text");
        let cause = std::error::Error::source(&secret).expect("a cause").to_string();
        assert_eq!(cause, "no tar archive, or a damaged one");
        let cut = archive(true);
        assert!(census(&cut[..cut.len() / 2], &mut |_, _| true).is_err());
    }
}
