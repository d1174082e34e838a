//! Gathers what all programs of a session tell, until they have ended.

mod files;
mod group;
mod process;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use residue_model::recording::{End, Program};
use residue_model::{Bytes, Gap};
use residue_recording::wire::SEGMENT_PREFIX;
use residue_target::Result;

use crate::clock::{Clock, stamp};
use crate::collect::{Ended, Estimate, Image, Merge, recording};
use crate::futex;
use crate::segment::Segment;
use crate::session::Session;
use crate::{Lost, Plan, Progress, RecordedFile, Top};
use files::Files;
use group::{Group, Member, Over, Setting};

/// A wait at the doorbell takes no longer than this.
const WAIT: Duration = Duration::from_millis(50);
/// So often it is looked who has ended.
const LOOK: Duration = Duration::from_millis(20);
/// So often rings are taken back from threads that ended without a word, unless rings run out.
const RECLAIM: Duration = Duration::from_secs(2);
/// So often what was gathered is written, in case that this process is killed.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// So often progress is told.
const TELL: Duration = Duration::from_millis(250);
/// A program that was started a moment ago may be about to make its segment.
const GRACE: Duration = Duration::from_millis(25);

/// The state of a session.
pub(crate) struct Collector<'a> {
    session: &'a Session,
    setting: Setting<'a>,
    merge: Merge,
    groups: Vec<Group>,
    files: Files,
    /// Checkpoints, by the number of their process.
    checkpoints: HashMap<u64, PathBuf>,
    follows_children: bool,
    /// How many segments there were, and how many of them were taken in.
    announced: u32,
    pub(crate) segments: u32,
    events: u64,
    looked: Instant,
    reclaimed: Instant,
    written: Instant,
    told: Instant,
    cost: (Duration, Instant),
    gaps: Vec<Gap>,
}

/// What a session gave.
pub(crate) struct Gathered {
    pub(crate) files: Vec<RecordedFile>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) events: u64,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(session: &'a Session, plan: &'a Plan, words: &'a Words, clock: Clock) -> Collector<'a> {
        let interval = plan.sample.map_or(0, |bytes| bytes.0);
        let now = Instant::now();
        Collector {
            session,
            setting: Setting {
                estimate: Estimate::of(interval),
                interval,
                clock,
                command: &words.command,
                executable: &words.executable,
                first: 0,
                system: &words.system,
                numbers: 0,
            },
            merge: Merge::default(),
            groups: Vec::new(),
            files: Files::new(plan.output.clone()),
            checkpoints: HashMap::new(),
            follows_children: plan.children,
            announced: 0,
            segments: 0,
            events: 0,
            looked: now,
            reclaimed: now,
            written: now,
            told: now,
            cost: (process::own_time(), now),
            gaps: Vec::new(),
        }
    }

    /// The process that was started.
    pub(crate) fn set_first(&mut self, pid: u32) {
        self.setting.first = pid;
        self.files.set_first(pid);
    }

    /// Gathers until all has ended, or `is_enough`.
    pub(crate) fn run(
        &mut self,
        mut status: impl FnMut() -> Option<ExitStatus>,
        is_enough: impl Fn(Option<ExitStatus>) -> bool,
        progress: &mut dyn FnMut(&Progress),
        at_end: &mut dyn FnMut(u32) -> Option<Lost>,
    ) {
        let mut idle_since = None;
        loop {
            let control = self.session.control();
            let bell = control.doorbell.load(Ordering::SeqCst);
            let status = status();
            self.groups.iter_mut().for_each(Group::note_ending);
            let count = self.round(status);
            self.groups.iter_mut().for_each(|group| group.look_at_ending(at_end));
            if is_enough(status) {
                return;
            }
            if self.is_over(status) {
                let since = *idle_since.get_or_insert_with(Instant::now);
                if count == 0 && since.elapsed() >= GRACE {
                    return;
                }
            } else {
                idle_since = None;
            }
            self.tell(progress);
            self.sleep(bell, if idle_since.is_some() { GRACE / 5 } else { WAIT });
        }
    }

    /// Whether nobody is left who could tell anything.
    fn is_over(&self, status: Option<ExitStatus>) -> bool {
        status.is_some() && (!self.follows_children || self.groups.is_empty())
    }

    /// Waits at the doorbell, unless it was rung since the round began.
    fn sleep(&self, bell: u32, time: Duration) {
        let control = self.session.control();
        control.asleep.store(1, Ordering::SeqCst);
        if !self.groups.iter().any(Group::is_pressed) {
            futex::wait(&control.doorbell, bell, time);
        }
        control.asleep.store(0, Ordering::SeqCst);
    }

    /// Looks once at everything. Gives how many events there were.
    fn round(&mut self, status: Option<ExitStatus>) -> u64 {
        self.discover();
        // Who has ended has written all; so this comes before the time is noted up to which is read.
        let is_short = self.groups.iter().any(Group::is_short_of_processes);
        if status.is_some() || is_short || self.looked.elapsed() >= LOOK {
            self.look();
        }
        let noted = stamp();
        let mut count = 0;
        for group in &mut self.groups {
            count += group.read(&mut self.merge, &mut self.setting, noted);
        }
        self.events += count;
        self.remove(status);
        let is_short = self.groups.iter().any(Group::is_short_of_rings);
        if self.reclaimed.elapsed() >= if is_short { LOOK } else { RECLAIM } {
            self.reclaimed = Instant::now();
            self.groups.iter_mut().for_each(Group::reclaim);
        }
        if self.written.elapsed() >= CHECKPOINT {
            self.checkpoint();
        }
        count
    }

    /// Maps segments that are new. Their names go: they are gone with the last who has them mapped.
    fn discover(&mut self) {
        let announced = self.session.control().segments.load(Ordering::Acquire);
        let is_time = self.looked.elapsed() >= LOOK;
        if announced == self.announced && !is_time {
            return;
        }
        self.announced = announced;
        let Ok(entries) = fs::read_dir(&self.session.folder) else { return };
        for entry in entries.filter_map(std::io::Result::ok) {
            if !entry.file_name().to_string_lossy().starts_with(SEGMENT_PREFIX) {
                continue;
            }
            match Segment::open(&entry.path()) {
                Ok(None) => continue,
                Ok(Some(segment)) => {
                    let mut group = Group::new(segment, &self.session.folder);
                    group.adopt(&mut self.setting);
                    self.groups.push(group);
                    self.segments += 1;
                }
                Err(error) => {
                    self.gaps.push(Gap::new("a program", format!("its segment cannot be read: {error}")));
                }
            }
            // It was mapped, or will never be: a name that stays is of no use.
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Looks who has come, and who has ended or become another.
    fn look(&mut self) {
        self.looked = Instant::now();
        for group in &mut self.groups {
            group.adopt(&mut self.setting);
        }
        let mut newest: HashMap<u32, u64> = HashMap::new();
        for member in self.groups.iter().flat_map(|group| group.members.iter().flatten()) {
            let began = newest.entry(member.known.pid).or_default();
            *began = member.began.max(*began);
        }
        for group in &mut self.groups {
            // First: a process that has ended may have run several programs, and was the last of them only.
            group.replace(&newest);
            let is_held = group.segment.is_held() != Some(false);
            group.look(is_held);
        }
    }

    /// Finishes processes that are over and read to their end, and drops what nobody has any more.
    fn remove(&mut self, status: Option<ExitStatus>) {
        let mut removed = Vec::new();
        for (number, slot) in self.members() {
            let member = self.groups[number].members[slot].as_ref();
            let Some((over, pid)) = member.and_then(|member| Some((member.over?, member.known.pid))) else {
                continue;
            };
            // How the process ended that we started is told a moment after its end.
            let is_told = status.is_some() || pid != self.setting.first;
            let end = match over {
                Over::Replaced => Some(End::Replaced),
                Over::Ended if is_told => self.end_of(number, slot, status),
                Over::Ended => continue,
            };
            // All of them first: others may wait for their places.
            removed.extend(self.groups[number].remove(slot).map(|gone| (number, gone, end)));
        }
        for (number, (image, member), end) in removed {
            self.finish(number, &image, &member, end);
        }
        self.groups.retain_mut(|group| !group.is_done(&mut self.setting));
    }

    /// The places of all processes, who began first comes first.
    fn members(&self) -> Vec<(usize, usize)> {
        let places = self.groups.iter().enumerate().flat_map(|(number, group)| {
            let members = group.members.iter().enumerate();
            members.filter_map(move |(slot, member)| Some((member.as_ref()?.began, number, slot)))
        });
        let mut places: Vec<(u64, usize, usize)> = places.collect();
        places.sort_unstable();
        places.into_iter().map(|(_, number, slot)| (number, slot)).collect()
    }

    /// How a process ended: known of the one that was started.
    fn end_of(&self, group: usize, slot: usize, status: Option<ExitStatus>) -> Option<End> {
        let is_first = self.groups[group].members[slot].as_ref()?.known.pid == self.setting.first;
        status.filter(|_| is_first).map(end)
    }

    /// Writes the recording of a process.
    fn finish(&mut self, group: usize, image: &Image, member: &Member, end: Option<End>) {
        let group = &self.groups[group];
        let checkpoint = self.checkpoints.remove(&member.number);
        if image.counted.events == 0 {
            return;
        }
        self.setting.clock.refine();
        let gaps = Vec::new();
        let recording =
            recording(image, &group.segment, &member.known, Ended { end, gaps }, &self.setting.clock);
        let path = checkpoint.unwrap_or_else(|| self.files.name(&name(&recording.program), member.known.pid));
        if self.files.write(&recording, &path) {
            self.files.keep(&recording, path);
        }
    }

    /// Writes what was gathered so far.
    fn checkpoint(&mut self) {
        self.setting.clock.refine();
        for group in &self.groups {
            for (image, member) in group.images.iter().zip(&group.members) {
                let (Some(image), Some(member)) = (image, member) else { continue };
                if image.counted.events == 0 {
                    continue;
                }
                let recording =
                    recording(image, &group.segment, &member.known, Ended::default(), &self.setting.clock);
                let files = &mut self.files;
                let path = self
                    .checkpoints
                    .entry(member.number)
                    .or_insert_with(|| files.name(&name(&recording.program), member.known.pid));
                files.write(&recording, path);
            }
        }
        self.written = Instant::now();
    }

    /// Ends the recording of whoever runs still, and writes it all.
    ///
    /// # Errors
    /// When a recording could not be written.
    pub(crate) fn end(mut self, status: Option<ExitStatus>) -> Result<Gathered> {
        self.session.stop();
        self.look();
        self.round(status);
        for (number, slot) in self.members() {
            let ended = self.end_of(number, slot, status);
            if let Some((image, member)) = self.groups[number].remove(slot) {
                self.finish(number, &image, &member, ended.or(Some(End::Left)));
            }
        }
        let refused = self.session.control().refused.load(Ordering::Relaxed);
        if refused > 0 {
            self.gaps.push(Gap::new(
                format!("{refused} programs"),
                "there was no room for what they share with the collector",
            ));
        }
        self.files.settle()?;
        match self.files.failure {
            Some(failure) => Err(failure),
            None => Ok(Gathered { files: self.files.written, gaps: self.gaps, events: self.events }),
        }
    }

    fn tell(&mut self, progress: &mut dyn FnMut(&Progress)) {
        if self.told.elapsed() < TELL {
            return;
        }
        self.told = Instant::now();
        let (time, then) = std::mem::replace(&mut self.cost, (process::own_time(), Instant::now()));
        let took = self.cost.0.saturating_sub(time).as_secs_f64();
        let images = || self.groups.iter().flat_map(|group| group.images.iter().flatten());
        let unit = self.setting.estimate.unit();
        let live = images().map(|image| image.heap.live / unit).fold(0, u64::saturating_add);
        let waited = images().map(|image| image.counted.waited).fold(0, u64::saturating_add);
        progress(&Progress {
            events: self.events,
            live: Bytes(live),
            processes: images().count(),
            top: self.top(),
            cost: took / (self.cost.1 - then).as_secs_f64().max(1e-3),
            waited: self.setting.clock.time(waited),
        });
    }

    /// The call path that holds most.
    fn top(&self) -> Option<Top> {
        let unit = self.setting.estimate.unit();
        let sites = self.groups.iter().flat_map(|group| {
            group
                .images
                .iter()
                .flatten()
                .flat_map(move |image| image.sites.iter().map(move |site| (group, site)))
        });
        let (group, site) = sites.max_by_key(|(_, site)| site.live).filter(|(_, site)| site.live > 0)?;
        let frame = group.segment.frame(site.stack)?;
        let module = group.segment.module(usize::from(frame.module));
        let (path, bias) = module.map_or((Vec::new(), 0), |module| (module.path, module.bias));
        Some(Top {
            module: residue_target::procfs::printable(&path),
            address: frame.address.wrapping_sub(bias),
            live: Bytes(site.live / unit),
        })
    }
}

/// Texts that recordings need and the collector borrows.
pub(crate) struct Words {
    pub(crate) command: Vec<String>,
    pub(crate) executable: String,
    pub(crate) system: Vec<String>,
}

impl Words {
    pub(crate) fn of(plan: &Plan, file: &std::path::Path) -> Words {
        let printable = |text: &std::ffi::OsStr| residue_target::procfs::printable(text.as_encoded_bytes());
        Words {
            command: plan.command.iter().map(|word| printable(word)).collect(),
            executable: printable(file.as_os_str()),
            system: group::system(),
        }
    }
}

/// What a recording is called after.
fn name(program: &Program) -> String {
    let file = program.executable.trim_end_matches(" (deleted)");
    program.command.first().cloned().filter(|name| !name.is_empty()).unwrap_or_else(|| file.to_owned())
}

/// How the process that we started ended.
pub(crate) fn end(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => End::Killed(signal),
        None => End::Exited(status.code().unwrap_or_default()),
    }
}
