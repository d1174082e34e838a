use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use nix::unistd::{Uid, User};
use residue_model::{
    Address, AddressSpace, Bytes, Counter, CounterSum, Counters, Gap, Process, ProcessId, ProcessState,
    Region, SharedSegment, Snapshot, Source, SystemMemory,
};

use super::pagemap::{Pagemap, page_counts};
use super::read_ahead::ReadAhead;
use super::{ProcDir, limits, threads};
use crate::procfs::{iomem, maps, meminfo, smaps, stat, sysvipc};
use crate::{Care, Draft, Error, ErrorKind, File, Result};

/// Everything about one process: regions with their counters, threads, limits.
///
/// # Errors
/// When it does not exist, has no memory, ends meanwhile, or its region list may not be read.
pub fn snapshot(proc_dir: &ProcDir, pid: ProcessId, care: Care) -> Result<Snapshot> {
    taken(proc_dir, pid, |rss, snapshot| {
        if care.applies(rss) {
            read_gently(proc_dir, pid, snapshot)
        } else {
            read_smaps(proc_dir, pid, snapshot)
        }
    })
}

/// The same without counters of regions: the process hardly waits, however large it is.
///
/// # Errors
/// As for [`snapshot`].
pub fn layout(proc_dir: &ProcDir, pid: ProcessId) -> Result<Snapshot> {
    taken(proc_dir, pid, |_, snapshot| read_maps(proc_dir, pid, &mut snapshot.regions))
}

/// A snapshot with regions that are read as told, knowing the resident size.
fn taken(
    proc_dir: &ProcDir,
    pid: ProcessId,
    read: impl FnOnce(Option<Bytes>, &mut Snapshot) -> Result<()>,
) -> Result<Snapshot> {
    let mut draft = identify(proc_dir, pid)?;
    let mut snapshot = Snapshot { system: system(proc_dir), ..Snapshot::default() };
    snapshot.gaps.extend(foreign_namespaces(proc_dir, pid));
    read(draft.process.footprint.rss, &mut snapshot).map_err(|error| explain(error, &draft.process))?;
    if snapshot.regions.is_empty() || !still_runs(proc_dir, pid, draft.process.start_ticks) {
        return Err(ended(&draft.process));
    }
    if snapshot.source != Source::Maps {
        draft.absorb(&total(&snapshot.regions));
    }
    draft.process.maps = Some(snapshot.regions.len() as u64);
    snapshot.process = draft.process;
    attach_segments(proc_dir, &mut snapshot);
    match threads::read(proc_dir, pid) {
        Ok(threads) => snapshot.threads = threads,
        Err(error) => snapshot.gaps.push(Gap::new("threads", error.to_string())),
    }
    snapshot.limits = limits(proc_dir, pid, &snapshot.system, &mut snapshot.gaps);
    snapshot.space = AddressSpace::of(&snapshot.regions, lowest_address(proc_dir));
    Ok(snapshot)
}

/// What the small files say of a process that has memory.
pub(super) fn identify(proc_dir: &ProcDir, pid: ProcessId) -> Result<Draft> {
    let mut draft = Draft::new(pid, rustix::param::page_size() as u64);
    let mut text = Vec::new();
    proc_dir.read(pid, File::Stat, &mut text).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::no_process(pid),
        _ => Error::reading(format!("/proc/{pid}/stat"), error),
    })?;
    draft.take(File::Stat, &text)?;
    let name = &draft.process.name;
    match draft.process.state {
        ProcessState::Alive => {}
        ProcessState::Zombie => {
            let stat = stat::parse(&text)?;
            if let Some(thread) = living_thread(proc_dir, pid) {
                let what = format!("the main thread of process {pid} ({name}) has ended, others still run");
                return Err(Error::new(ErrorKind::NoMemory, what).help(format!(
                    "its memory can be read through one of them: give {thread} instead of {pid}"
                )));
            }
            let parent = stat.parent;
            return Err(Error::new(
                ErrorKind::NoMemory,
                format!("process {pid} ({name}) has ended: it is a zombie"),
            )
            .help(format!("its memory is gone; it stays listed until its parent {parent} waits for it")));
        }
        ProcessState::Kernel => {
            return Err(Error::new(
                ErrorKind::NoMemory,
                format!("process {pid} ({name}) is a kernel thread"),
            )
            .help("it has no memory of its own; kernel memory is in: residue ps --by system"));
        }
    }
    for file in [File::Statm, File::Status, File::Cmdline, File::OomScore] {
        if proc_dir.read(pid, file, &mut text).is_ok() {
            draft.take(file, &text)?;
        }
    }
    draft.process.user = draft.process.uid.and_then(|uid| Users::default().name(uid));
    Ok(draft)
}

/// A thread that still runs in a process whose main thread has ended: the process looks like a zombie, but is none.
pub(super) fn living_thread(proc_dir: &ProcDir, pid: ProcessId) -> Option<u32> {
    proc_dir.threads(pid).ok()?.into_iter().find(|&tid| tid != pid.0)
}

/// Whether a process is still the one that it was, with its memory.
///
/// The region list of a process that ends simply stops in the middle: the kernel reports no error, and half a map looks
/// like a whole one. So whoever has read regions asks afterwards.
pub(super) fn still_runs(proc_dir: &ProcDir, pid: ProcessId, start_ticks: Option<u64>) -> bool {
    let mut text = Vec::new();
    let stat = proc_dir.read(pid, File::Stat, &mut text).ok().and_then(|()| stat::parse(&text).ok());
    stat.is_some_and(|stat| {
        stat.state == ProcessState::Alive && Some(stat.start_ticks) == start_ticks && stat.vss > Bytes::ZERO
    })
}

pub(super) fn ended(process: &Process) -> Error {
    let Process { pid, name, .. } = process;
    Error::new(ErrorKind::Ended, format!("process {pid} ({name}) ended while it was read"))
}

/// The machine's memory.
pub fn system(proc_dir: &ProcDir) -> SystemMemory {
    let mut system = proc_dir.read_path("meminfo").map(|text| meminfo::parse(&text)).unwrap_or_default();
    let iomem = proc_dir.read_path("iomem").unwrap_or_default();
    (system.installed, system.kernel_image) = iomem::parse(&iomem);
    system
}

fn read_smaps(proc_dir: &ProcDir, pid: ProcessId, snapshot: &mut Snapshot) -> Result<()> {
    let file = proc_dir
        .open_file(pid, File::Smaps)
        .map_err(|error| Error::reading(format!("/proc/{pid}/smaps"), error))?;
    let ahead = ReadAhead::of(file).map_err(|error| Error::reading(format!("/proc/{pid}/smaps"), error))?;
    let unknown = smaps::read(ahead, &mut snapshot.regions)?;
    snapshot.source = Source::Smaps;
    if !unknown.is_empty() {
        let what = format!("smaps fields {}", unknown.join(", "));
        snapshot
            .gaps
            .push(Gap::new(what, "this kernel prints them, this version of Residue does not know them"));
    }
    Ok(())
}

fn read_gently(proc_dir: &ProcDir, pid: ProcessId, snapshot: &mut Snapshot) -> Result<()> {
    let failed = |error| Error::reading(format!("/proc/{pid}/pagemap"), error);
    read_maps(proc_dir, pid, &mut snapshot.regions)?;
    let mut pagemap = Pagemap::open(proc_dir, pid).map_err(failed)?;
    pagemap.fill_resident(&mut snapshot.regions).map_err(failed)?;
    let counts = page_counts(proc_dir);
    pagemap.fill_shares(&mut snapshot.regions, counts.as_ref()).map_err(failed)?;
    snapshot.source = Source::Pagemap;
    let missing = if total(&snapshot.regions).get(Counter::Pss).is_none() {
        "pss, dirty, lazily freed and huge pages"
    } else {
        "dirty, lazily freed and huge pages"
    };
    let why = "read in small steps so that the process does not wait; --exact reads smaps instead";
    snapshot.gaps.push(Gap::new(missing, why));
    Ok(())
}

pub(super) fn read_maps(proc_dir: &ProcDir, pid: ProcessId, regions: &mut Vec<Region>) -> Result<()> {
    let file = proc_dir
        .open_file(pid, File::Maps)
        .map_err(|error| Error::reading(format!("/proc/{pid}/maps"), error))?;
    maps::read(file, regions)
}

/// The sum over all regions, as `smaps_rollup` would give it.
pub(super) fn total(regions: &[Region]) -> Counters {
    let mut sum = CounterSum::default();
    for region in regions {
        sum.add(&region.counters);
    }
    sum.total()
}

/// The failure with what helps: who owns the process, and how to get the right.
pub(super) fn explain(error: Error, process: &Process) -> Error {
    let Process { pid, name, .. } = process;
    match error.kind() {
        ErrorKind::PermissionDenied => {
            let owner = process.user.clone().unwrap_or_else(|| process.uid.unwrap_or_default().to_string());
            let help = if rustix::process::geteuid().is_root() {
                "not even root may: a security module or another user namespace protects it".to_owned()
            } else {
                format!(
                    "it runs as {owner}. Run as root, or: sudo setcap cap_sys_ptrace+ep $(command -v residue)"
                )
            };
            error.of(format!("cannot read the memory of process {pid} ({name})")).help(help)
        }
        ErrorKind::NotFound | ErrorKind::Ended => ended(process),
        _ => error,
    }
}

pub(super) fn attach_segments(proc_dir: &ProcDir, snapshot: &mut Snapshot) {
    let is_segment = |region: &Region| region.name().starts_with("/SYSV");
    if !snapshot.regions.iter().any(is_segment) {
        return;
    }
    let pid = snapshot.process.pid;
    let text = proc_dir.read_path("sysvipc/shm").unwrap_or_default();
    let segments: HashMap<u64, Arc<SharedSegment>> =
        sysvipc::parse(&text).into_iter().map(|segment| (segment.id, Arc::new(segment))).collect();
    let mut missing = 0;
    for region in snapshot.regions.iter_mut().filter(|region| is_segment(region)) {
        // The kernel prints the id of the segment where the inode of a file stands.
        region.segment = segments.get(&region.inode).cloned();
        missing += usize::from(region.segment.is_none());
    }
    if missing > 0 {
        let what = format!("creator and attach count of {missing} System V segments of process {pid}");
        snapshot.gaps.push(Gap::new(what, "they are not in this IPC namespace"));
    }
}

/// Names are looked up with the reader's eyes: paths and users of a container mean something else outside.
fn foreign_namespaces(proc_dir: &ProcDir, pid: ProcessId) -> Option<Gap> {
    let link = |who: &str, kind: &str| proc_dir.link(&format!("{who}/ns/{kind}"));
    let differs = |kind: &&str| match (link("self", kind), link(&pid.to_string(), kind)) {
        (Ok(mine), Ok(its)) => mine != its,
        _ => false,
    };
    let foreign: Vec<&str> = ["mnt", "pid", "ipc", "user"].into_iter().filter(differs).collect();
    if foreign.is_empty() {
        return None;
    }
    let what = format!("what process {pid} sees through its own {} namespace", foreign.join(", "));
    Some(Gap::new(
        what,
        "paths and numbers are as the process's own namespaces or this reader's /proc give them",
    ))
}

/// `vm.mmap_min_addr`: nothing is mapped below.
pub(super) fn lowest_address(proc_dir: &ProcDir) -> Address {
    let text = proc_dir.read_path("sys/vm/mmap_min_addr").unwrap_or_default();
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
    Address(number.unwrap_or(0x1_0000))
}

/// User names, each looked up once.
#[derive(Default)]
pub(super) struct Users(HashMap<u32, Option<String>>);

impl Users {
    pub(super) fn name(&mut self, uid: u32) -> Option<String> {
        let look_up = || User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
        self.0.entry(uid).or_insert_with(look_up).clone()
    }
}
