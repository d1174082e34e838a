//! The `PROCMAP_QUERY` call: one region as numbers, without a line of text to print and parse.
//!
//! Half the time of reading `maps`. Source: `include/uapi/linux/fs.h`, `struct procmap_query`, since Linux 6.11.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use residue_model::{Address, Backing, Extent, Protection, Range, State};

/// `struct procmap_query`.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    region_flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

const READABLE: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const EXECUTABLE: u64 = 1 << 2;
const SHARED: u64 = 1 << 3;
/// Asked: the region at the address, or the next one above.
const COVERING_OR_NEXT: u64 = 1 << 4;

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: libc::Ioctl =
    ((3_u64 << 30) | ((size_of::<Query>() as u64) << 16) | 0x6611) as libc::Ioctl;

/// The region at an address or the next one above; `None` above the last.
///
/// # Errors
/// `ESRCH` when the memory is gone, `ENOTTY` from a kernel that does not know the call.
#[allow(unsafe_code)]
pub(super) fn at_or_above(maps: &File, address: Address) -> io::Result<Option<Extent>> {
    let mut query = Query {
        size: size_of::<Query>() as u64,
        flags: COVERING_OR_NEXT,
        address: address.0,
        ..Query::default()
    };
    // SAFETY: the query has the layout and size that it states, lives until the call returns, and names no buffers of
    // its own (both sizes are 0), so the kernel writes nowhere else.
    let answer = unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY, &raw mut query) };
    if answer == 0 {
        return Ok(Some(extent(&query)));
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        error => Err(error),
    }
}

fn extent(query: &Query) -> Extent {
    let has = |bit| query.region_flags & bit != 0;
    let protection = Protection {
        read: has(READABLE),
        write: has(WRITABLE),
        execute: has(EXECUTABLE),
        shared: has(SHARED),
    };
    Extent {
        range: Range { start: Address(query.start), end: Address(query.end) },
        allocation_base: Address(query.start),
        state: if protection.is_none() { State::Reserved } else { State::Mapped },
        protection,
        backing: backing(query.inode, (query.device[0], query.device[1]), protection.shared),
        pages: None,
    }
}

/// What stands behind a region, as far as numbers tell: shared memory of every kind is a file of device 0:x.
pub(super) fn backing(inode: u64, (major, _): (u32, u32), shared: bool) -> Backing {
    match (inode != 0, shared) {
        (false, false) => Backing::PrivateAnonymous,
        (false, true) => Backing::SharedMemory,
        (true, true) if major == 0 => Backing::SharedMemory,
        (true, true) => Backing::SharedFile,
        (true, false) => Backing::PrivateFile,
    }
}
