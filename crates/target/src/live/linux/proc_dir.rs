use std::ffi::CStr;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use residue_model::ProcessId;
use rustix::fs::{Dir, Mode, OFlags, openat};

use crate::procfs::printable;
use crate::{Error, ErrorKind, File, Result};

/// A mounted `/proc`. Files are opened relative to it, so that one look-up is saved a file.
pub struct ProcDir {
    root: OwnedFd,
}

/// No file that is read whole is larger but `cmdline`, which may be anything and is cut there.
const LARGEST: usize = 4 * 1024 * 1024;

/// `PROC_SUPER_MAGIC` of `linux/magic.h`.
const PROC_MAGIC: i64 = 0x9fa0;

impl ProcDir {
    /// The machine's own.
    ///
    /// # Errors
    /// When nothing is mounted at `/proc`, or the `/proc` of another pid namespace is.
    pub fn open() -> Result<ProcDir> {
        let root = open_directory(Path::new("/proc")).map_err(|error| Error::reading("/proc", error))?;
        let kind = rustix::fs::fstatfs(&root).map_err(|error| Error::reading("/proc", error.into()))?;
        let proc_dir = ProcDir { root };
        if kind.f_type != PROC_MAGIC || fs::read_link("/proc/self").is_err() {
            return Err(Error::new(ErrorKind::Unsupported, "/proc is not the one of this pid namespace")
                .help("mount it: mount -t proc proc /proc"));
        }
        Ok(proc_dir)
    }

    /// The numbers of all processes that this reader may see, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn processes(&self) -> Result<Vec<ProcessId>> {
        let numbers = self.numbers(c".").map_err(|error| Error::reading("/proc", error))?;
        Ok(numbers.into_iter().map(ProcessId).collect())
    }

    /// The numbers of the threads of a process, in order.
    pub(super) fn threads(&self, pid: ProcessId) -> io::Result<Vec<u32>> {
        let path = format!("{pid}/task\0");
        let path = CStr::from_bytes_with_nul(path.as_bytes()).expect("made with its end");
        self.numbers(path)
    }

    fn numbers(&self, path: &CStr) -> io::Result<Vec<u32>> {
        let directory =
            openat(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut numbers = Vec::new();
        for entry in Dir::read_from(directory)? {
            if let Some(number) = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Opens a file of a process.
    pub(super) fn open_file(&self, pid: ProcessId, file: File) -> io::Result<fs::File> {
        let mut path = PathBuffer { bytes: [0; 40], length: 0 };
        write!(path, "{pid}/{}", file.name()).expect("numbers and names are short");
        self.open_at(path.as_str())
    }

    /// Opens a path below the root.
    pub(super) fn open_at(&self, path: &str) -> io::Result<fs::File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(openat(self.root.as_fd(), path, flags, Mode::empty())?.into())
    }

    /// Opens a path below the root to read and to write it.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn open_to_write(&self, path: &str) -> io::Result<fs::File> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(openat(self.root.as_fd(), path, flags, Mode::empty())?.into())
    }

    /// Reads a file of a process whole into a reused buffer.
    pub(super) fn read(&self, pid: ProcessId, file: File, into: &mut Vec<u8>) -> io::Result<()> {
        let opened = self.open_file(pid, file)?;
        match file {
            // One record each: the kernel gives it whole or as much as there is room for, and asking once more whether
            // that was all would be a third of all calls of a sweep.
            File::Stat | File::Statm | File::Status | File::OomScore | File::Rollup => {
                read_to_end(&opened, into, Ends::WithShortRead)
            }
            File::Cmdline | File::Maps | File::Smaps => read_to_end(&opened, into, Ends::WithNothing),
        }
    }

    /// Reads any file below the root whole.
    pub(super) fn read_path(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        read_to_end(&self.open_at(path)?, &mut text, Ends::WithNothing)?;
        Ok(text)
    }

    /// What a link below the root points to, printable.
    pub(super) fn link(&self, path: &str) -> io::Result<String> {
        let target = rustix::fs::readlinkat(&self.root, path, Vec::new())?;
        Ok(printable(target.as_bytes()))
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// By what the end of a file is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// A read that gives nothing.
    WithNothing,
    /// A read that gives less than there is room for: the file is one record.
    WithShortRead,
}

fn read_to_end(file: &fs::File, into: &mut Vec<u8>, ends: Ends) -> io::Result<()> {
    let mut length = 0;
    loop {
        if length == into.len() {
            if length >= LARGEST {
                break;
            }
            into.resize((length * 2).max(8 * 1024), 0);
        }
        match rustix::io::read(file, &mut into[length..]) {
            Ok(0) => break,
            Ok(read) => {
                length += read;
                if ends == Ends::WithShortRead && length < into.len() {
                    break;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    into.truncate(length);
    Ok(())
}

/// A path made without allocation: 1 105 processes have thousands of files.
struct PathBuffer {
    bytes: [u8; 40],
    length: usize,
}

impl PathBuffer {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("only whole strings are written")
    }
}

impl Write for PathBuffer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let place = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// How long ago a process started, in seconds.
pub(super) fn age_seconds(proc_dir: &ProcDir, start_ticks: u64) -> Option<f64> {
    let uptime = proc_dir.read_path("uptime").ok()?;
    let uptime: f64 = std::str::from_utf8(&uptime).ok()?.split(' ').next()?.parse().ok()?;
    let started = start_ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Some((uptime - started).max(0.0))
}
