use std::io;

use residue_model::{Address, Module, Range};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::ProcessStatus::{
    EnumProcessModulesEx, GetModuleFileNameExW, GetModuleInformation, LIST_MODULES_ALL, MODULEINFO,
};

use super::access::Handle;
use super::text::filled;

/// No process has loaded more.
const MOST: usize = 16 * 1024;

/// How often the list is asked for.
const TRIES: usize = 4;

/// The program and the libraries of a process, the program first.
///
/// # Errors
/// What the call fails with: the process is just starting or ending, or may not be read.
pub(super) fn read(process: &Handle) -> io::Result<Vec<Module>> {
    // It fails while a library comes or goes.
    let handles = (1..TRIES).find_map(|_| handles(process).ok()).map_or_else(|| handles(process), Ok)?;
    Ok(handles.into_iter().filter_map(|handle| module(process, handle)).collect())
}

fn handles(process: &Handle) -> io::Result<Vec<HMODULE>> {
    let mut handles: Vec<HMODULE> = vec![std::ptr::null_mut(); 256];
    loop {
        let room = handles.len() * size_of::<HMODULE>();
        let mut needed = 0;
        // SAFETY: the buffer is as long as is told.
        let done = unsafe {
            EnumProcessModulesEx(
                process.raw(),
                handles.as_mut_ptr(),
                u32::try_from(room).unwrap_or(u32::MAX),
                &raw mut needed,
                LIST_MODULES_ALL,
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        let count = usize::try_from(needed).unwrap_or_default() / size_of::<HMODULE>();
        if count <= handles.len() || handles.len() >= MOST {
            handles.truncate(count);
            return Ok(handles);
        }
        handles.resize(count.min(MOST), std::ptr::null_mut());
    }
}

fn module(process: &Handle, handle: HMODULE) -> Option<Module> {
    let mut info = MODULEINFO::default();
    let size = u32::try_from(size_of::<MODULEINFO>()).ok()?;
    // SAFETY: the structure is a local of the size that is told.
    let done = unsafe { GetModuleInformation(process.raw(), handle, &raw mut info, size) };
    let start = info.lpBaseOfDll as u64;
    // The list stands in memory of the process, which may have written anything there.
    let end = start.saturating_add(u64::from(info.SizeOfImage));
    let range = Range { start: Address(start), end: Address(end) };
    let name = filled(32 * 1024, |buffer, length| {
        // SAFETY: the buffer has room for as many characters as is told.
        unsafe { GetModuleFileNameExW(process.raw(), handle, buffer, length) }
    });
    (done != 0 && start < end).then(|| Module {
        range,
        name: name.unwrap_or_default().trim_start_matches(r"\??\").into(),
        version: None,
        unloaded: false,
    })
}
