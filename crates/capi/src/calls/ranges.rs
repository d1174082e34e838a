//! Free address space.

use crate::border::entry::entry;
use crate::border::pointer::{place, room, value};
use crate::border::status::residue_status;
use crate::handle::process::residue_process;
use crate::shape::range::{copy, residue_range};

/// The `capacity` largest free ranges, the largest first, of equal ones the lower first. Neighbours are one range.
///
/// `*count` is how many stand in `buffer`: fewer than `capacity` when there are fewer. Allocates nothing, but when
/// `capacity` is above 64 and above that of every call before. At most 65536 ranges are told.
///
/// Fails with `RESIDUE_ENDED` when the process has ended.
///
/// # Safety
/// `process` is open; `buffer` points to `capacity` ranges, or is null with a capacity of 0; `count` points to a number
/// that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_free_regions(
    process: *mut residue_process,
    buffer: *mut residue_range,
    capacity: usize,
    count: *mut usize,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, buffer) = unsafe { (value(process, "process")?, room(buffer, capacity, "buffer")?) };
        // SAFETY: as the caller promises.
        let count = unsafe { place(count, "count") }?;
        count.write(copy(process.lock()?.holes(buffer.len())?, buffer));
        Ok(residue_status::RESIDUE_OK)
    })
}

/// The largest free range, the lowest of several: nothing larger can be allocated in one piece. Allocates nothing.
///
/// A size of 0 says that nothing is free. Fails with `RESIDUE_ENDED` when the process has ended.
///
/// # Safety
/// `process` is open; `out` points to a range that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_largest_free(
    process: *mut residue_process,
    out: *mut residue_range,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, out) = unsafe { (value(process, "process")?, place(out, "out")?) };
        let mut watch = process.lock()?;
        out.write(watch.holes(1)?.first().map_or_else(residue_range::default, residue_range::from));
        Ok(residue_status::RESIDUE_OK)
    })
}
