//! Whether a program can be recorded: looked at before it starts, so that nobody waits for a recording of nothing.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use residue_target::{Error, ErrorKind, Result};
use rustix::fs::{Access, access, getxattr};
use rustix::process::{getgid, getuid};

/// The kernel follows so many interpreters of scripts.
const DEEPEST: usize = 5;
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
const GROUP_RUNS: u32 = 0o010;
/// `EM_X86_64` and `PT_INTERP` of `elf.h`.
const X86_64: u16 = 62;
const INTERPRETER: u32 = 3;

/// Finds the file of a command as a shell does, and makes sure that a recorder can be loaded into it.
///
/// # Errors
/// When it is not there, cannot run, or runs without loading what it is told to.
pub(crate) fn found(command: &OsStr) -> Result<PathBuf> {
    let file = located(command)?;
    let name = file.display().to_string();
    let runs = binary(&file, DEEPEST)?;
    refuse_privileged(&runs)?;
    let shown = if runs == file { name } else { format!("{}, which runs {name},", runs.display()) };
    look(&runs, &shown)?;
    Ok(file)
}

fn located(command: &OsStr) -> Result<PathBuf> {
    let is_path = command.as_bytes().contains(&b'/');
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    let candidates: Vec<PathBuf> = if is_path {
        vec![PathBuf::from(command)]
    } else {
        std::env::split_paths(&path).map(|folder| folder.join(command)).collect()
    };
    let runs = |file: &&PathBuf| file.is_file() && access(file.as_path(), Access::EXEC_OK).is_ok();
    if let Some(file) = candidates.iter().find(runs) {
        return Ok(file.clone());
    }
    let shown = command.to_string_lossy();
    if let Some(file) = candidates.iter().find(|file| file.exists()) {
        let error = Error::new(ErrorKind::PermissionDenied, format!("{} cannot be executed", file.display()));
        return Err(error.help(format!("if it is a program: chmod +x {}", file.display())));
    }
    let error = Error::new(ErrorKind::NotFound, format!("there is no program {shown}"));
    Err(error.help(if is_path { "check the path" } else { "give its path, or put its folder into PATH" }))
}

/// The file that the kernel maps for a file: itself, or the interpreter of a script.
fn binary(file: &Path, deepest: usize) -> Result<PathBuf> {
    let mut start = [0; 256];
    let read = File::open(file).and_then(|opened| opened.read_at(&mut start, 0));
    let start = match read {
        Ok(length) => &start[..length],
        // Executable but not readable: what it is cannot be told, and the kernel loads no library into it then.
        Err(error) => return Err(Error::reading(file.display().to_string(), error)),
    };
    let Some(line) = start.strip_prefix(b"#!") else { return Ok(file.to_owned()) };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii();
    let name = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let interpreter = PathBuf::from(OsString::from_vec(name.to_vec()));
    if deepest == 0 || name.is_empty() || !interpreter.is_file() {
        let what = format!("the interpreter of {} is not there: {}", file.display(), interpreter.display());
        return Err(Error::new(ErrorKind::NotFound, what).help("look at its first line"));
    }
    // `env` is a dynamic program as any other, and what it runs is found out by the recorder itself.
    binary(&interpreter, deepest - 1)
}

/// The kernel makes the loader ignore what it is told when a program gets rights that its caller does not have.
fn refuse_privileged(file: &Path) -> Result<()> {
    let Ok(found) = file.metadata() else { return Ok(()) };
    let is_root = getuid().is_root();
    let user = found.mode() & SET_USER != 0 && found.uid() != getuid().as_raw();
    let group =
        found.mode() & (SET_GROUP | GROUP_RUNS) == SET_GROUP | GROUP_RUNS && found.gid() != getgid().as_raw();
    let has_capabilities = !is_root && getxattr(file, "security.capability", &mut [0_u8; 64]).is_ok();
    if !(user || group || has_capabilities) {
        return Ok(());
    }
    let what = format!("{} gets rights that you do not have: no recorder is loaded into it", file.display());
    let error = Error::new(ErrorKind::PermissionDenied, what);
    Err(error.help("record a copy without them (cp does not copy them), or run as root"))
}

/// Looks at the headers of a program.
fn look(file: &Path, shown: &str) -> Result<()> {
    let content = File::open(file).map_err(|error| Error::reading(file.display().to_string(), error))?;
    let mut header = [0; 64];
    let is_elf = content.read_exact_at(&mut header, 0).is_ok() && header.starts_with(b"\x7fELF");
    if !is_elf {
        // A script without a first line: a shell runs it, if one starts it. The kernel says so, if it does not.
        let error =
            Error::new(ErrorKind::Unsupported, format!("{shown} is no program that the kernel can run"));
        return Err(error.help(format!("if it is a script: residue record -- sh {shown}")));
    }
    let machine = u16::from_le_bytes([header[18], header[19]]);
    if header[4] != 2 || header[5] != 1 || machine != X86_64 {
        let what = format!("{shown} is {}", kind(header[4], machine));
        return Err(Error::new(ErrorKind::Unsupported, what)
            .help("only 64-bit x86 programs are recorded. To watch it grow: residue watch PID"));
    }
    match has_interpreter(&content, &header) {
        Ok(false) if !is_loader(file) => {
            let what = format!("{shown} is a static executable: it loads no library, and so no recorder");
            Err(Error::new(ErrorKind::Unsupported, what).help(
                "link it dynamically, or start it as it is and ask: residue watch PID (does it grow), \
                 residue leaks PID (what is lost)",
            ))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Error::reading(file.display().to_string(), error)),
    }
}

fn kind(class: u8, machine: u16) -> String {
    match (class, machine) {
        (1, _) => "a 32-bit program".into(),
        (_, 183) => "a program for aarch64".into(),
        (_, 243) => "a program for RISC-V".into(),
        _ => format!("a program for another machine (ELF machine {machine})"),
    }
}

/// Whether any program header names a loader.
fn has_interpreter(content: &File, header: &[u8; 64]) -> io::Result<bool> {
    let short = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let offset = u64::from_le_bytes(header[32..40].try_into().expect("eight bytes"));
    let (size, count) = (short(54), short(56));
    if size < 4 {
        return Err(io::Error::other("its headers are damaged"));
    }
    let mut table = Vec::new();
    let mut reader = content;
    io::Seek::seek(&mut reader, io::SeekFrom::Start(offset))?;
    reader.take((size * count) as u64).read_to_end(&mut table)?;
    Ok(table.chunks_exact(size).any(|row| row.starts_with(&INTERPRETER.to_le_bytes())))
}

/// The loader itself can be called with a program to load: it obeys as if the program had been called.
fn is_loader(file: &Path) -> bool {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ["ld-", "ld.so", "libc.musl-"].iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A file with the headers of a program, executable.
    fn program(folder: &Path, change: impl Fn(&mut Vec<u8>)) -> PathBuf {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&X86_64.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&1_u16.to_le_bytes());
        bytes[64..68].copy_from_slice(&INTERPRETER.to_le_bytes());
        change(&mut bytes);
        written(&folder.join("program"), &bytes)
    }

    fn written(path: &Path, bytes: &[u8]) -> PathBuf {
        fs::write(path, bytes).expect("it is written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path.to_owned()
    }

    fn refusal(path: &Path) -> (ErrorKind, String) {
        let error = found(path.as_os_str()).expect_err("it is refused");
        assert!(error.remedy().is_some(), "{error}");
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_program_that_loads_libraries_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = program(folder.path(), |_| {});

        assert_eq!(found(path.as_os_str()).expect("it is taken"), path);
        assert!(found(OsStr::new("sh")).is_ok());
    }

    #[test]
    fn a_static_program_is_refused_with_what_to_do_instead() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = program(folder.path(), |bytes| bytes[64] = 1);
        let script = written(&folder.path().join("script"), format!("#! {} -x\n", path.display()).as_bytes());

        let (kind, text) = refusal(&path);
        assert_eq!(kind, ErrorKind::Unsupported);
        assert!(text.contains("is a static executable"), "{text}");
        assert!(refusal(&script).1.contains("which runs"), "a script runs what its first line says");
    }

    #[test]
    fn other_machines_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let arm = program(folder.path(), |bytes| bytes[18] = 183);
        assert!(refusal(&arm).1.ends_with("is a program for aarch64"));
        let narrow = program(folder.path(), |bytes| bytes[4] = 1);
        assert!(refusal(&narrow).1.ends_with("is a 32-bit program"));
    }

    #[test]
    fn what_is_not_there_and_what_cannot_run_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = program(folder.path(), |_| {});
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");

        assert_eq!(refusal(&path).0, ErrorKind::PermissionDenied);
        assert_eq!(refusal(&folder.path().join("nothing")).0, ErrorKind::NotFound);
        assert_eq!(refusal(Path::new("no-such-program-anywhere")).0, ErrorKind::NotFound);
        assert_eq!(refusal(folder.path()).0, ErrorKind::PermissionDenied);
    }

    #[test]
    fn scripts_that_lead_in_a_ring_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ring");
        written(&path, format!("#!{}\n", path.display()).as_bytes());

        assert_eq!(refusal(&path).0, ErrorKind::NotFound);
    }
}
