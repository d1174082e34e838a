//! A segment, and the processes that share it: a program image and what came of it by `fork`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use residue_recording::wire::{CAPACITY, PROCESSES, ProcessState, Ring, RingState};

use super::process::{Process, is_nowhere};
use crate::clock::{Clock, stamp};
use crate::collect::{Estimate, Image, Known, Merge, Stream};
use crate::segment::Segment;
use crate::{Lost, futex};

/// A process that we do not see is taken for ended when nothing came of it for so long, and nobody has its number.
const QUIET: Duration = Duration::from_secs(1);

/// A segment and what was read of it.
pub(super) struct Group {
    pub(super) segment: Segment,
    /// The name of the session's folder: who has it mapped is in this session.
    folder: String,
    streams: Vec<Option<Stream>>,
    /// What each ring had counted when it was looked at last.
    counters: Vec<Counters>,
    pub(super) images: Vec<Option<Image>>,
    pub(super) members: Vec<Option<Member>>,
    /// We have seen one of its processes: numbers that they tell are ours.
    is_seen: bool,
    made: Instant,
}

/// A process of the group.
pub(super) struct Member {
    pub(super) process: Process,
    pub(super) known: Known,
    /// It was seen to have ended, or gone on as another program: what it had written can be read to its end.
    pub(super) over: Option<Over>,
    /// It waits at its end for somebody to look at its memory.
    is_ending: bool,
    /// How many events it had when it was looked at last, and when that changed.
    events: u64,
    since: Instant,
    /// When it began: a time stamp.
    pub(super) began: u64,
    /// Which one it is of the session.
    pub(super) number: u64,
}

/// Why nothing more comes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Ended,
    /// It runs another program now.
    Replaced,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    dropped: u64,
    cut_stacks: u64,
    waited: u64,
}

/// What all groups need.
pub(super) struct Setting<'a> {
    pub(super) estimate: Estimate,
    pub(super) interval: u64,
    pub(super) clock: Clock,
    /// What the first process was started with.
    pub(super) command: &'a [String],
    pub(super) executable: &'a str,
    pub(super) first: u32,
    pub(super) system: &'a [String],
    /// Goes up with each process.
    pub(super) numbers: u64,
}

impl Group {
    pub(super) fn new(segment: Segment, folder: &Path) -> Group {
        let folder = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let none = || (0..PROCESSES).map(|_| None).collect();
        let images = (0..PROCESSES).map(|_| None).collect();
        let (streams, counters, members) = (Vec::new(), Vec::new(), none());
        Group { segment, folder, streams, counters, images, members, is_seen: false, made: Instant::now() }
    }

    /// Takes in processes that are new.
    pub(super) fn adopt(&mut self, setting: &mut Setting<'_>) {
        for slot in 0..PROCESSES {
            if self.images[slot].is_none() {
                self.adopt_process(slot, setting);
            }
        }
    }

    fn adopt_process(&mut self, slot: usize, setting: &mut Setting<'_>) {
        let row = &self.segment.header().processes[slot];
        if row.state.load(Ordering::Acquire) != ProcessState::Running as u32 {
            return;
        }
        let (pid, parent) = (row.pid.load(Ordering::Relaxed), row.parent.load(Ordering::Relaxed));
        // It cannot have started later than now.
        let now = stamp();
        let started = row.started.load(Ordering::Relaxed).min(now);
        let process = Process::find(pid, &self.folder);
        self.is_seen |= process.has_ended().is_some();
        let known = self.known(pid, parent, &process, setting);
        let started_at = SystemTime::now().checked_sub(setting.clock.time(now - started));
        setting.numbers += 1;
        self.images[slot] = Some(Image::new(setting.estimate, &setting.clock, started));
        self.members[slot] = Some(Member {
            process,
            known: Known { started: started_at, ..known },
            over: None,
            is_ending: false,
            events: 0,
            since: Instant::now(),
            began: started,
            number: setting.numbers,
        });
    }

    /// What a process runs: what it says itself; what its parent ran, or what we started, when it is gone already.
    fn known(&self, pid: u32, parent: u32, process: &Process, setting: &Setting<'_>) -> Known {
        let parent =
            self.members.iter().flatten().map(|member| &member.known).find(|known| known.pid == parent);
        let (mut command, mut executable) = match parent {
            Some(parent) => (parent.command.clone(), parent.executable.clone()),
            None if pid == setting.first => (setting.command.to_vec(), setting.executable.to_owned()),
            None => (Vec::new(), String::new()),
        };
        command = process.command().unwrap_or(command);
        executable = process.executable().unwrap_or(executable);
        let parent = parent.map(|parent| parent.pid);
        let (system, interval) = (setting.system.to_vec(), setting.interval);
        Known { command, executable, pid, parent, started: None, system, interval }
    }

    /// Reads all rings up to a time that was noted before. Gives the number of events.
    pub(super) fn read(&mut self, merge: &mut Merge, setting: &mut Setting<'_>, noted: u64) -> u64 {
        self.open_streams(setting);
        let count = merge.read(&self.segment, &mut self.streams, &mut self.images, noted);
        self.count();
        self.close_streams();
        for (image, member) in self.images.iter_mut().zip(&self.members) {
            let (Some(image), Some(member)) = (image, member) else { continue };
            // What a process says is of its own time: nothing happens to it after its end.
            if member.over.is_none() {
                image.advance(noted);
                if image.timeline.current.rss.is_none() {
                    image.timeline.current.rss = member.process.resident();
                }
            }
        }
        count
    }

    /// A stream for each ring that a thread has taken since.
    fn open_streams(&mut self, setting: &mut Setting<'_>) {
        let used = self.segment.rings_used() as usize;
        if self.streams.len() < used {
            self.streams.resize_with(used, || None);
            self.counters.resize(used, Counters::default());
        }
        for number in 0..used {
            if self.streams[number].is_some() {
                continue;
            }
            let Some((process, tail)) = self.taken(number) else { continue };
            if self.images[process].is_none() {
                self.adopt_process(process, setting);
            }
            if let Some(image) = &mut self.images[process] {
                self.streams[number] = Some(Stream::new(process, image.thread(), tail));
            }
        }
    }

    /// The process that has a ring with something in it, and how far it was read.
    fn taken(&self, number: usize) -> Option<(usize, u64)> {
        let ring = self.ring(number)?;
        let tail = ring.tail.load(Ordering::Relaxed);
        if ring.state.load(Ordering::Acquire) == RingState::Free as u32
            || ring.head.load(Ordering::Acquire) == tail
        {
            return None;
        }
        let process = ring.process.load(Ordering::Relaxed) as usize;
        (process < PROCESSES).then_some((process, tail))
    }

    fn ring(&self, number: usize) -> Option<&Ring> {
        self.segment.ring(u32::try_from(number).ok()?)
    }

    /// What rings count beside their events, added to the processes that have them.
    fn count(&mut self) {
        for number in 0..self.streams.len() {
            let Some(stream) = &self.streams[number] else { continue };
            let process = stream.process;
            let Some(ring) = self.ring(number) else { continue };
            let now = Counters {
                dropped: ring.dropped.load(Ordering::Relaxed),
                cut_stacks: ring.cut_stacks.load(Ordering::Relaxed),
                waited: ring.waited.load(Ordering::Relaxed),
            };
            let before = std::mem::replace(&mut self.counters[number], now);
            if let Some(image) = &mut self.images[process] {
                let counted = &mut image.counted;
                counted.dropped = counted.dropped.saturating_add(now.dropped.saturating_sub(before.dropped));
                counted.cut_stacks += now.cut_stacks.saturating_sub(before.cut_stacks);
                counted.waited = counted.waited.saturating_add(now.waited.saturating_sub(before.waited));
            }
        }
    }

    /// Frees rings that their threads have left, once they are read. One without a stream may have been taken, filled and
    /// left since streams were opened: what is in it is read in the next round.
    fn close_streams(&mut self) {
        for number in 0..self.streams.len() {
            let is_left = self.ring(number).is_some_and(|ring| {
                let is_left = ring.state.load(Ordering::Acquire) == RingState::Left as u32;
                let stream = self.streams[number].as_ref();
                let read = stream.map_or_else(|| ring.tail.load(Ordering::Relaxed), |stream| stream.next);
                is_left && read == ring.head.load(Ordering::Acquire)
            });
            if is_left {
                self.close(number);
            }
        }
    }

    /// Nobody writes to a ring any more, and all of it was read.
    fn close(&mut self, number: usize) {
        if let Some(mut stream) = self.streams[number].take()
            && let Some(image) = &mut self.images[stream.process]
        {
            image.end_thread(&mut stream.thread);
        }
        if let Some(ring) = self.ring(number) {
            let head = ring.head.load(Ordering::Acquire);
            ring.tail.store(head, Ordering::Release);
            ring.state.store(RingState::Free as u32, Ordering::Release);
        }
    }

    /// Frees the rings of threads that ended without a word. Only what was taken before the threads were listed counts; and a
    /// process of its own may write in another's memory (`clone` without a thread).
    pub(super) fn reclaim(&mut self) {
        for slot in 0..PROCESSES {
            let rings: Vec<(usize, u32)> = (0..self.streams.len())
                .filter(|&number| self.streams[number].as_ref().is_some_and(|stream| stream.process == slot))
                .filter_map(|number| Some((number, self.ring(number)?.thread.load(Ordering::Relaxed))))
                .collect();
            let member = self.members[slot].as_ref().filter(|_| rings.len() > 1);
            let Some(threads) = member.and_then(|member| member.process.threads()) else { continue };
            for (number, thread) in rings {
                // What is unread is read in the next round, and the ring freed in the one after: its thread writes no more.
                let is_read = self
                    .ring(number)
                    .zip(self.streams[number].as_ref())
                    .is_some_and(|(ring, stream)| stream.next == ring.head.load(Ordering::Acquire));
                if thread != 0 && !threads.contains(&thread) && is_nowhere(thread) && is_read {
                    self.close(number);
                }
            }
        }
    }

    /// Whether rings are about to run out.
    pub(super) fn is_short_of_rings(&self) -> bool {
        self.streams.iter().flatten().count() * 4 > self.segment.rings() as usize * 3
    }

    /// Whether there is hardly room for another process.
    pub(super) fn is_short_of_processes(&self) -> bool {
        self.members.iter().flatten().count() > PROCESSES / 4
    }

    /// Whether nobody is left who could write, and nothing that nobody has read.
    pub(super) fn is_done(&mut self, setting: &mut Setting<'_>) -> bool {
        if self.members.iter().any(Option::is_some)
            || self.segment.is_held().unwrap_or_else(|| !self.is_quiet())
        {
            return false;
        }
        // One may have come and gone since processes were taken in.
        self.adopt(setting);
        self.members.iter().all(Option::is_none)
    }

    /// Whether a ring is half full, so that waiting would make its writer wait.
    pub(super) fn is_pressed(&self) -> bool {
        (0..self.streams.len()).any(|number| {
            self.streams[number].as_ref().zip(self.ring(number)).is_some_and(|(stream, ring)| {
                ring.head.load(Ordering::Relaxed).wrapping_sub(stream.next) >= CAPACITY as u64 / 2
            })
        })
    }

    /// Notes which processes wait at their end for somebody to look at their memory: what is read after is all of them.
    pub(super) fn note_ending(&mut self) {
        for (slot, member) in self.members.iter_mut().enumerate() {
            let row = &self.segment.header().processes[slot];
            if let Some(member) = member {
                member.is_ending = row.ending.load(Ordering::Acquire) == 1;
            }
        }
    }

    /// Has somebody look at those that were noted, and lets them go.
    pub(super) fn look_at_ending(&mut self, at_end: &mut dyn FnMut(u32) -> Option<Lost>) {
        for slot in 0..PROCESSES {
            let Some(member) = self.members[slot].as_mut().filter(|member| member.is_ending) else {
                continue;
            };
            member.is_ending = false;
            let pid = member.process.pid();
            let stands = self.images[slot].as_ref().is_some_and(|image| image.heap.live_blocks > 0);
            if let Some(lost) = pid.filter(|_| stands).and_then(&mut *at_end)
                && let Some(image) = &mut self.images[slot]
            {
                image.lose(lost);
            }
            let ending = &self.segment.header().processes[slot].ending;
            ending.store(0, Ordering::Release);
            futex::wake(ending);
        }
    }

    /// Looks which processes have ended.
    pub(super) fn look(&mut self, is_held: bool) {
        for (member, image) in self.members.iter_mut().zip(&self.images) {
            let Some(member) = member.as_mut().filter(|member| member.over.is_none()) else { continue };
            let events = image.as_ref().map_or(0, |image| image.counted.events);
            if events != member.events {
                (member.events, member.since) = (events, Instant::now());
            }
            member.over = over(member, is_held, self.is_seen);
        }
    }

    /// Processes that a newer one of the same number, or nobody, has taken the place of.
    pub(super) fn replace(&mut self, newest: &HashMap<u32, u64>) {
        for member in self.members.iter_mut().flatten() {
            let is_newest = newest.get(&member.known.pid).is_none_or(|&newest| newest <= member.began);
            if !is_newest && member.over.is_none() {
                member.over = Some(Over::Replaced);
            }
        }
    }

    /// Takes out a process that is over, and frees what it had.
    pub(super) fn remove(&mut self, slot: usize) -> Option<(Image, Member)> {
        let (image, member) = self.end(slot)?;
        let row = &self.segment.header().processes[slot];
        row.state.store(ProcessState::Free as u32, Ordering::Release);
        Some((image, member))
    }

    fn end(&mut self, slot: usize) -> Option<(Image, Member)> {
        let used = self.segment.rings_used() as usize;
        for number in 0..used.min(self.streams.len()) {
            let is_its = self.ring(number).is_some_and(|ring| {
                ring.process.load(Ordering::Relaxed) as usize == slot
                    && ring.state.load(Ordering::Relaxed) != RingState::Free as u32
            });
            if is_its {
                self.close(number);
            }
        }
        let row = &self.segment.header().processes[slot];
        let mut image = self.images[slot].take()?;
        image.counted.dropped = image.counted.dropped.saturating_add(row.dropped.load(Ordering::Relaxed));
        Some((image, self.members[slot].take()?))
    }

    /// Whether the kernel does not tell who has the segment, and nobody came for a while.
    fn is_quiet(&self) -> bool {
        self.made.elapsed() > QUIET && self.members.iter().all(Option::is_none)
    }
}

fn over(member: &Member, is_held: bool, is_seen: bool) -> Option<Over> {
    let process = &member.process;
    match process.has_ended() {
        Some(true) => Some(Over::Ended),
        // One that is ending has let go of its memory too, a moment before it has ended.
        Some(false) => process.was_replaced().then_some(Over::Replaced),
        None => {
            let is_gone = process.is_nowhere() && (is_seen || member.since.elapsed() > QUIET);
            (is_gone || !is_held).then_some(Over::Ended)
        }
    }
}

/// The system that this runs on.
pub(super) fn system() -> Vec<String> {
    let name = rustix::system::uname();
    let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let kernel = format!("{} {} {}", word(name.sysname()), word(name.release()), word(name.machine()));
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    [kernel].into_iter().chain(pretty.map(|name| name.trim_matches('"').to_owned())).collect()
}
