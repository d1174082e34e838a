//! What the file system tells.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use residue_model::Bytes;
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, SetFileSecurityW};
use windows_sys::Win32::Storage::FileSystem::{GetDiskFreeSpaceExW, GetVolumeInformationByHandleW};
use windows_sys::Win32::System::SystemServices::FILE_PERSISTENT_ACLS;

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

/// A file that was just made.
pub(in crate::live) struct Created {
    pub(in crate::live) file: File,
    /// Only our account and the system can read it. Some file systems keep no rights, as FAT does.
    pub(in crate::live) is_private: bool,
}

/// Makes a file for our account alone, where there is none.
pub(in crate::live) fn create(path: &Path) -> io::Result<Created> {
    // A new file has the rights of its folder. Until it has its own, nobody else can open it: who did could read on.
    let mut options = OpenOptions::new();
    let alone = options.read(true).write(true).create_new(true).share_mode(0).open(path)?;
    let is_private = keeps_rights(&alone) && keep_private(path).is_ok();
    drop(alone);
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(Created { file, is_private })
}

/// Whether the file system keeps rights: one that does not may take them all the same.
fn keeps_rights(file: &File) -> bool {
    let mut flags = 0;
    // SAFETY: the flags are written to a local, and nothing else is asked for.
    let done = unsafe {
        GetVolumeInformationByHandleW(
            file.as_raw_handle(),
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut flags,
            std::ptr::null_mut(),
            0,
        )
    };
    done != 0 && flags & FILE_PERSISTENT_ACLS != 0
}

/// Takes the right to read a file from everybody but our account and the system.
fn keep_private(path: &Path) -> io::Result<()> {
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
