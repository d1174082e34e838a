//! A session with a collector that only keeps what it reads: programs run in it under the recorder as it is built.

use std::ffi::c_void;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::ptr::{self, NonNull};
use std::sync::LazyLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use residue_preload::segment::Segment;
use residue_recording::wire::{
    CAPACITY, CONTROL_FILE, Control, Event, Kind, Layout, MAGIC, Ring, RingState, SEGMENT_PREFIX,
    SESSION_VARIABLE, VERSION,
};

/// The shared object, built as it is shipped.
pub static RECORDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recorder");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let status = Command::new(env!("CARGO"))
        .args(["rustc", "--quiet", "--release", "--lib", "--crate-type", "cdylib", "--features", "hooks"])
        .args(["--manifest-path", manifest, "--target-dir"])
        .arg(&target)
        .status();
    assert!(status.expect("cargo runs").success(), "the recorder is built");
    target.join("release/libresidue_preload.so")
});

/// An event, and who said it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub event: Event,
    pub process: u32,
    pub thread: u32,
}

/// When the collector reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Always,
    /// Only rings that are full.
    WhenFull,
    /// Never, and it has no heart either.
    Never,
}

pub struct Session {
    folder: PathBuf,
    control: &'static Control,
    images: Vec<(PathBuf, Segment)>,
    pub seen: Vec<Seen>,
}

/// What became of a program.
pub struct Ended {
    pub status: ExitStatus,
    pub told: String,
}

impl Session {
    pub fn new() -> Session {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Relaxed);
        let shared = Path::new("/dev/shm");
        let place = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let folder = place.join(format!("residue-preload-test-{}-{count}", std::process::id()));
        fs::create_dir(&folder).expect("a folder");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(folder.join(CONTROL_FILE));
        let file = file.expect("a control page");
        file.set_len(4096).expect("room");
        let control = unsafe { map(&file, 4096).cast::<Control>().as_ref() };
        control.version.store(VERSION, Relaxed);
        control.flags.store(residue_recording::wire::FOLLOW_CHILDREN, Relaxed);
        control.most_frames.store(64, Relaxed);
        control.magic.store(MAGIC, Release);
        Session { folder, control, images: Vec::new(), seen: Vec::new() }
    }

    pub fn control(&self) -> &'static Control {
        self.control
    }

    pub fn images(&self) -> impl Iterator<Item = &Segment> {
        self.images.iter().map(|(_, segment)| segment)
    }

    /// Runs a program to its end, and reads all that it says.
    pub fn run(&mut self, command: &mut Command, pace: Pace) -> Ended {
        let ended = self.run_as(command.env("LD_PRELOAD", &*RECORDER), pace);
        assert!(ended.status.success(), "{:?}: {}", ended.status, ended.told);
        ended
    }

    /// The same, however it ends, with what is loaded before it as it was set.
    pub fn run_as(&mut self, command: &mut Command, pace: Pace) -> Ended {
        let command = command.env(SESSION_VARIABLE, &self.folder).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let status = loop {
            if pace != Pace::Never {
                self.round(pace);
            }
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        self.round(Pace::Always);
        self.seen.sort_by_key(|seen| seen.event.time);
        let Output { stdout, .. } = child.wait_with_output().expect("its output");
        Ended { status, told: String::from_utf8(stdout).expect("text") }
    }

    fn round(&mut self, pace: Pace) {
        self.control.heartbeat.fetch_add(1, Relaxed);
        self.find_images();
        for (_, segment) in &self.images {
            let used = segment.header().rings_used.load(Acquire) as usize;
            for ring in &segment.rings()[..used] {
                read(segment, ring, pace, &mut self.seen);
            }
        }
    }

    fn find_images(&mut self) {
        for entry in fs::read_dir(&self.folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            let is_image =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEGMENT_PREFIX));
            if is_image && self.images.iter().all(|(known, _)| *known != path) {
                self.images.extend(open(&path).map(|segment| (path, segment)));
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn open(path: &Path) -> Option<Segment> {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("an image");
    let size = file.metadata().expect("its size").len() as usize;
    if size < Layout::of(1).size {
        return None;
    }
    let base = map(&file, size);
    let header = unsafe { Segment::at(base, 0) }.header();
    // One that is not ready is looked at again.
    (header.magic.load(Acquire) == MAGIC).then(|| unsafe { Segment::at(base, header.rings.load(Relaxed)) })
}

fn read(segment: &Segment, ring: &Ring, pace: Pace, seen: &mut Vec<Seen>) {
    let state = ring.state.load(Acquire);
    let (head, tail) = (ring.head.load(Acquire), ring.tail.load(Relaxed));
    if pace == Pace::WhenFull && head - tail < CAPACITY as u64 && state == RingState::Taken as u32 {
        return;
    }
    let process = &segment.header().processes[ring.process.load(Relaxed) as usize];
    let (process, thread) = (process.pid.load(Relaxed), ring.thread.load(Relaxed));
    for number in tail..head {
        let event = unsafe { *ring.events[number as usize % CAPACITY].get() };
        seen.push(Seen { event, process, thread });
    }
    ring.tail.store(head, SeqCst);
    if ring.waiting.swap(0, AcqRel) != 0 {
        unsafe { syscall(202, ring.waiting.as_ptr(), 1, i32::MAX) };
    }
    if state == RingState::Left as u32 {
        ring.state.store(RingState::Free as u32, Release);
    }
}

/// All dropped events of a segment.
pub fn dropped(segment: &Segment) -> u64 {
    let used = segment.header().rings_used.load(Relaxed) as usize;
    let by_rings: u64 = segment.rings()[..used].iter().map(|ring| ring.dropped.load(Relaxed)).sum();
    by_rings + segment.header().processes.iter().map(|process| process.dropped.load(Relaxed)).sum::<u64>()
}

/// The events of the kinds that allocate or free, between two marks of a name.
pub fn within(seen: &[Seen], segment: &Segment, name: &str) -> Vec<Event> {
    let is_mark = |event: &Event, kind| {
        event.kind() == Some(kind) && {
            let text = segment.text(event.address() as u32, event.size as u32);
            text.iter().map(|byte| byte.load(Relaxed)).eq(name.bytes())
        }
    };
    let begin = seen.iter().position(|seen| is_mark(&seen.event, Kind::MarkBegin)).expect("it begins");
    let end = seen.iter().position(|seen| is_mark(&seen.event, Kind::MarkEnd)).expect("it ends");
    seen[begin + 1..end].iter().map(|seen| seen.event).collect()
}

fn map(file: &File, size: usize) -> NonNull<u8> {
    let address = unsafe { mmap(ptr::null_mut(), size, 3, 1, file.as_raw_fd(), 0) };
    assert!(!address.is_null() && address.addr() != usize::MAX, "it is mapped");
    NonNull::new(address.cast()).expect("an address")
}

unsafe extern "C" {
    fn mmap(
        address: *mut c_void,
        size: usize,
        protection: i32,
        flags: i32,
        file: i32,
        offset: i64,
    ) -> *mut c_void;
    fn syscall(number: i64, word: *mut u32, operation: i32, count: i32) -> i64;
}

/// A program in C or C++ of `tests/programs`, built anew.
pub struct Program {
    folder: PathBuf,
}

impl Program {
    pub fn build(source: &str, flags: &[&str]) -> Program {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("residue-recorder-{}-{count}", std::process::id()));
        fs::create_dir(&folder).expect("a folder for what is built");
        let program = Program { folder };
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let compiler = if source.ends_with("pp") { "g++" } else { "gcc" };
        let status = Command::new(compiler)
            .args([
                "-O1",
                "-fno-builtin",
                "-pthread",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-Wno-alloc-size-larger-than",
                "-I",
            ])
            .arg(here.join("../marks/include"))
            .args(flags)
            .arg("-o")
            .args([program.path(), here.join("tests/programs").join(source)])
            .status();
        assert!(status.expect("the compiler runs").success(), "{source}");
        program
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join("program")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path());
        command.args(arguments);
        command
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
