//! All processes of a machine: which files say what of one, and how they become a [`Process`].

use residue_model::{Bytes, Counters, Footprint, Gap, Process, ProcessId, ProcessState, SystemMemory};

use crate::procfs::{printable, rollup, stat, statm, status};
use crate::{Care, Error, Result};

/// A file of `/proc/PID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum File {
    /// Name, state, faults, threads, sizes.
    Stat,
    /// Sizes in pages.
    Statm,
    /// Owner, resident set by kind, swap.
    Status,
    /// Arguments.
    Cmdline,
    /// How gladly the kernel would kill it.
    OomScore,
    /// Regions.
    Maps,
    /// The memory of all regions, summed by the kernel.
    Rollup,
    /// The memory of each region.
    Smaps,
}

impl File {
    /// Every file; the cheap ones first.
    pub const ALL: [File; 8] = [
        File::Stat,
        File::Statm,
        File::Status,
        File::Cmdline,
        File::OomScore,
        File::Maps,
        File::Rollup,
        File::Smaps,
    ];

    /// Its name below `/proc/PID`.
    pub fn name(self) -> &'static str {
        match self {
            File::Stat => "stat",
            File::Statm => "statm",
            File::Status => "status",
            File::Cmdline => "cmdline",
            File::OomScore => "oom_score",
            File::Maps => "maps",
            File::Rollup => "smaps_rollup",
            File::Smaps => "smaps",
        }
    }
}

/// The files that an answer needs: nothing is read that nobody asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files(u8);

impl Files {
    /// These and one more.
    #[must_use]
    pub fn with(self, file: File) -> Files {
        Files(self.0 | 1 << file as u8)
    }

    /// Whether a file is among them.
    pub fn contains(self, file: File) -> bool {
        self.0 & 1 << file as u8 != 0
    }

    /// All files.
    pub fn all() -> Files {
        File::ALL.into_iter().fold(Files::default(), Files::with)
    }
}

/// Which processes are read, and how much of each.
pub struct Selection<'a> {
    /// The files that the answer needs.
    pub files: Files,
    /// Decides by name, command, user and cheap sizes whether a process is read further.
    pub select: &'a dyn Fn(&Process) -> bool,
    /// Whether large processes are read in small steps.
    pub care: Care,
    /// Told before each process how many have been read, and of how many.
    pub progress: &'a dyn Fn(usize, usize),
}

/// Every process as it stood when it was read.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Processes with user memory, in order of their numbers.
    pub processes: Vec<Process>,
    /// The machine.
    pub system: SystemMemory,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// A process while its files come in, in any order.
#[derive(Debug, Default)]
pub struct Draft {
    /// What is known so far.
    pub process: Process,
    page_size_bytes: u64,
    /// The sizes come from one sum over all regions: nothing else may replace one of them.
    summed: bool,
}

impl Draft {
    /// A process of which nothing but the number is known.
    pub fn new(pid: ProcessId, page_size_bytes: u64) -> Draft {
        Draft { process: Process { pid, ..Process::default() }, page_size_bytes, summed: false }
    }

    /// Takes what a small file says.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Syntax`] when it does not say what it should.
    pub fn take(&mut self, file: File, text: &[u8]) -> Result<()> {
        match file {
            File::Stat => self.stat(stat::parse(text)?),
            File::Statm => self.statm(statm::parse(text)?),
            File::Status => self.status(&status::parse(text)),
            File::Cmdline => self.process.command = command(text),
            File::OomScore => self.process.oom_score = Some(oom_score(text)?),
            File::Rollup => self.absorb(&rollup::parse(text)?),
            File::Maps | File::Smaps => unreachable!("regions are streamed, not taken whole"),
        }
        Ok(())
    }

    /// Takes the sum over all regions.
    pub fn absorb(&mut self, sum: &Counters) {
        self.process.footprint.absorb(sum);
        self.summed = true;
    }

    fn stat(&mut self, stat: stat::Stat) {
        let resident = self.pages(stat.rss_pages);
        let process = &mut self.process;
        process.name = stat.name;
        process.state = stat.state;
        process.start_ticks = Some(stat.start_ticks);
        process.minflt = Some(stat.minflt);
        process.majflt = Some(stat.majflt);
        process.threads = Some(stat.threads);
        if process.state == ProcessState::Zombie {
            process.footprint = Footprint::nothing();
            return;
        }
        process.footprint.vss.get_or_insert(stat.vss);
        process.footprint.rss.get_or_insert(resident);
    }

    fn statm(&mut self, statm: statm::Statm) {
        let size = self.pages(statm.size);
        self.process.footprint.vss = Some(size);
    }

    fn status(&mut self, status: &status::Status) {
        self.process.uid = status.uid;
        let footprint = &mut self.process.footprint;
        footprint.anon = status.anon.or(footprint.anon);
        footprint.file = status.file.or(footprint.file);
        footprint.shmem = status.shmem.or(footprint.shmem);
        footprint.peak_rss = status.peak_rss.or(footprint.peak_rss);
        if !self.summed {
            footprint.rss = status.rss.or(footprint.rss);
            footprint.swap = status.swap.or(footprint.swap);
        }
    }

    fn pages(&self, count: u64) -> Bytes {
        Bytes(count.saturating_mul(self.page_size_bytes))
    }
}

/// Arguments parted by spaces; `None` for none, as kernel threads and zombies have.
pub(crate) fn command(text: &[u8]) -> Option<String> {
    let end = text.iter().rposition(|&byte| byte != 0)? + 1;
    let spaced: Vec<u8> = text[..end].iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
    Some(printable(&spaced))
}

fn oom_score(text: &[u8]) -> Result<i64> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| Error::syntax("oom_score", 1, "not a number"))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn the_resident_set_of_one_read_replaces_the_batched_one() {
        let mut draft = Draft::new(ProcessId(1), 4096);
        let stat = "1 (x) S 0 1 1 0 -1 4194560 1 0 2 0 5 6 0 0 20 0 9 0 42 10485760 512 0 0";
        draft.take(File::Stat, stat.as_bytes()).expect("well formed");
        assert_eq!(draft.process.footprint.rss, Some(Bytes(512 * 4096)));
        draft.take(File::Rollup, b"1-2 [rollup]\nRss: 16 kB\nSwap: 4 kB\n").expect("well formed");
        draft.take(File::Status, b"VmSwap: 99 kB\n").expect("well formed");
        assert_eq!(draft.process.footprint.rss, Some(Bytes::kib(16)));
        assert_eq!(draft.process.footprint.swap, Some(Bytes::kib(4)));
    }

    #[test]
    fn a_command_line_is_one_printable_line() {
        assert_eq!(command(b"nginx\0-g\0daemon off;\n\0\0").as_deref(), Some("nginx -g daemon off;\\x0a"));
        assert_eq!(command(b"\0\0"), None);
    }

    #[test]
    fn files_are_a_set() {
        let files = Files::default().with(File::Stat).with(File::Smaps);
        assert!(files.contains(File::Smaps) && !files.contains(File::Rollup));
        assert!(File::ALL.into_iter().all(|file| Files::all().contains(file)));
    }
}
