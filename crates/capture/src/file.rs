//! Recordings in files: written on Linux, read everywhere.
//!
//! ```no_run
//! let recording = residue_capture::file::open("server.4711.residue".as_ref())?;
//! println!("{} allocations", recording.totals.allocations);
//! # Ok::<(), residue_target::Error>(())
//! ```

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use residue_model::Recording;
use residue_recording::file::{MAGIC, Row, Start, VERSION};
use residue_target::{Error, ErrorKind, Result};

/// Unpacked, no recording is larger: some hundred thousand call paths with all that there is to say of them.
const MOST: u64 = 2 << 30;
/// Nor does one pack as well as that: a small file cannot claim much memory.
const MOST_FOLD: u64 = 2048;
/// Good at numbers of which most digits are the same, and as fast as they are gathered.
const LEVEL: i32 = 9;

/// Reads a recording from a file.
///
/// # Errors
/// When it cannot be read, is no recording, is of a newer version, or is damaged.
pub fn open(path: &Path) -> Result<Recording> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::reading(&name, error))?;
    read(file, &name)
}

/// Reads a recording; `name` is what errors call it.
///
/// # Errors
/// As [`open`].
pub fn read(mut input: impl Read, name: &str) -> Result<Recording> {
    let start = start(&mut input, name)?;
    let mut payload = Vec::new();
    let most = start.packed.saturating_mul(MOST_FOLD).min(MOST);
    let unpacked = zstd::Decoder::new(input.take(start.packed))
        .and_then(|decoder| decoder.take(start.size.min(most) + 1).read_to_end(&mut payload));
    if unpacked.is_err() || payload.len() as u64 != start.size {
        let error = Error::new(ErrorKind::Syntax, format!("{name} is cut short or damaged"));
        return Err(
            error.help("copy it again from where it was recorded, and compare the sizes; else record again")
        );
    }
    decode::recording(&payload).map_err(|what| {
        Error::new(ErrorKind::Syntax, format!("{name} is damaged: {what}")).help("record again")
    })
}

/// The start of a file, when it is one that this version reads.
fn start(input: &mut impl Read, name: &str) -> Result<Start> {
    let mut bytes = [0; Start::SIZE];
    let no_recording = || {
        Error::new(ErrorKind::Unsupported, format!("{name} is no recording"))
            .help("make one: residue record -- PROGRAM ARGUMENTS")
    };
    input.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => no_recording(),
        _ => Error::reading(name, error),
    })?;
    let start = Start::read(&bytes);
    if start.magic != u64::from_le_bytes(MAGIC) {
        return Err(no_recording());
    }
    if start.version > VERSION || start.version == 0 {
        let what = format!("{name} was written by a newer version of residue (form {})", start.version);
        return Err(Error::new(ErrorKind::Unsupported, what).help("read it with that version"));
    }
    Ok(start)
}

/// A recording as the bytes of its file.
///
/// # Panics
/// Never: what is written to memory is written.
pub fn bytes(recording: &Recording) -> Vec<u8> {
    let payload = encode::recording(recording);
    let packed = zstd::encode_all(&payload[..], LEVEL).expect("memory takes all");
    let start = Start {
        magic: u64::from_le_bytes(MAGIC),
        version: VERSION,
        spare: 0,
        packed: packed.len() as u64,
        size: payload.len() as u64,
    };
    let mut bytes = vec![0; Start::SIZE];
    start.write(&mut bytes);
    bytes.extend_from_slice(&packed);
    bytes
}

/// Writes a recording to a file: whole, or not at all. What stood there before is replaced.
///
/// # Errors
/// When the file cannot be written; what stood there before stays then.
pub fn write(recording: &Recording, path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || -> io::Result<()> {
        let mut draft = tempfile::Builder::new().prefix(".residue-").tempfile_in(folder)?;
        draft.write_all(&bytes(recording))?;
        allow(draft.as_file())?;
        draft.persist(path)?;
        Ok(())
    };
    written().map_err(|error| Error::writing(path.display().to_string(), error))
}

/// A temporary file is for its owner alone; a recording is a file as any other.
#[cfg(unix)]
fn allow(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // The only way to learn it is to ask the kernel of our own process: the call that tells changes it.
    let umask = fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
        u32::from_str_radix(line.trim(), 8).ok()
    });
    file.set_permissions(fs::Permissions::from_mode(0o666 & !umask.unwrap_or(0o077)))
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
fn allow(_: &File) -> io::Result<()> {
    Ok(())
}
