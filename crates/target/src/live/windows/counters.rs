use residue_model::Bytes;
use windows_sys::Wdk::System::Threading::{NtQueryInformationProcess, PROCESSINFOCLASS};
use windows_sys::Win32::Foundation::{FILETIME, STILL_ACTIVE};
use windows_sys::Win32::System::ProcessStatus::{
    GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS, PROCESS_MEMORY_COUNTERS_EX,
};
use windows_sys::Win32::System::Threading::{GetExitCodeProcess, GetProcessHandleCount, GetProcessTimes};

use super::access::Handle;
use crate::windows::Counted;

/// `VM_COUNTERS_EX2`. The first eleven are `VM_COUNTERS`, with the next `VM_COUNTERS_EX`.
#[repr(C)]
#[derive(Default)]
struct VmCounters {
    peak_virtual_size: usize,
    virtual_size: usize,
    page_faults: u32,
    peak_working_set: usize,
    working_set: usize,
    peak_paged_pool: usize,
    paged_pool: usize,
    peak_nonpaged_pool: usize,
    nonpaged_pool: usize,
    pagefile_usage: usize,
    peak_pagefile_usage: usize,
    private_usage: usize,
    private_working_set: usize,
    shared_commit: u64,
}

/// The three sizes that systems of three ages accept, the newest first. The compiler's own padding makes them right for 32
/// and 64 bits.
const SIZES: [usize; 3] = [
    size_of::<VmCounters>(),
    std::mem::offset_of!(VmCounters, private_working_set),
    std::mem::offset_of!(VmCounters, private_usage),
];

/// `ProcessVmCounters`.
const VM_COUNTERS: PROCESSINFOCLASS = 3;

/// The name of the call that gives [`vm_counters`].
pub(super) const VM_COUNTERS_CALL: &str = "NtQueryInformationProcess";
/// The name of the call that gives [`memory_info`].
pub(super) const MEMORY_INFO_CALL: &str = "GetProcessMemoryInfo";

/// Asks for the counters of a process, remembering which size its system accepts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VmQuery {
    form: usize,
}

impl VmQuery {
    /// The cheapest way to all counters that Windows keeps of a process by itself.
    pub(super) fn read(&mut self, process: &Handle) -> Option<Counted> {
        while self.form < SIZES.len() {
            if let Some(counters) = query(process, SIZES[self.form]) {
                return Some(counted(&counters, self.form));
            }
            self.form += 1;
        }
        self.form = 0;
        None
    }
}

fn query(process: &Handle, size: usize) -> Option<VmCounters> {
    let mut counters = VmCounters::default();
    let length = u32::try_from(size).ok()?;
    // SAFETY: the structure is at least as large as the size that is told, and the call writes no more.
    let status = unsafe {
        NtQueryInformationProcess(
            process.raw(),
            VM_COUNTERS,
            (&raw mut counters).cast(),
            length,
            std::ptr::null_mut(),
        )
    };
    (status >= 0).then_some(counters)
}

fn counted(counters: &VmCounters, form: usize) -> Counted {
    let size = |size: usize| Some(Bytes(size as u64));
    Counted {
        working_set: size(counters.working_set),
        peak_working_set: size(counters.peak_working_set),
        private_working_set: size(counters.private_working_set).filter(|_| form == 0),
        private_usage: size(counters.private_usage).filter(|_| form <= 1),
        pagefile_usage: size(counters.pagefile_usage),
        peak_pagefile_usage: size(counters.peak_pagefile_usage),
        paged_pool: size(counters.paged_pool),
        nonpaged_pool: size(counters.nonpaged_pool),
        virtual_size: size(counters.virtual_size),
        page_faults: Some(u64::from(counters.page_faults)),
        handles: None,
        threads: None,
    }
}

/// The same by the documented call.
pub(super) fn memory_info(process: &Handle) -> Option<Counted> {
    let mut counters = PROCESS_MEMORY_COUNTERS_EX::default();
    let length = u32::try_from(size_of::<PROCESS_MEMORY_COUNTERS_EX>()).ok()?;
    // SAFETY: the structure is a local of the size that is told; the longer form begins as the shorter one does.
    let done = unsafe {
        GetProcessMemoryInfo(process.raw(), (&raw mut counters).cast::<PROCESS_MEMORY_COUNTERS>(), length)
    };
    let size = |size: usize| Some(Bytes(size as u64));
    (done != 0).then(|| Counted {
        working_set: size(counters.WorkingSetSize),
        peak_working_set: size(counters.PeakWorkingSetSize),
        private_usage: size(counters.PrivateUsage),
        pagefile_usage: size(counters.PagefileUsage),
        peak_pagefile_usage: size(counters.PeakPagefileUsage),
        paged_pool: size(counters.QuotaPagedPoolUsage),
        nonpaged_pool: size(counters.QuotaNonPagedPoolUsage),
        page_faults: Some(u64::from(counters.PageFaultCount)),
        ..Counted::default()
    })
}

/// Open handles.
pub(super) fn handles(process: &Handle) -> Option<u64> {
    let mut count = 0;
    // SAFETY: the number is written to a local.
    let done = unsafe { GetProcessHandleCount(process.raw(), &raw mut count) };
    (done != 0).then_some(u64::from(count))
}

/// When it started, in 100 ns since 1601.
pub(super) fn created(process: &Handle) -> Option<u64> {
    let mut times = [FILETIME::default(); 4];
    let [start, end, kernel, user] = &mut times;
    // SAFETY: four locals are written, each of the size that the call expects.
    let done = unsafe { GetProcessTimes(process.raw(), start, end, kernel, user) };
    (done != 0).then(|| ticks(times[0]))
}

/// Whether a process has ended. Its handle outlives it, and for a moment its counters do.
pub(super) fn has_ended(process: &Handle) -> bool {
    let mut code = 0;
    // SAFETY: the number is written to a local.
    let done = unsafe { GetExitCodeProcess(process.raw(), &raw mut code) };
    done != 0 && code != STILL_ACTIVE.cast_unsigned()
}

pub(super) fn ticks(time: FILETIME) -> u64 {
    u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)
}
