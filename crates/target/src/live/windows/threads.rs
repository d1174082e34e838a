use std::ffi::CStr;

use residue_model::{Address, Thread};
use windows_sys::Wdk::System::Threading::{NtQueryInformationThread, THREADINFOCLASS};
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::System::Threading::{
    OpenThread, THREAD_QUERY_INFORMATION, THREAD_QUERY_LIMITED_INFORMATION,
};

use super::access::Handle;
use super::symbol;
use super::text::wide;

/// `THREAD_BASIC_INFORMATION`.
#[repr(C)]
struct Basic {
    exit_status: i32,
    teb: *mut core::ffi::c_void,
    process: usize,
    thread: usize,
    affinity: usize,
    priority: i32,
    base_priority: i32,
}

/// `ThreadBasicInformation`.
const BASIC: THREADINFOCLASS = 0;

/// The threads of a process, each with the block in which Windows keeps where its stack is.
pub(super) fn read(numbers: &[u32]) -> Vec<Thread> {
    numbers.iter().enumerate().map(|(place, &tid)| thread(tid, place == 0)).collect()
}

fn thread(tid: u32, is_main: bool) -> Thread {
    let open = |rights| {
        // SAFETY: it takes plain numbers.
        Handle::owned(unsafe { OpenThread(rights, 0, tid) })
    };
    let handle = open(THREAD_QUERY_INFORMATION).or_else(|| open(THREAD_QUERY_LIMITED_INFORMATION));
    Thread {
        tid,
        is_main,
        name: handle.as_ref().and_then(name).unwrap_or_default(),
        control_block: handle.as_ref().and_then(teb),
        ..Thread::default()
    }
}

fn teb(thread: &Handle) -> Option<Address> {
    let mut basic = Basic {
        exit_status: 0,
        teb: std::ptr::null_mut(),
        process: 0,
        thread: 0,
        affinity: 0,
        priority: 0,
        base_priority: 0,
    };
    let size = u32::try_from(size_of::<Basic>()).ok()?;
    // SAFETY: the structure has the layout of the class that is asked for, and the size that is told.
    let status = unsafe {
        NtQueryInformationThread(thread.raw(), BASIC, (&raw mut basic).cast(), size, std::ptr::null_mut())
    };
    (status >= 0 && !basic.teb.is_null()).then_some(Address(basic.teb as u64))
}

type GetDescription = unsafe extern "system" fn(windows_sys::Win32::Foundation::HANDLE, *mut *mut u16) -> i32;

/// The name that the program gave it. The call came with Windows 10, at first in another library than now.
fn name(thread: &Handle) -> Option<String> {
    const CALL: &CStr = c"GetThreadDescription";
    let found = symbol::find("kernel32.dll", CALL).or_else(|| symbol::find("kernelbase.dll", CALL))?;
    // SAFETY: this is how `processthreadsapi.h` declares it.
    let call: GetDescription = unsafe { std::mem::transmute(found) };
    let mut text: *mut u16 = std::ptr::null_mut();
    // SAFETY: on success the call gives memory that holds a text with its end, for us to free.
    unsafe {
        if call(thread.raw(), &raw mut text) < 0 || text.is_null() {
            return None;
        }
        let length = (0..4096).take_while(|&index| *text.add(index) != 0).count();
        let name = wide(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        (!name.is_empty()).then_some(name)
    }
}
