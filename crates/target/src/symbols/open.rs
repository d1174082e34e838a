use std::fs::{File, OpenOptions};
use std::io;

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
                regular(&format!("/proc/{pid}/map_files/{start:x}-{end:x}"))
            }
            Way::Inside(pid) => within(pid, region.name()),
            Way::Named => regular(region.name()),
        }
    }
}

/// Links inside of a container lead to what they mean there, not to what they would mean here.
#[cfg(target_os = "linux")]
fn within(pid: ProcessId, path: &str) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat2};
    let root_path = format!("/proc/{pid}/root");
    let root = open(&root_path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
        Ok(file) => checked(File::from(file)),
        // Before Linux 5.6 there is no such call, and some sandboxes refuse what they do not know.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
            let file = rustix::fs::openat(CWD, format!("{root_path}{path}"), flags, Mode::empty())?;
            checked(File::from(file))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn within(_: ProcessId, _: &str) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never waits: a pipe may stand where a library did.
fn regular(path: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    checked(options.open(path)?)
}

fn checked(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
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
        for open in [&regular as &dyn Fn(&str) -> io::Result<File>, &|path| within(own, path)] {
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
        std::fs::copy(program, inside("named")).expect("there is room");
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
