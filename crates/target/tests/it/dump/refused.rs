//! What is no dump is refused, and says what would help.

use std::io;

use residue_target::{Error, ErrorKind, is_dump, open_dump};

use super::elf::{Core, READ, X86_64, page};
use super::mdmp::{Dump, WINDOWS};
use super::{mdmp, path_of, try_open, written};

/// The error of a path, which names it and says what would help.
#[track_caller]
fn refused(path: &str) -> (ErrorKind, String, String) {
    let Err(error) = open_dump(path, &mut |_, _| {}) else { panic!("{path} passes for a dump") };
    told(path, &error)
}

#[track_caller]
fn told(path: &str, error: &Error) -> (ErrorKind, String, String) {
    let text = error.to_string();
    assert!(text.contains(path), "{text:?} does not name {path}");
    (error.kind(), text.replace(path, "PATH"), error.remedy().unwrap_or_default().to_owned())
}

#[track_caller]
fn refused_bytes(bytes: &[u8]) -> (ErrorKind, String, String) {
    let file = written(bytes);
    refused(&path_of(&file))
}

const GIVE: &str = "give an ELF core, a minidump (.dmp), one of them packed by zstd, xz, gzip or lz4, a pid or a process name";

#[test]
fn a_folder_is_no_dump() {
    let folder = tempfile::tempdir().expect("there is room");
    let (kind, text, help) = refused(folder.path().to_str().expect("a plain path"));
    assert_eq!((kind, text.as_str(), help.as_str()), (ErrorKind::Unsupported, "PATH is a directory", GIVE));
}

#[test]
fn an_empty_file_was_meant_to_be_one() {
    let (kind, text, help) = refused_bytes(b"");
    assert_eq!((kind, text.as_str()), (ErrorKind::Syntax, "PATH is empty"));
    assert!(help.contains("ulimit -c"), "{help}");
}

#[test]
fn text_is_no_dump() {
    for bytes in [b"PK".as_slice(), b"not a dump at all\n", b"\x7fELE\x02\x01\x01", b"M", b"MDM"] {
        let (kind, text, help) = refused_bytes(bytes);
        assert_eq!(
            (kind, text.as_str(), help.as_str()),
            (ErrorKind::Unsupported, "PATH is neither an ELF core nor a minidump", GIVE)
        );
    }
}

#[test]
fn a_missing_file_is_not_found() {
    let Err(error) = open_dump("/nowhere/at/all.core", &mut |_, _| {}) else { panic!("it opens") };
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NotFound, "failed to read /nowhere/at/all.core")
    );
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::NotFound));
    assert!(!is_dump("/nowhere/at/all.core"));
}

#[test]
fn a_program_is_no_core() {
    let program = Core::of(X86_64).kind(2).load(0x40_0000, READ, &page(1)).build();
    let (kind, text, help) = refused_bytes(&program);
    assert_eq!(
        (kind, text.as_str()),
        (ErrorKind::Unsupported, "PATH is an ELF program or library, not a core")
    );
    assert!(help.contains("give a core file"), "{help}");
}

/// A header that is cut off tells nothing: it must not pass for a core of nothing.
#[test]
fn the_first_bytes_of_a_dump_are_no_dump() {
    let core = Core::of(X86_64).load(0x40_0000, READ, &page(1)).build();
    let minidump = mdmp::small().build();
    for (bytes, said) in [
        (&core[..4], "its class is neither"),
        (&core[..63], "its ELF header is not whole"),
        (&minidump[..31], "is no usable minidump"),
        (&minidump[..40], "is no usable minidump"),
    ] {
        let (kind, text, help) = refused_bytes(bytes);
        assert_eq!(kind, ErrorKind::Syntax, "{text}");
        assert!(text.contains(said) && help.contains("cut off"), "{text}: {help}");
    }
}

#[test]
fn a_minidump_of_another_version_is_refused() {
    let mut bytes = Dump::of(mdmp::X86, WINDOWS).build();
    bytes[4] = 0x94;
    let Err(error) = try_open(&bytes) else { panic!("it opens") };
    assert_eq!(error.kind(), ErrorKind::Syntax);
}

#[test]
fn what_packs_nothing_useful_is_refused_by_what_is_inside() {
    for inside in [b"just text".as_slice(), b""] {
        let packed = zstd::encode_all(inside, 1).expect("memory takes everything");
        let (kind, text, _) = refused_bytes(&packed);
        assert_eq!(kind, ErrorKind::Unsupported);
        assert_eq!(text, "PATH is neither an ELF core nor a minidump");
    }
    // Packed twice, or a signature with nothing behind it.
    let once = zstd::encode_all(b"\x7fELF".as_slice(), 1).expect("memory takes everything");
    let twice = zstd::encode_all(once.as_slice(), 1).expect("memory takes everything");
    assert_eq!(refused_bytes(&twice).0, ErrorKind::Unsupported);
}

#[test]
fn what_cannot_be_unpacked_at_all_says_how_it_was_packed() {
    for (bytes, name) in [
        (b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff".as_slice(), "zstd"),
        (b"\xfd7zXZ\0\xff\xff\xff\xff", "xz"),
        (b"\x1f\x8b\xff\xff\xff\xff\xff\xff", "gzip"),
        (b"\x04\x22\x4d\x18\xff\xff\xff\xff", "lz4"),
    ] {
        let file = written(bytes);
        let path = path_of(&file);
        assert!(is_dump(&path), "{name}: what is inside is not known yet");
        let Err(error) = open_dump(&path, &mut |_, _| {}) else { panic!("{name} opens") };
        let (_, text, help) = told(&path, &error);
        assert_eq!(text, format!("failed to unpack PATH ({name})"));
        assert!(help.contains("is it whole?"), "{help}");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use nix::sys::stat::Mode;
    use rustix::process::{Gid, Uid};

    use super::*;

    #[test]
    fn a_running_program_is_no_core() {
        let (kind, text, _) = refused("/proc/self/exe");
        assert_eq!(
            (kind, text.as_str()),
            (ErrorKind::Unsupported, "PATH is an ELF program or library, not a core")
        );
    }

    /// Whoever opens a pipe waits for a writer, perhaps for ever.
    #[test]
    fn a_pipe_or_a_device_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("there is room");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("a temporary folder takes pipes");
        for path in [pipe.to_str().expect("a plain path"), "/dev/null", "/dev/zero"] {
            let (kind, text, help) = refused(path);
            assert_eq!(
                (kind, text.as_str(), help.as_str()),
                (ErrorKind::Unsupported, "PATH is no regular file", GIVE)
            );
        }
    }

    /// In a thread of its own, which is nobody when we are root: root may read everything.
    #[test]
    fn what_may_not_be_read_says_so() {
        let file = written(&Core::of(X86_64).load(0x40_0000, READ, &page(1)).build());
        set_permissions(file.path(), Permissions::from_mode(0o000)).expect("it is ours");
        let path = path_of(&file);
        let nobody = thread::spawn(move || {
            if rustix::process::geteuid().is_root() {
                let (uid, gid) = (Uid::from_raw(65_534), Gid::from_raw(65_534));
                rustix::thread::set_thread_res_gid(gid, gid, gid).expect("root may");
                rustix::thread::set_thread_res_uid(uid, uid, uid).expect("root may");
            }
            let Err(error) = open_dump(&path, &mut |_, _| {}) else { panic!("it opens") };
            assert!(!is_dump(&path));
            told(&path, &error)
        });
        let (kind, text, _) = nobody.join().expect("it is refused");
        assert_eq!((kind, text.as_str()), (ErrorKind::PermissionDenied, "failed to read PATH"));
    }
}
