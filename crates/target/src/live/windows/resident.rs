use std::io;

use residue_model::Bytes;
use windows_sys::Win32::System::ProcessStatus::{PSAPI_WORKING_SET_EX_INFORMATION, QueryWorkingSetEx};

use super::access::Handle;
use crate::windows::Queried;

/// Pages that are asked for at once.
const STEP: usize = 16 * 1024;

/// Notes of each range how much of it is in RAM, and how much of that nobody else can use. What is only reserved has
/// nothing there.
///
/// # Errors
/// Where the system does not tell: Wine does not of other processes.
pub(super) fn fill(process: &Handle, queried: &mut [Queried], page_size_bytes: u64) -> io::Result<()> {
    let mut pages = Vec::with_capacity(STEP);
    for query in queried.iter_mut() {
        if !query.pages.is_committed() {
            query.resident = Some((Bytes::ZERO, Bytes::ZERO));
            continue;
        }
        let (mut resident, mut private) = (0_u64, 0_u64);
        let mut at = query.range.start.0;
        while at < query.range.end.0 {
            pages.clear();
            while pages.len() < STEP && at < query.range.end.0 {
                let mut page = PSAPI_WORKING_SET_EX_INFORMATION::default();
                page.VirtualAddress = usize::try_from(at).unwrap_or_default() as *mut _;
                pages.push(page);
                at += page_size_bytes;
            }
            ask(process, &mut pages)?;
            for page in &pages {
                // SAFETY: every member of the union is a word of bits; the call has written them.
                let flags = unsafe { page.VirtualAttributes.Flags };
                // Source: `PSAPI_WORKING_SET_EX_BLOCK`: bit 0 valid, bit 15 shared.
                resident += u64::from(flags & 1 != 0);
                private += u64::from(flags & 1 != 0 && flags & (1 << 15) == 0);
            }
        }
        let bytes = |count: u64| Bytes(count * page_size_bytes);
        query.resident = Some((bytes(resident), bytes(private)));
    }
    Ok(())
}

fn ask(process: &Handle, pages: &mut [PSAPI_WORKING_SET_EX_INFORMATION]) -> io::Result<()> {
    let size = u32::try_from(size_of_val(pages)).unwrap_or_default();
    // SAFETY: the buffer is as long as is told; each element names a page and takes what is said of it.
    let done = unsafe { QueryWorkingSetEx(process.raw(), pages.as_mut_ptr().cast(), size) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
