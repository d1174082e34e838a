use std::ops::ControlFlow;

use residue_model::{Address, Memory, Pages, ProcessId, Range, Visit};
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;

use super::access::{Handle, Right};
use super::query::containing;
use crate::Result;

/// How much is copied at once.
const WINDOW: usize = 1024 * 1024;

/// The smallest page on every processor that Windows runs on.
const PAGE: u64 = 4096;

/// The memory of a process, as far as reading it changes nothing.
///
/// Guard pages are never read: the first touch, even by others, takes the guard away, and the stack behind it could not
/// grow any more.
pub struct ProcessMemory {
    process: Handle,
}

impl ProcessMemory {
    /// Asks for the right to read.
    ///
    /// # Errors
    /// When there is no such process or it may not be read.
    pub fn open(pid: ProcessId) -> Result<ProcessMemory> {
        Ok(ProcessMemory { process: Handle::open(pid, Right::Read)? })
    }

    fn copy(&self, address: Address, into: &mut [u8]) -> usize {
        let Ok(at) = usize::try_from(address.0) else { return 0 };
        let mut read = 0;
        // SAFETY: the buffer is as long as is told; the address is one of the other process and only looked up there.
        unsafe {
            ReadProcessMemory(
                self.process.raw(),
                at as *const _,
                into.as_mut_ptr().cast(),
                into.len(),
                &raw mut read,
            );
        }
        read.min(into.len())
    }
}

fn is_readable(pages: Pages) -> bool {
    pages.is_committed() && !pages.is_guard() && pages.protection().read
}

impl Memory for ProcessMemory {
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let mut at = range.start;
        while at < range.end {
            let Some(block) = containing(&self.process, at) else { break };
            if block.range.end <= at {
                break;
            }
            let part = Range { start: at, end: block.range.end.min(range.end) };
            if is_readable(block.pages) {
                self.walk_block(part, window, visit)?;
            }
            at = part.end;
        }
        ControlFlow::Continue(())
    }
}

impl ProcessMemory {
    fn walk_block(&self, block: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let mut at = block.start;
        while at < block.end {
            let wanted = usize::try_from(block.end.0 - at.0).unwrap_or(WINDOW).min(WINDOW);
            if window.len() < wanted {
                window.resize(wanted, 0);
            }
            match self.copy(at, &mut window[..wanted]) {
                // This page was freed meanwhile, lies behind the end of a mapped file, or its disk failed.
                0 => at = Address((at.0 / PAGE + 1).saturating_mul(PAGE)),
                read => {
                    visit(at, &window[..read])?;
                    at = Address(at.0 + read as u64);
                }
            }
        }
        ControlFlow::Continue(())
    }
}
