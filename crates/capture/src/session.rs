//! The folder in shared memory through which recorders and this collector meet.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use residue_recording::wire::{CONTROL_FILE, Control, FOLLOW_CHILDREN, LOOK_AT_END, MAGIC, VERSION};
use residue_target::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, flock, statvfs};

use crate::Plan;
use crate::futex;
use crate::shared::Mapping;

/// Folders of sessions begin so.
const PREFIX: &str = "residue-";
/// A segment's rings take half a MiB a thread: less than that is small.
const ENOUGH: u64 = 512 << 20;
/// Recorders believe in a collector that was heard in the last two seconds.
const BEAT: Duration = Duration::from_millis(100);

/// A session while its collector lives.
pub(crate) struct Session {
    /// Where recorders make their segments.
    pub(crate) folder: PathBuf,
    outer: PathBuf,
    /// Locked: who finds it unlocked may clear the folder away.
    _lock: File,
    page: Arc<Mapping>,
    heart: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Wakes the collector.
#[derive(Clone)]
pub(crate) struct Bell(Arc<Mapping>);

impl Bell {
    pub(crate) fn ring(&self) {
        let control = control(&self.0);
        control.doorbell.fetch_add(1, Ordering::SeqCst);
        futex::wake(&control.doorbell);
    }
}

impl Session {
    /// Makes the folder and the control page, and lets the heart beat.
    ///
    /// # Errors
    /// When no folder has room.
    pub(crate) fn start(plan: &Plan) -> Result<Session> {
        let places = places();
        for place in &places {
            clear_stale(place);
        }
        let mut failure = None;
        for place in &places {
            match Session::start_in(place, plan) {
                Ok(session) => return Ok(session),
                Err(error) => failure = failure.or(Some((place, error))),
            }
        }
        let (place, error) = failure.unwrap_or((&places[0], io::ErrorKind::NotFound.into()));
        Err(Error::writing(format!("the memory shared with the program in {}", place.display()), error)
            .help("mount /dev/shm, or name a folder with room: TMPDIR=/path residue record …"))
    }

    /// The same in a folder.
    pub(crate) fn start_in(place: &Path, plan: &Plan) -> io::Result<Session> {
        // Others may pass through, but not look into it: what stands within cannot be guessed.
        let outer = place.join(format!("{PREFIX}{}", random()?));
        fs::DirBuilder::new().mode(0o711).create(&outer)?;
        fs::set_permissions(&outer, Permissions::from_mode(0o711))?;
        let lock = File::open(&outer)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let folder = outer.join(random()?);
        let started = || {
            // A program that becomes another user still makes its segments there.
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o1733))?;
            control_page(&folder.join(CONTROL_FILE), plan).map(Arc::new)
        };
        match started() {
            Ok(page) => {
                let heart = Some(beat(Arc::clone(&page))?);
                Ok(Session { folder, outer, _lock: lock, page, heart })
            }
            Err(error) => {
                // It was made a moment ago, and is of no use: the error that counts is the one that is told.
                let _ = fs::remove_dir_all(&outer);
                Err(error)
            }
        }
    }

    pub(crate) fn control(&self) -> &Control {
        control(&self.page)
    }

    pub(crate) fn bell(&self) -> Bell {
        Bell(Arc::clone(&self.page))
    }

    /// Recorders write nothing more, and wait for nothing.
    pub(crate) fn stop(&self) {
        self.control().stopped.store(1, Ordering::SeqCst);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop();
        if let Some((alive, thread)) = self.heart.take() {
            drop(alive);
            // It only counts: there is nothing that a panic in there could have left behind.
            let _ = thread.join();
        }
        // What cannot be removed is removed by the next session.
        let _ = fs::remove_dir_all(&self.outer);
    }
}

fn control(page: &Mapping) -> &Control {
    page.get(0).expect("the page was made with this size")
}

fn control_page(path: &Path, plan: &Plan) -> io::Result<Mapping> {
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    file.set_permissions(Permissions::from_mode(0o666))?;
    file.set_len(4096)?;
    let page = Mapping::of(&file, 4096)?;
    let words = control(&page);
    words.version.store(VERSION, Ordering::Relaxed);
    let children = if plan.children { FOLLOW_CHILDREN } else { 0 };
    // Of a sample nobody can say which of its blocks are lost, and how many more.
    let end = if plan.lost && plan.sample.is_none() { LOOK_AT_END } else { 0 };
    words.flags.store(children | end, Ordering::Relaxed);
    words.sample_interval.store(plan.sample.map_or(0, |bytes| bytes.0), Ordering::Relaxed);
    words.most_frames.store(plan.most_frames, Ordering::Relaxed);
    words.heartbeat.store(1, Ordering::Relaxed);
    words.magic.store(MAGIC, Ordering::Release);
    Ok(page)
}

/// A thread of its own, so that recorders wait patiently while a long piece of work is done.
fn beat(page: Arc<Mapping>) -> io::Result<(Sender<()>, JoinHandle<()>)> {
    let (alive, over) = channel::<()>();
    let thread = thread::Builder::new().name("heartbeat".into()).spawn(move || {
        while over.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            control(&page).heartbeat.fetch_add(1, Ordering::Relaxed);
        }
    })?;
    Ok((alive, thread))
}

/// Where a session may be, the best first: in memory where there is enough, else where there is most.
fn places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("/dev/shm"), std::env::temp_dir(), PathBuf::from("/var/tmp")];
    let room = |place: &PathBuf| statvfs(place).map_or(0, |room| room.f_bavail.saturating_mul(room.f_frsize));
    places.sort_by_key(|place| std::cmp::Reverse(room(place).min(ENOUGH)));
    places
}

/// Removes sessions of ours whose collector is dead: nobody locks them.
fn clear_stale(place: &Path) {
    let Ok(entries) = place.read_dir() else { return };
    for entry in entries.filter_map(io::Result::ok) {
        let is_session = entry.file_name().to_string_lossy().strip_prefix(PREFIX).is_some_and(is_random);
        let is_ours = entry
            .metadata()
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw());
        if !is_session || !is_ours {
            continue;
        }
        let lock = File::open(entry.path());
        if lock.as_ref().is_ok_and(|lock| flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok()) {
            // The lock is held until it is gone, so that nobody else takes it for theirs.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_random(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name that nobody guesses.
fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// A failure to start something of our own.
pub(crate) fn own(what: &str, error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_leaves_nothing_behind() {
        let place = tempfile::tempdir().expect("a folder");
        let session = Session::start_in(place.path(), &Plan::default()).expect("it starts");
        let inner = session.folder.metadata().expect("it stands").mode();

        assert_eq!(session.outer.metadata().expect("it stands").mode() & 0o7777, 0o711);
        assert_eq!(inner & 0o7777, 0o1733);
        assert_eq!(session.control().magic.load(Ordering::Acquire), MAGIC);
        drop(session);
        assert_eq!(place.path().read_dir().expect("listed").count(), 0);
    }

    #[test]
    fn the_session_of_a_dead_collector_is_cleared_away_and_a_living_one_stays() {
        let place = tempfile::tempdir().expect("a folder");
        let living = Session::start_in(place.path(), &Plan::default()).expect("it starts");
        let dead = place.path().join(format!("{PREFIX}{}", random().expect("random")));
        let other = place.path().join("residue-notes");
        fs::create_dir_all(dead.join("inner")).expect("made");
        fs::create_dir(&other).expect("made");

        clear_stale(place.path());

        assert!(living.folder.is_dir() && other.is_dir() && !dead.exists());
    }

    #[test]
    fn the_heart_beats() {
        let place = tempfile::tempdir().expect("a folder");
        let session = Session::start_in(place.path(), &Plan::default()).expect("it starts");
        let first = session.control().heartbeat.load(Ordering::Relaxed);
        while session.control().heartbeat.load(Ordering::Relaxed) == first {
            thread::yield_now();
        }
    }
}
