//! Writes a full minidump of a running process, which goes on afterwards.
//!
//! Windows does the writing, and holds the threads of the process meanwhile.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::time::{Duration, Instant};

use residue_model::{Bytes, Gap, ProcessId};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Diagnostics::Debug::{
    CancelCallback, MINIDUMP_CALLBACK_INFORMATION, MINIDUMP_CALLBACK_INPUT, MINIDUMP_CALLBACK_OUTPUT,
    MINIDUMP_TYPE, MiniDumpIgnoreInaccessibleMemory, MiniDumpWithFullMemory, MiniDumpWithFullMemoryInfo,
    MiniDumpWithHandleData, MiniDumpWithThreadInfo, MiniDumpWithUnloadedModules,
};

use super::Host;
use super::access::{Handle, Right};
use super::host::wine;
use super::process::{Depth, take};
use super::symbol;
use crate::live::output::{Draft, Place};
use crate::{DumpProgress, Dumped, Error, ErrorKind, Estimate, Result, open_dump};

/// How a minidump is written.
#[derive(Clone, Copy)]
pub struct DumpOptions<'a> {
    /// Compress it with zstd once the process runs again.
    pub compress: bool,
    /// Replace a file that is there.
    pub force: bool,
    /// Asked again and again: whether to stop. The process runs on and no file is left.
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Default for DumpOptions<'_> {
    fn default() -> Self {
        DumpOptions { compress: false, force: false, interrupted: &|| false }
    }
}

/// How fast memory goes into a file: a tenth of what disks of today take, for Windows copies in small pieces. Under Wine
/// every piece is a message to its server.
const WRITTEN_BYTES_A_SECOND: u64 = 100 << 20;

/// What a dump of this process would cost.
///
/// # Errors
/// When there is no such process, or it may not be asked.
pub fn estimate(_: &Host, pid: ProcessId, _: &DumpOptions<'_>) -> Result<Estimate> {
    let queried = take(pid, Depth::Ranges)?.queried;
    let committed =
        queried.iter().filter(|query| query.pages.is_committed() && query.pages.protection().read);
    let size: Bytes = committed.map(|query| query.range.size()).sum();
    let speed = if wine().is_some() { WRITTEN_BYTES_A_SECOND / 16 } else { WRITTEN_BYTES_A_SECOND };
    let stopped = Duration::from_millis(20) + Duration::from_secs_f64(size.0 as f64 / speed as f64);
    Ok(Estimate { size, stopped, staging: Bytes::ZERO })
}

/// Writes the full minidump of a process to a new file.
///
/// # Errors
/// When the process is gone or may not be read; when the file exists, does not fit or cannot be written; when the caller
/// asks to stop. In each case the process runs on as it did before, and no file is left.
pub fn dump(
    host: &Host,
    pid: ProcessId,
    options: &DumpOptions<'_>,
    path: &Path,
    progress: &mut dyn FnMut(DumpProgress),
) -> Result<Dumped> {
    if pid.0 == std::process::id() {
        return Err(Error::new(ErrorKind::Unsupported, "a process cannot stop itself to be read"));
    }
    let (handle, with_handles) = match Handle::open(pid, Right::Dump) {
        Ok(handle) => (handle, true),
        Err(_) => (Handle::open(pid, Right::Read)?, false),
    };
    let cost = estimate(host, pid, options)?;
    let place = Place::of(path, options.force, cost.size)?;
    progress(DumpProgress::Estimated(cost));
    let draft = place.draft()?;
    progress(DumpProgress::Stopped);
    let begun = Instant::now();
    write(&handle, pid, &draft, with_handles, options)?;
    let stopped = begun.elapsed();
    progress(DumpProgress::Resumed(stopped));
    let mut written = measure(&draft);
    written.gaps.extend(draft.exposed());
    if !with_handles {
        written.gaps.push(Gap::new("what its handles are of", "the right PROCESS_DUP_HANDLE is missing"));
    }
    let (file_size, taken) = if options.compress {
        place.take(compress(&place, &draft, options, progress)?)?
    } else {
        place.take(draft)?
    };
    Ok(Dumped { file_size, disk: taken, stopped, estimate: cost.stopped, ..written })
}

fn write(
    handle: &Handle,
    pid: ProcessId,
    draft: &Draft,
    with_handles: bool,
    options: &DumpOptions<'_>,
) -> Result<()> {
    // SAFETY: this is how `minidumpapiset.h` declares it.
    let write_dump: WriteDump = match symbol::load("dbghelp.dll", c"MiniDumpWriteDump") {
        Some(found) => unsafe { std::mem::transmute::<symbol::Symbol, WriteDump>(found) },
        None => {
            return Err(Error::new(ErrorKind::Unsupported, "this system has no dbghelp.dll")
                .help("it is part of every Windows but the smallest containers: dump on a fuller system"));
        }
    };
    let handles = if with_handles { MiniDumpWithHandleData } else { 0 };
    let kind = MiniDumpWithFullMemory
        | MiniDumpWithFullMemoryInfo
        | handles
        | MiniDumpWithThreadInfo
        | MiniDumpWithUnloadedModules
        | MiniDumpIgnoreInaccessibleMemory;
    let callback = MINIDUMP_CALLBACK_INFORMATION {
        CallbackRoutine: Some(asked),
        CallbackParam: std::ptr::from_ref(options).cast_mut().cast(),
    };
    // SAFETY: both handles are open for as long as the call runs; the callback is given the options, which outlive it.
    let done = unsafe {
        write_dump(
            handle.raw(),
            pid.0,
            draft.file.as_raw_handle(),
            kind,
            std::ptr::null(),
            std::ptr::null(),
            &raw const callback,
        )
    };
    if done != 0 {
        return Ok(());
    }
    let error = last_error();
    if (options.interrupted)() {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    Err(Error::writing(format!("the dump of process {pid}"), error)
        .help("has it ended meanwhile, or is the disk full? Nothing is left behind"))
}

/// `MiniDumpWriteDump` of `minidumpapiset.h`.
type WriteDump = unsafe extern "system" fn(
    HANDLE,
    u32,
    HANDLE,
    MINIDUMP_TYPE,
    *const core::ffi::c_void,
    *const core::ffi::c_void,
    *const MINIDUMP_CALLBACK_INFORMATION,
) -> i32;

/// The last error is an HRESULT here: those of the system carry its own number in their lower half.
fn last_error() -> io::Error {
    let error = io::Error::last_os_error();
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(code) if code >> 16 == 0x8007 => io::Error::from_raw_os_error((code & 0xffff).cast_signed()),
        _ => error,
    }
}

/// Says that we want to be asked whether to stop, and answers that. Everything else goes its way.
unsafe extern "system" fn asked(
    options: *mut core::ffi::c_void,
    input: *const MINIDUMP_CALLBACK_INPUT,
    output: *mut MINIDUMP_CALLBACK_OUTPUT,
) -> i32 {
    // SAFETY: the system gives back what it was given, an input that it filled, and an output for us to fill. The input
    // is packed, so it is read without a reference to it.
    unsafe {
        let options = &*options.cast::<DumpOptions<'_>>();
        let kind = (&raw const (*input).CallbackType).read_unaligned();
        if kind == u32::try_from(CancelCallback).unwrap_or_default() {
            let answer = &raw mut (*output).Anonymous.Anonymous2;
            (&raw mut (*answer).CheckCancel).write_unaligned(1);
            (&raw mut (*answer).Cancel).write_unaligned(i32::from((options.interrupted)()));
        }
    }
    1
}

/// What the file holds, read back from it. The process has been stopped for it: whatever we make of it, it stays.
fn measure(draft: &Draft) -> Dumped {
    let path = draft.path().map(|path| path.display().to_string()).unwrap_or_default();
    let snapshot = open_dump(&path, &mut |_, _| {}).and_then(|dump| dump.snapshot());
    let snapshot = match snapshot {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let gap = Gap::new("what the dump holds", format!("it cannot be read back: {error}"));
            return Dumped { gaps: vec![gap], ..Dumped::default() };
        }
    };
    let mut gaps = snapshot.gaps;
    gaps.retain(|gap| gap.what != "the list of regions");
    Dumped {
        saved: snapshot.dump.map(|dump| dump.saved).unwrap_or_default(),
        regions: snapshot.regions.len(),
        threads: snapshot.threads.len(),
        gaps,
        ..Dumped::default()
    }
}

fn compress(
    place: &Place,
    draft: &Draft,
    options: &DumpOptions<'_>,
    progress: &mut dyn FnMut(DumpProgress),
) -> Result<Draft> {
    let all = Bytes(draft.file.metadata().map_err(|error| place.failed(error))?.len());
    place.compress(&draft.file, &mut |done| {
        progress(DumpProgress::Compressed(done, all));
        if (options.interrupted)() { Err(Error::new(ErrorKind::Interrupted, "interrupted")) } else { Ok(()) }
    })
}
