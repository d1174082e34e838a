use residue_model::{Footprint, Gap, Process, ProcessId, ProcessState, Region};

use super::ProcDir;
use super::pagemap::{Pagemap, page_counts};
use super::snapshot::{Users, ended, living_thread, read_maps, still_runs, system, total};
use crate::capture::{Sum, Visitor};
use crate::procfs::maps;
use crate::procfs::smaps::{self, Record};
use crate::{Census, Draft, Error, ErrorKind, File, Result, Selection};

/// Reads all processes.
///
/// Those that vanish, or may not be read, become gaps with a count. Kernel threads have no user memory and are left out.
///
/// # Errors
/// When `/proc` itself cannot be read.
pub fn sweep(proc_dir: &ProcDir, selection: &Selection<'_>, visitor: &mut Visitor<'_>) -> Result<Census> {
    let mut sweep = Sweep::new(proc_dir, selection);
    let processes = proc_dir.processes()?;
    for (done, &pid) in processes.iter().enumerate() {
        (selection.progress)(done, processes.len());
        match sweep.process(pid, visitor) {
            Ok(Some(process)) => sweep.census.processes.push(process),
            Ok(None) => {}
            Err(error) if is_gone(&error) => sweep.vanished += 1,
            Err(error) => sweep.census.gaps.push(Gap::new(format!("process {pid}"), error.to_string())),
        }
    }
    Ok(sweep.finish())
}

fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Ended)
}

struct Sweep<'a> {
    proc_dir: &'a ProcDir,
    selection: &'a Selection<'a>,
    census: Census,
    users: Users,
    text: Vec<u8>,
    listed: usize,
    vanished: usize,
    denied: usize,
    headless: usize,
    gentle: Vec<String>,
}

impl<'a> Sweep<'a> {
    fn new(proc_dir: &'a ProcDir, selection: &'a Selection<'a>) -> Sweep<'a> {
        Sweep {
            proc_dir,
            selection,
            census: Census::default(),
            users: Users::default(),
            text: Vec::new(),
            listed: 0,
            vanished: 0,
            denied: 0,
            headless: 0,
            gentle: Vec::new(),
        }
    }

    fn process(&mut self, pid: ProcessId, visitor: &mut Visitor<'_>) -> Result<Option<Process>> {
        let mut draft = Draft::new(pid, rustix::param::page_size() as u64);
        self.take(&mut draft, File::Stat)?;
        if draft.process.state == ProcessState::Kernel {
            return Ok(None);
        }
        self.listed += 1;
        for file in [File::Statm, File::Status, File::Cmdline] {
            if self.selection.files.contains(file) {
                self.take(&mut draft, file)?;
            }
        }
        draft.process.user = draft.process.uid.and_then(|uid| self.users.name(uid));
        if !(self.selection.select)(&draft.process) {
            return Ok(None);
        }
        if draft.process.state == ProcessState::Zombie && living_thread(self.proc_dir, pid).is_some() {
            draft.process.footprint = Footprint::default();
            self.headless += 1;
        }
        if draft.process.state == ProcessState::Alive {
            match self.memory(&mut draft, visitor) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    self.denied += 1;
                    // Less than was asked for, but what everyone may know.
                    self.take(&mut draft, File::Status)?;
                }
                other => other?,
            }
        }
        Ok(Some(draft.process))
    }

    fn take(&mut self, draft: &mut Draft, file: File) -> Result<()> {
        let pid = draft.process.pid;
        let failed = |error| Error::reading(format!("/proc/{pid}/{}", file.name()), error);
        self.proc_dir.read(pid, file, &mut self.text).map_err(failed)?;
        draft.take(file, &self.text)
    }

    /// The files that cost, and that not everyone may read.
    fn memory(&mut self, draft: &mut Draft, visitor: &mut Visitor<'_>) -> Result<()> {
        let files = self.selection.files;
        if files.contains(File::OomScore) {
            self.take(draft, File::OomScore)?;
        }
        if files.contains(File::Maps) {
            draft.process.maps = Some(maps::count(self.open(draft, File::Maps)?)?);
        }
        let walks = files.contains(File::Smaps) || files.contains(File::Rollup);
        if walks && self.selection.care.applies(draft.process.footprint.rss) {
            self.gently(draft, visitor)
        } else if files.contains(File::Smaps) {
            self.regions(draft, visitor)
        } else if files.contains(File::Rollup) {
            self.rollup(draft)
        } else {
            Ok(())
        }
    }

    fn open(&self, draft: &Draft, file: File) -> Result<std::fs::File> {
        let pid = draft.process.pid;
        self.proc_dir
            .open_file(pid, file)
            .map_err(|error| Error::reading(format!("/proc/{pid}/{}", file.name()), error))
    }

    fn rollup(&mut self, draft: &mut Draft) -> Result<()> {
        match self.take(draft, File::Rollup) {
            // Before Linux 4.14 there is no rollup, but its parts are there.
            Err(error) if error.kind() == ErrorKind::NotFound => self.regions(draft, &mut |_, _| true),
            other => other,
        }
    }

    fn regions(&mut self, draft: &mut Draft, visitor: &mut Visitor<'_>) -> Result<()> {
        let input = self.open(draft, File::Smaps)?;
        let mut sum = Sum::default();
        smaps::visit(input, |record| {
            if visitor(&draft.process, record) {
                sum.add(record.header.range, &record.counters);
            }
        })?;
        if !still_runs(self.proc_dir, draft.process.pid, draft.process.start_ticks) {
            return Err(ended(&draft.process));
        }
        sum.settle(draft);
        Ok(())
    }

    fn gently(&mut self, draft: &mut Draft, visitor: &mut Visitor<'_>) -> Result<()> {
        let pid = draft.process.pid;
        let failed = |error| Error::reading(format!("/proc/{pid}/pagemap"), error);
        let mut regions = Vec::new();
        read_maps(self.proc_dir, pid, &mut regions)?;
        let mut pagemap = Pagemap::open(self.proc_dir, pid).map_err(failed)?;
        pagemap.fill_resident(&mut regions).map_err(failed)?;
        pagemap.fill_shares(&mut regions, page_counts(self.proc_dir).as_ref()).map_err(failed)?;
        if !still_runs(self.proc_dir, draft.process.pid, draft.process.start_ticks) {
            return Err(ended(&draft.process));
        }
        let sum = total(&regions);
        if self.selection.files.contains(File::Smaps) {
            let mut counted = Sum::default();
            for region in &regions {
                if visitor(&draft.process, &record(region)) {
                    counted.add(region.range, &region.counters);
                }
            }
            counted.settle(draft);
        } else {
            draft.absorb(&sum);
        }
        self.gentle.push(format!("{pid} ({})", draft.process.name));
        Ok(())
    }

    fn finish(mut self) -> Census {
        let Sweep { listed, vanished, denied, headless, .. } = self;
        let mut gap = |what: String, why: &str| self.census.gaps.push(Gap::new(what, why));
        if denied > 0 {
            let why = if rustix::process::geteuid().is_root() {
                "permission denied even to root: a security module or another user namespace protects them"
            } else {
                "permission denied: run as root"
            };
            let files = self.selection.files;
            let sums = files.contains(File::Rollup) || files.contains(File::Smaps);
            let what = if sums { "pss, uss and swap_pss" } else { "regions" };
            gap(format!("{denied} of {listed} processes not readable: {what}"), why);
        }
        if headless > 0 {
            gap(format!("memory of {headless} processes"), "their main thread has ended while others run on");
        }
        if vanished > 0 {
            gap(format!("{vanished} processes"), "they ended while they were read");
        }
        if !self.gentle.is_empty() {
            let shown = self.gentle.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = if self.gentle.len() > 3 {
                format!(" and {} more", self.gentle.len() - 3)
            } else {
                String::new()
            };
            let is_root = page_counts(self.proc_dir).is_some();
            let what = if is_root { "swap_pss" } else { "pss and swap_pss" };
            gap(
                format!("{what} of {shown}{more}"),
                "read in small steps, so that they do not wait; --exact reads them whole",
            );
        }
        self.census.gaps.extend(hidden(self.proc_dir));
        self.census.system = system(self.proc_dir);
        self.census
    }
}

fn record(region: &Region) -> Record {
    Record {
        header: maps::Header {
            range: region.range,
            protection: region.protection,
            offset: region.offset,
            device: region.device,
            inode: region.inode,
        },
        name: region.name().as_bytes().to_vec(),
        counters: region.counters.clone(),
        flags: Vec::new(),
    }
}

/// With `hidepid` the kernel does not even list what others run, so it cannot be counted.
fn hidden(proc_dir: &ProcDir) -> Option<Gap> {
    let mounts = proc_dir.read_path("self/mounts").ok()?;
    let options = std::str::from_utf8(&mounts).ok()?.lines().rev().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        (words.next()? == "/proc" && words.next()? == "proc").then(|| words.next())?
    })?;
    let mode = options.split(',').find_map(|option| option.strip_prefix("hidepid="))?;
    if matches!(mode, "0" | "off") || rustix::process::geteuid().is_root() {
        return None;
    }
    Some(Gap::new("processes of other users", format!("/proc is mounted with hidepid={mode}: run as root")))
}
