//! What the file system tells.

use std::fs::{File, Metadata};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::Path;

use residue_model::Bytes;
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;

/// The room that is left for us where a folder stands.
pub(in crate::live) fn free(folder: &Path) -> io::Result<Bytes> {
    let name: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    // SAFETY: the name ends in zero, and the number is written to a local.
    let done = unsafe {
        GetDiskFreeSpaceExW(name.as_ptr(), &raw mut free, std::ptr::null_mut(), std::ptr::null_mut())
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Bytes(free)) }
}

/// How much of the disk a file takes: nothing is sparse here.
pub(in crate::live) fn taken(file: &Metadata) -> Bytes {
    Bytes(file.len())
}

/// Closes a file and says if that failed.
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(in crate::live) fn close(file: File) -> io::Result<()> {
    drop(file);
    Ok(())
}
