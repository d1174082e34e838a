//! The memory of a running process.

use std::io::{self, IoSliceMut};
use std::ops::ControlFlow;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use residue_model::{Address, Memory, ProcessId, Range, Visit};

use super::ProcDir;
use super::snapshot::{explain, identify};
use crate::{Error, Result};

/// Larger windows are not faster, and this one stays in the cache for whoever looks at it.
const WINDOW: usize = 1024 * 1024;

/// Reads a process while it runs, so that what is shown may change between two looks.
///
/// A page that cannot be read (a guard inside a writable region, a file cut behind its mapping) is left out, and so is
/// everything once the process has ended.
///
/// Ask only for what has been touched, where that is known: the kernel gives pages to shared memory that is read for the
/// first time, and a page that the program itself has to fill (`userfaultfd`) is waited for.
#[derive(Clone, Copy, Debug)]
pub struct ProcessMemory {
    pid: ProcessId,
    page_size_bytes: u64,
}

impl ProcessMemory {
    /// The memory of a process, if this reader may see it.
    ///
    /// # Errors
    /// When there is no such process, it has no memory, or the kernel refuses.
    pub fn open(proc_dir: &ProcDir, pid: ProcessId) -> Result<ProcessMemory> {
        let draft = identify(proc_dir, pid)?;
        // The right is asked for before the address is looked at, and at 0 nothing is mapped.
        match read_some(pid, 0, &mut [0]) {
            Err(error) if error.raw_os_error() != Some(libc::EFAULT) => {
                let error = Error::reading(format!("the memory of process {pid}"), error);
                Err(explain(error, &draft.process))
            }
            _ => Ok(ProcessMemory { pid, page_size_bytes: rustix::param::page_size() as u64 }),
        }
    }

    fn next_page(&self, at: u64) -> u64 {
        (at / self.page_size_bytes + 1).saturating_mul(self.page_size_bytes)
    }
}

impl Memory for ProcessMemory {
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let size = |at: u64| usize::try_from(range.end.0 - at).unwrap_or(WINDOW).min(WINDOW);
        let mut at = range.start.0;
        while at < range.end.0 {
            let wanted = size(at);
            if window.len() < wanted {
                window.resize(wanted, 0);
            }
            match read_some(self.pid, at, &mut window[..wanted]) {
                Ok(read @ 1..) => {
                    visit(Address(at), &window[..read])?;
                    at += read as u64;
                }
                Err(error) if is_over(&error) => break,
                // The kernel reads up to the page that fails: this one.
                _ => at = self.next_page(at),
            }
        }
        ControlFlow::Continue(())
    }

    /// Without a window: who follows pointers reads eight bytes at a time.
    fn read(&self, address: Address, into: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < into.len() {
            let Some(at) = address.0.checked_add(filled as u64) else { break };
            match read_some(self.pid, at, &mut into[filled..]) {
                Ok(read @ 1..) => filled += read,
                _ => break,
            }
        }
        filled
    }
}

/// Reads up to the first page that cannot be read.
///
/// A quarter faster than `/proc/PID/mem`, and unlike it never reads what the process itself may not: registers of a device
/// that change by being read.
pub(super) fn read_some(pid: ProcessId, at: u64, into: &mut [u8]) -> io::Result<usize> {
    let (Ok(base), Ok(number)) = (usize::try_from(at), i32::try_from(pid.0)) else {
        return Err(io::Error::from_raw_os_error(libc::EFAULT));
    };
    let remote = RemoteIoVec { base, len: into.len() };
    Ok(process_vm_readv(Pid::from_raw(number), &mut [IoSliceMut::new(into)], &[remote])?)
}

/// Whether nothing more can be read of the process, as opposed to one page of it.
fn is_over(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EPERM))
}
