//! What the file system tells.

use std::fs::{File, Metadata};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::Path;

use residue_model::Bytes;
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, SetFileSecurityW};
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;

use super::owner::own_sid;

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

/// Takes the right to read a file from everybody but our account and the system, as far as its file system knows rights: a new
/// file has those of its folder.
///
/// # Errors
/// Where the file system has none, or refuses.
pub(in crate::live) fn keep_private(path: &Path) -> io::Result<()> {
    // Protected from the folder's rights; full access for us and the system. "Owner rights" would be shorter, but takes
    // the right to delete the file from us under Wine, which does not know them.
    let own = own_sid().ok_or_else(io::Error::last_os_error)?;
    let rights: Vec<u16> = format!("D:P(A;;FA;;;{own})(A;;FA;;;SY)").encode_utf16().chain([0]).collect();
    let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the text ends in zero; the descriptor that is made is ours to free.
    let made = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rights.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            std::ptr::null_mut(),
        )
    };
    if made == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the name ends in zero, and the descriptor is the one that was just made; it is freed once.
    unsafe {
        let done = SetFileSecurityW(name.as_ptr(), DACL_SECURITY_INFORMATION, descriptor);
        let error = io::Error::last_os_error();
        LocalFree(descriptor);
        if done == 0 { Err(error) } else { Ok(()) }
    }
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
