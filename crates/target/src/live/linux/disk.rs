//! What the file system tells.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use residue_model::Bytes;
use rustix::fs::Mode;

/// The room that is left for us where a folder stands.
pub(in crate::live) fn free(folder: &Path) -> io::Result<Bytes> {
    let room = rustix::fs::statvfs(folder)?;
    Ok(Bytes(room.f_bavail.saturating_mul(room.f_frsize)))
}

/// Whether nobody but its owner can read a file, as which it is made.
///
/// # Errors
/// Where the file system gives every file the same rights, as FAT does.
pub(in crate::live) fn keep_private(path: &Path) -> io::Result<()> {
    let mode = Mode::from_raw_mode(path.metadata()?.mode());
    let is_exposed = mode.intersects(Mode::RWXG | Mode::RWXO);
    if is_exposed { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

/// How much of the disk a file takes.
pub(in crate::live) fn taken(file: &Metadata) -> Bytes {
    Bytes(file.blocks() * 512)
}

/// Closes a file and says if that failed.
pub(in crate::live) fn close(file: File) -> io::Result<()> {
    Ok(nix::unistd::close(file)?)
}
