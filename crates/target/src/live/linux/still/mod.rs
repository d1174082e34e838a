//! A running process held still: its memory copied into ours while it stands, or as well as that goes while it runs.
//!
//! A thread of its own does it: the kernel knows a tracer by its thread, and lets go of what it traced when that thread
//! ends, however it ends. All room is taken before anything is stopped.

mod choice;
mod copy;
#[cfg(target_arch = "x86_64")]
mod forked;
mod registers;
mod room;

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use memmap2::MmapMut;
use residue_model::{AddressSpace, Bytes, Gap, Process, ProcessId, Range, Snapshot, Stop, Thread};

use super::dump::copy::hurry;
use super::freeze::{Frozen, letter, traced};
use super::map::{Map, WishList};
use super::snapshot::{attach_segments, ended, explain, identify, layout, lowest_address, still_runs};
use super::{ProcDir, threads};
use crate::still::Copied;
use crate::{Error, ErrorKind, Result, Still, StillProgress, Stillness};

use choice::Choice;
use copy::{Pace, copy};

/// How often room is taken anew for a process that grows. One that grows faster is not to be caught.
const TRIES: usize = 3;

/// Holds a process still.
///
/// # Errors
/// As for [`Target::still`](crate::Target::still).
pub(super) fn still(
    proc_dir: &ProcDir,
    pid: ProcessId,
    how: Stillness<'_>,
    progress: &mut dyn FnMut(StillProgress),
) -> Result<Still<'static>> {
    if pid.0 == std::process::id() {
        return Err(Error::new(ErrorKind::Unsupported, "a process cannot stop itself to be read"));
    }
    let process = identify(proc_dir, pid)?.process;
    let mut snapshot = layout(proc_dir, pid)?;
    let wishes = WishList::read(proc_dir, pid).map_err(|error| explain(error, &process))?;
    let cost = room::estimate(&process, how);
    progress(StillProgress::Estimated(cost));

    let is_held = matches!(how, Stillness::Held(_));
    let mut stop = Stop { estimated: cost.stopped, is_held, ..Stop::default() };
    let mut size = cost.staging;
    for _ in 0..TRIES {
        let room = room::take(proc_dir, &process, size)?;
        let (events, told) = channel();
        let job = Job { proc_dir, process: &process, wishes: &wishes, how, events };
        let caught = thread::scope(|scope| {
            let holder = scope.spawn(move || job.hold(room));
            told.iter().for_each(&mut *progress);
            holder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        stop.measured += caught.standing;
        stop.forking = caught.forking;
        match caught.memory {
            Ok((moment, memory)) => {
                stop.copied = memory.size();
                stop.ran_on = moment.ran_on;
                moment.enter(proc_dir, &mut snapshot)?;
                return Ok(Still::copied(snapshot, stop, memory));
            }
            Err(needed) => size = room::larger(needed),
        }
    }
    let what = format!("process {pid} ({}) grows faster than room is made for its copy", process.name);
    Err(Error::new(ErrorKind::Io, what)
        .help(format!("write a core, and examine that: residue dump {pid} -o FILE")))
}

/// What must be known before the target is stopped.
struct Job<'a> {
    proc_dir: &'a ProcDir,
    process: &'a Process,
    wishes: &'a WishList,
    how: Stillness<'a>,
    events: Sender<StillProgress>,
}

struct Caught {
    /// How long the target stood.
    standing: Duration,
    /// How much of that its fork took, if there was one.
    forking: Option<Duration>,
    /// Nothing but how much it would be when there is not room for so much.
    memory: std::result::Result<(Moment, Copied), Bytes>,
}

impl Caught {
    fn larger(size: Bytes, standing: Duration) -> Caught {
        Caught { standing, forking: None, memory: Err(size) }
    }
}

/// A process at one moment, without its memory.
struct Moment {
    map: Map,
    threads: Vec<Thread>,
    choice: Choice,
    /// It was no moment: the process went on meanwhile.
    ran_on: bool,
    gaps: Vec<Gap>,
}

impl Job<'_> {
    fn hold(&self, room: MmapMut) -> Result<Caught> {
        let held = match self.how {
            Stillness::Stopped => self.stopped(room),
            Stillness::Running => self.running(room),
            // One that stands anyway need not be made to fork so that it can run on.
            Stillness::Forked if self.stands() => self.stopped(room),
            Stillness::Forked => self.forked(room),
            Stillness::Held(told) => self.held(room, told),
        };
        // One that names what to do says more than the help for missing rights.
        held.map_err(|error| if error.remedy().is_some() { error } else { explain(error, self.process) })
    }

    fn stopped(&self, mut room: MmapMut) -> Result<Caught> {
        let frozen = self.freeze()?;
        let mut moment = self.moment(registers::read(self.proc_dir, self.process.pid, &frozen))?;
        if moment.choice.size().0 > room.len() as u64 {
            return Ok(Caught::larger(moment.choice.size(), frozen.resume()));
        }
        let unreadable = copy(self.process.pid, &moment.choice.runs, &mut room, Pace::Hurried)?;
        moment.gaps.extend(frozen.gaps());
        // Killed meanwhile, its memory may have gone before it was copied.
        self.is_there()?;
        let standing = frozen.resume();
        self.tell(StillProgress::Resumed(standing));
        Ok(self.whole(moment, room, &unreadable, standing))
    }

    #[cfg(target_arch = "x86_64")]
    fn forked(&self, mut room: MmapMut) -> Result<Caught> {
        let (proc_dir, process) = (self.proc_dir, self.process);
        forked::check(proc_dir, process, Bytes(room.len() as u64), self.wishes)?;
        let usual = rustix::process::getpriority_process(None);
        let frozen = self.freeze()?;
        let mut moment = self.moment(registers::read(proc_dir, process.pid, &frozen))?;
        let child = forked::fork(proc_dir, process.pid, &moment.map, &frozen)?;
        moment.gaps.extend(frozen.gaps());
        let standing = frozen.resume();
        self.tell(StillProgress::Resumed(standing));
        // Whom the reader starts takes after it.
        let _ = usual.map(|usual| rustix::process::setpriority_process(None, usual));
        if moment.choice.size().0 > room.len() as u64 {
            drop(room);
            room = room::take(proc_dir, process, moment.choice.size())?;
        }
        let unreadable = copy(child.pid, &moment.choice.runs, &mut room, Pace::Calm)?;
        let forking = Some(child.took);
        moment.gaps.extend(child.end(proc_dir));
        Ok(Caught { forking, ..self.whole(moment, room, &unreadable, standing) })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn forked(&self, _: MmapMut) -> Result<Caught> {
        let what = format!("process {} cannot be made to fork on this processor yet", self.process.pid);
        Err(Error::new(ErrorKind::Unsupported, what)
            .help("without --snapshot it is stopped while its memory is copied"))
    }

    fn running(&self, mut room: MmapMut) -> Result<Caught> {
        let (proc_dir, pid) = (self.proc_dir, self.process.pid);
        let threads = threads::read(proc_dir, pid)
            .map_err(|error| Error::reading(format!("the threads of process {pid}"), error))?;
        let stands =
            threads.iter().all(|thread| matches!(letter(proc_dir, pid, thread.tid), Some(b't' | b'T')));
        let mut moment = self.moment(threads)?;
        if moment.choice.size().0 > room.len() as u64 {
            return Ok(Caught::larger(moment.choice.size(), Duration::ZERO));
        }
        let unreadable = copy(pid, &moment.choice.runs, &mut room, Pace::Calm)?;
        self.is_there()?;
        moment.gaps.push(Gap::new(
            format!("registers of the threads of process {pid}"),
            "only who stops a process can read them: a block whose only pointer stands in one looks lost",
        ));
        moment.ran_on = !stands;
        if moment.ran_on {
            moment.gaps.push(Gap::new(
                format!("process {pid} as it was at one moment"),
                "it ran on while its memory was copied: what changed meanwhile is half old and half new",
            ));
        }
        Ok(self.whole(moment, room, &unreadable, Duration::ZERO))
    }

    /// A debugger holds all threads, and tells their registers: what is read is of one moment.
    fn held(&self, mut room: MmapMut, told: &[Thread]) -> Result<Caught> {
        let (proc_dir, pid) = (self.proc_dir, self.process.pid);
        let moment = self.moment(registers::told(proc_dir, pid, told)?)?;
        if moment.choice.size().0 > room.len() as u64 {
            return Ok(Caught::larger(moment.choice.size(), Duration::ZERO));
        }
        let unreadable = copy(pid, &moment.choice.runs, &mut room, Pace::Hurried)?;
        self.is_there()?;
        // The debugger may have let go meanwhile, of all or of one.
        registers::told(proc_dir, pid, told)?;
        Ok(self.whole(moment, room, &unreadable, Duration::ZERO))
    }

    /// Whether all threads stand already: for a debugger, or for job control.
    fn stands(&self) -> bool {
        let (proc_dir, pid) = (self.proc_dir, self.process.pid);
        let stands = |tid: u32| matches!(letter(proc_dir, pid, tid), Some(b't' | b'T'));
        proc_dir.threads(pid).is_ok_and(|threads| threads.into_iter().all(stands))
    }

    fn freeze(&self) -> Result<Frozen<'_>> {
        let pid = self.process.pid;
        if let Some(traced) = traced(self.proc_dir, pid) {
            return Err(traced.help(
                "only one tracer can be at a time: end that one, or read the process as it is with --no-stop, \
                 which is exact while a debugger holds all its threads. In gdb, with registers too: residue gdb --help",
            ));
        }
        hurry();
        let frozen = Frozen::stop(self.proc_dir, pid)?;
        self.tell(StillProgress::Stopped);
        Ok(frozen)
    }

    fn moment(&self, threads: Vec<Thread>) -> Result<Moment> {
        let (proc_dir, pid) = (self.proc_dir, self.process.pid);
        let map = Map::read(proc_dir, pid)?;
        let choice = Choice::of(proc_dir, pid, &map, self.wishes, self.how)?;
        Ok(Moment { map, threads, choice, ran_on: false, gaps: Vec::new() })
    }

    fn whole(&self, mut moment: Moment, room: MmapMut, unreadable: &[Range], standing: Duration) -> Caught {
        moment.gaps.extend(lost(self.process.pid, unreadable));
        let memory = Copied::of(room, &moment.choice.runs, unreadable);
        Caught { standing, forking: None, memory: Ok((moment, memory)) }
    }

    fn is_there(&self) -> Result<()> {
        let Process { pid, start_ticks, .. } = *self.process;
        if still_runs(self.proc_dir, pid, start_ticks) { Ok(()) } else { Err(ended(self.process)) }
    }

    fn tell(&self, progress: StillProgress) {
        // Nobody may want to know.
        let _ = self.events.send(progress);
    }
}

impl Moment {
    /// Puts what was seen in this moment in the place of what was seen before.
    fn enter(self, proc_dir: &ProcDir, snapshot: &mut Snapshot) -> Result<()> {
        snapshot.regions = self.map.regions()?;
        snapshot.threads = self.threads;
        snapshot.process.threads = Some(snapshot.threads.len() as u64);
        snapshot.process.maps = Some(snapshot.regions.len() as u64);
        snapshot.space = AddressSpace::of(&snapshot.regions, lowest_address(proc_dir));
        // What it finds missing was found before.
        let found = snapshot.gaps.len();
        attach_segments(proc_dir, snapshot);
        snapshot.gaps.truncate(found);
        snapshot.gaps.extend(self.choice.gaps.into_iter().chain(self.gaps));
        Ok(())
    }
}

fn lost(pid: ProcessId, unreadable: &[Range]) -> Option<Gap> {
    let first = unreadable.first()?;
    let size: Bytes = unreadable.iter().map(|range| range.size()).sum();
    let what = format!(
        "{} bytes of process {pid} in {} places, the first at {}",
        size.0,
        unreadable.len(),
        first.start
    );
    Some(Gap::new(what, "the kernel cannot read them: guard pages, or a file cut behind its mapping"))
}
