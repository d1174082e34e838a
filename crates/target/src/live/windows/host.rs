use std::ffi::CStr;

use residue_model::{Bytes, Gap, Limits, ProcessId, SystemMemory};
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::System::ProcessStatus::{GetPerformanceInfo, PERFORMANCE_INFORMATION};
use windows_sys::Win32::System::SystemInformation::{
    GetSystemInfo, GetSystemTimeAsFileTime, GlobalMemoryStatusEx, MEMORYSTATUSEX, OSVERSIONINFOW, SYSTEM_INFO,
};

use super::counters::ticks;
use super::symbol;
use crate::windows::System;
use crate::{Care, Result, Target};

/// Where processes are found: this Windows.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl Host {
    /// The machine's own.
    ///
    /// # Errors
    /// Never: it is always there.
    #[allow(clippy::unnecessary_wraps, reason = "elsewhere it can be missing")]
    pub fn open() -> Result<Host> {
        Ok(Host)
    }
}

/// The machine, as far as memory goes.
pub(super) fn describe() -> System {
    System { version: version(), wine: wine(), page_size_bytes: page_size_bytes(), memory: system(&Host) }
}

fn page_size_bytes() -> u64 {
    let mut info = SYSTEM_INFO::default();
    // SAFETY: the structure is a local of the type that the call writes.
    unsafe { GetSystemInfo(&raw mut info) };
    u64::from(info.dwPageSize)
}

/// The version of the system, not the one that it plays for old programs.
fn version() -> String {
    let mut info = OSVERSIONINFOW::default();
    info.dwOSVersionInfoSize = u32::try_from(size_of::<OSVERSIONINFOW>()).unwrap_or_default();
    // SAFETY: the structure says its own size, which is all that is written.
    unsafe { RtlGetVersion(&raw mut info) };
    format!("{}.{}.{}", info.dwMajorVersion, info.dwMinorVersion, info.dwBuildNumber)
}

/// The version of Wine, which exports one; Windows does not.
pub(super) fn wine() -> Option<String> {
    let found = symbol::find("ntdll.dll", c"wine_get_version")?;
    // SAFETY: Wine declares it `const char *CDECL wine_get_version(void)` and gives a constant.
    let version = unsafe {
        let call: extern "C" fn() -> *const std::ffi::c_char = std::mem::transmute(found);
        CStr::from_ptr(call())
    };
    Some(crate::procfs::printable(version.to_bytes()))
}

/// Now, in 100 ns since 1601.
pub(super) fn now() -> u64 {
    let mut time = windows_sys::Win32::Foundation::FILETIME::default();
    // SAFETY: the time is written to a local.
    unsafe { GetSystemTimeAsFileTime(&raw mut time) };
    ticks(time)
}

/// The machine's memory.
pub fn system(_: &Host) -> SystemMemory {
    let mut system = SystemMemory::default();
    let mut status = MEMORYSTATUSEX::default();
    status.dwLength = u32::try_from(size_of::<MEMORYSTATUSEX>()).unwrap_or_default();
    // SAFETY: the structure says its own size, which is all that is written.
    if unsafe { GlobalMemoryStatusEx(&raw mut status) } != 0 {
        system.total = Some(Bytes(status.ullTotalPhys));
        system.available = Some(Bytes(status.ullAvailPhys));
    }
    let mut info = PERFORMANCE_INFORMATION::default();
    let size = u32::try_from(size_of::<PERFORMANCE_INFORMATION>()).unwrap_or_default();
    // SAFETY: the structure is a local of the size that is told.
    if unsafe { GetPerformanceInfo(&raw mut info, size) } != 0 {
        let pages = |count: usize| Bytes(count as u64 * info.PageSize as u64);
        system.commit_limit = Some(pages(info.CommitLimit)).filter(|limit| *limit > Bytes::ZERO);
        system.committed = system.commit_limit.and(Some(pages(info.CommitTotal)));
        system.cached = Some(pages(info.SystemCache)).filter(|cached| *cached > Bytes::ZERO);
    }
    system
}

/// Everything that bounds the memory of a process; what cannot be read becomes a gap.
pub fn limits(_: &Host, pid: ProcessId, _: &SystemMemory, gaps: &mut Vec<Gap>) -> Limits {
    let layout = super::Process::open(pid, Care::DEFAULT).and_then(|process| process.layout());
    match layout {
        Ok(snapshot) => snapshot.limits,
        Err(error) => {
            gaps.push(Gap::new(format!("limits of process {pid}"), error.to_string()));
            Limits::default()
        }
    }
}
