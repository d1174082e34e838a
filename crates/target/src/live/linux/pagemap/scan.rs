//! The `PAGEMAP_SCAN` call. Source: `include/uapi/linux/fs.h`, since Linux 6.7.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use residue_model::{Address, Range};

use super::{Run, STEP};

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// A page of a file: in a private mapping one that was never written.
pub(super) const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
/// The one page of zeros that stands for all memory that was only ever read: present, but nobody's.
pub(super) const ZERO: u64 = 1 << 5;
/// Guard pages without a region of their own: they look swapped out and hold nothing. Since Linux 6.16.
pub(super) const GUARD: u64 = 1 << 8;

impl PageRegion {
    /// Only where guards were asked for.
    pub(super) fn is_guard(&self) -> bool {
        self.categories & GUARD != 0
    }

    pub(super) fn run(&self) -> Run {
        Run {
            range: Range { start: Address(self.start), end: Address(self.end) },
            present: self.categories & PRESENT != 0,
            swapped: self.categories & SWAPPED != 0,
        }
    }
}

/// `struct pm_scan_arg`.
#[repr(C)]
pub(super) struct ScanRequest {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    pub(super) walk_end: u64,
    found: u64,
    found_length: u64,
    pub(super) max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    pub(super) return_mask: u64,
}

impl ScanRequest {
    pub(super) fn of(start: u64, end: u64, excluded: u64, found: &mut [PageRegion]) -> ScanRequest {
        ScanRequest {
            size: size_of::<ScanRequest>() as u64,
            flags: 0,
            start,
            end,
            walk_end: 0,
            found: found.as_mut_ptr() as u64,
            found_length: found.len() as u64,
            max_pages: STEP as u64,
            category_inverted: excluded,
            category_mask: excluded,
            category_anyof_mask: PRESENT | SWAPPED,
            return_mask: PRESENT | SWAPPED,
        }
    }
}

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl =
    ((3_u64 << 30) | ((size_of::<ScanRequest>() as u64) << 16) | 0x6610) as libc::Ioctl;

#[allow(unsafe_code)]
pub(super) fn scan(file: &File, request: &mut ScanRequest) -> io::Result<usize> {
    // SAFETY: the request has the layout and size it states; `found` points to `found_length` entries that the caller
    // holds mutably while this call runs, and the kernel writes nowhere else.
    let answer = unsafe { libc::ioctl(file.as_raw_fd(), PAGEMAP_SCAN, std::ptr::from_mut(request)) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}
