use std::io;

use windows_sys::Wdk::System::SystemInformation::{NtQuerySystemInformation, SystemProcessInformation};
use windows_sys::Win32::Foundation::STATUS_INFO_LENGTH_MISMATCH;

use crate::windows::{Listed, process_list};
use crate::{Error, Result};

/// The name of the call.
pub(super) const CALL: &str = "NtQuerySystemInformation";

/// No machine has a list that is longer.
const LARGEST: usize = 256 * 1024 * 1024;

/// Every process with its threads and counters, in one call.
pub(super) fn processes() -> Result<Vec<Listed>> {
    let mut list: Vec<u64> = vec![0; 64 * 1024];
    loop {
        let room = list.len() * 8;
        let mut needed = 0;
        // SAFETY: the buffer is as long as is told, and aligned for everything that is written into it.
        let status = unsafe {
            NtQuerySystemInformation(
                SystemProcessInformation,
                list.as_mut_ptr().cast(),
                u32::try_from(room).unwrap_or(u32::MAX),
                &raw mut needed,
            )
        };
        if status == STATUS_INFO_LENGTH_MISMATCH && room < LARGEST {
            // More processes may start before the next try.
            let wanted = usize::try_from(needed).unwrap_or_default().max(room) + room / 2;
            list.resize(wanted.div_ceil(8), 0);
            continue;
        }
        if status < 0 {
            let error = io::Error::other(format!("status {status:#x}"));
            return Err(Error::reading("the list of processes", error));
        }
        let base = list.as_ptr() as u64;
        let bytes: Vec<u8> = list.iter().flat_map(|word| word.to_ne_bytes()).collect();
        return Ok(process_list(&bytes, base, size_of::<usize>()));
    }
}
