//! What the file system tells.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use residue_model::Bytes;
use rustix::fs::Mode;

/// The room that is left for us where a folder stands.
pub(in crate::live) fn free(folder: &Path) -> io::Result<Bytes> {
    let room = rustix::fs::statvfs(folder)?;
    Ok(Bytes(room.f_bavail.saturating_mul(room.f_frsize)))
}

/// A file that was just made.
pub(in crate::live) struct Created {
    pub(in crate::live) file: File,
    /// Only its owner can read it. Some file systems give every file the same rights, as FAT does.
    pub(in crate::live) is_private: bool,
}

/// Makes a file for its owner alone, where there is none.
pub(in crate::live) fn create(path: &Path) -> io::Result<Created> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let mode = Mode::from_raw_mode(file.metadata()?.mode());
    let is_private = !mode.intersects(Mode::RWXG | Mode::RWXO);
    Ok(Created { file, is_private })
}

/// How much of the disk a file takes.
pub(in crate::live) fn taken(file: &Metadata) -> Bytes {
    Bytes(file.blocks() * 512)
}

/// Closes a file and says if that failed.
pub(in crate::live) fn close(file: File) -> io::Result<()> {
    Ok(nix::unistd::close(file)?)
}
