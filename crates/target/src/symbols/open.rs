use std::fs::File;
use std::io;
use std::path::Path;

use residue_model::{ProcessId, Region};

/// How the file behind a region may be reached; which of them leads to the right one only its content tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the mapping itself: the very file, in whatever container and deleted or not.
    ///
    /// Source: `proc(5)`; it asks for `CAP_SYS_ADMIN`, or since Linux 5.9 `CAP_CHECKPOINT_RESTORE`.
    Mapping(ProcessId),
    /// By its name, as the process sees files: in a container.
    Inside(ProcessId),
    /// By its name, as we see files: what a dump was made from, or a process that changed its root after it began.
    Named,
}

impl Way {
    /// All that may lead somewhere, the best first; without a process, of a dump.
    pub(super) fn all(pid: Option<ProcessId>) -> impl Iterator<Item = Way> {
        pid.into_iter().flat_map(|pid| [Way::Mapping(pid), Way::Inside(pid)]).chain([Way::Named])
    }

    pub(super) fn open(self, region: &Region) -> io::Result<File> {
        match self {
            Way::Mapping(pid) => {
                let (start, end) = (region.range.start.0, region.range.end.0);
                open_regular(format!("/proc/{pid}/map_files/{start:x}-{end:x}"))
            }
            Way::Inside(pid) => within(pid, region.name()),
            Way::Named => open_regular(region.name()),
        }
    }
}

/// Links inside of a container lead to what they mean there, not to what they would mean here.
#[cfg(target_os = "linux")]
fn within(pid: ProcessId, path: &str) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat, openat2};
    use rustix::io::Errno;
    const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
    let root_path = format!("/proc/{pid}/root");
    let root = open(&root_path, PLACE | OFlags::DIRECTORY, Mode::empty())?;
    let place = match openat2(&root, path, PLACE, Mode::empty(), ResolveFlags::IN_ROOT) {
        // Before Linux 5.6 there is no such call, and some sandboxes refuse what they do not know.
        Err(Errno::NOSYS | Errno::PERM) => openat(CWD, format!("{root_path}{path}"), PLACE, Mode::empty())?,
        opened => opened?,
    };
    checked(&File::from(place))
}

#[cfg(not(target_os = "linux"))]
fn within(_: ProcessId, _: &str) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens a regular file by its name here.
#[cfg(target_os = "linux")]
pub(super) fn open_regular(path: impl AsRef<Path>) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    checked(&File::from(open(path.as_ref(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?))
}

/// Opens a regular file by its name here.
#[cfg(not(target_os = "linux"))]
pub(super) fn open_regular(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    if std::fs::metadata(path)?.is_file() { File::open(path) } else { Err(irregular()) }
}

/// Opens what is known to be a regular file by then: a pipe would be waited for, and a device may do something when it
/// is opened.
#[cfg(target_os = "linux")]
fn checked(place: &File) -> io::Result<File> {
    use std::os::fd::AsRawFd;
    if place.metadata()?.is_file() {
        return File::open(format!("/proc/self/fd/{}", place.as_raw_fd()));
    }
    Err(irregular())
}

fn irregular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use residue_testkit::Program;

    use super::*;

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
        std::fs::write(path("file"), "here").expect("there is room");
        let made = Command::new("mkfifo").arg(path("pipe")).status();
        assert!(made.is_ok_and(|status| status.success()));
        let own = ProcessId(std::process::id());
        for open in [&|path: &str| open_regular(path), &|path: &str| within(own, path)]
            as [&dyn Fn(&str) -> io::Result<File>; 2]
        {
            assert!(open(&path("file")).is_ok());
            assert!(open(&path("pipe")).is_err() && open(&path("")).is_err() && open("/dev/zero").is_err());
            assert!(open(&path("missing")).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        }
    }

    /// Another root may hold links to absolute paths: they must not lead out of it.
    #[test]
    fn a_link_in_a_container_stays_inside() {
        let folder = tempfile::tempdir().expect("there is room");
        let inside = |name: &str| folder.path().join(name);
        let program = Program::build("named").flag("-static").path().expect("it compiles");
        // By a process of its own: a file that a fork beside us holds open for writing cannot be run.
        let done = Command::new("cp").args([program, inside("named")]).status();
        assert!(done.is_ok_and(|status| status.success()), "there is room");
        std::fs::write(inside("library"), "inside").expect("there is room");
        std::fs::write(inside("outside"), "outside").expect("there is room");
        symlink("/library", inside("link")).expect("there is room");
        symlink(inside("outside"), inside("escape")).expect("there is room");
        let mut child = Command::new("unshare")
            .args(["-r", "chroot"])
            .arg(folder.path())
            .arg("/named")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux is installed");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it was asked for"))
            .read_line(&mut line)
            .expect("it is ready");
        let pid = ProcessId(child.id());
        let read = |path: &str| {
            let mut text = String::new();
            within(pid, path)?.read_to_string(&mut text).map(|_| text)
        };
        let (library, followed, escape) = (read("/library"), read("/link"), read("/escape"));
        let _ = child.kill();
        let _ = child.wait();
        assert_eq!(
            (library.expect("it is there").as_str(), followed.expect("it leads there").as_str()),
            ("inside", "inside")
        );
        assert!(escape.is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    }
}
