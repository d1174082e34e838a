use std::fs::{File, OpenOptions};
use std::io;

use residue_model::{ProcessId, Region};

/// Opens the file behind a region of a live process: the very one it has mapped, in whatever container and deleted or
/// not, where the kernel lets us; otherwise the one that now stands under its name there.
///
/// Source: `proc(5)`; `map_files` asks for `CAP_SYS_ADMIN`, or since Linux 5.9 `CAP_CHECKPOINT_RESTORE`.
pub(super) fn of_process(pid: ProcessId, region: &Region) -> io::Result<File> {
    let (start, end) = (region.range.start.0, region.range.end.0);
    regular(&format!("/proc/{pid}/map_files/{start:x}-{end:x}"))
        .or_else(|error| if region.deleted { Err(error) } else { within(pid, region.name()) })
}

/// Opens the file that a dead process had mapped, if one of that name is here.
pub(super) fn of_dump(region: &Region) -> io::Result<File> {
    regular(region.name())
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
