//! The regions of an address space, all of them or one by one.

use std::ffi::c_void;

use crate::border::entry::entry;
use crate::border::error::Failure;
use crate::border::pointer::{place, room, value};
use crate::border::status::residue_status;
use crate::handle::process::residue_process;
use crate::shape::region::{residue_region, residue_region_callback};

/// All regions, in order of address. Allocates nothing.
///
/// `*count` is how many there are. When there are more than `capacity`, the first of them stand in `buffer` and it gives
/// `RESIDUE_MORE`. A null buffer with a capacity of 0 only counts, and gives `RESIDUE_OK`.
///
/// A running process may map and unmap meanwhile: call again with room to spare. Fails with `RESIDUE_ENDED` when the
/// process has ended.
///
/// # Safety
/// `process` is open; `buffer` points to `capacity` regions, or is null with a capacity of 0; `count` points to a number
/// that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_regions(
    process: *mut residue_process,
    buffer: *mut residue_region,
    capacity: usize,
    count: *mut usize,
) -> residue_status {
    entry(|| {
        let only_counts = buffer.is_null();
        // SAFETY: as the caller promises.
        let (process, buffer) = unsafe { (value(process, "process")?, room(buffer, capacity, "buffer")?) };
        // SAFETY: as the caller promises.
        let count = unsafe { place(count, "count") }?;
        let mut seen = 0;
        process.lock()?.source.extents(&mut |extent| {
            if let Some(place) = buffer.get_mut(seen) {
                place.write(extent.into());
            }
            seen += 1;
        })?;
        count.write(seen);
        let is_whole = only_counts || seen <= buffer.len();
        Ok(if is_whole { residue_status::RESIDUE_OK } else { residue_status::RESIDUE_MORE })
    })
}

/// Shows all regions to a callback, in order of address, until it returns another number than 0. Allocates nothing.
///
/// The callback runs on the calling thread, and other threads wait for the handle meanwhile. A call of the library on the
/// same handle from the callback fails with `RESIDUE_BAD_ARGUMENT`. On another handle it works, unless another thread shows
/// the regions of that one to a callback that uses this one: then both wait for ever. `user` is handed through.
///
/// Fails with `RESIDUE_ENDED` when the process has ended.
///
/// # Safety
/// `process` is open, and `callback` neither closes it nor unwinds nor jumps out of its call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_regions_visit(
    process: *mut residue_process,
    callback: residue_region_callback,
    user: *mut c_void,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let process = unsafe { value(process, "process") }?;
        let null = || Failure::new(residue_status::RESIDUE_NULL_POINTER, "`callback` is null");
        let callback = callback.ok_or_else(null)?;
        let mut watch = process.lock()?;
        let _showing = process.showing();
        let mut is_stopped = false;
        watch.source.extents(&mut |extent| {
            if !is_stopped {
                let region = residue_region::from(extent);
                // SAFETY: the caller gave it for this, with this `user`; the region outlives the call.
                is_stopped = unsafe { callback(&raw const region, user) } != 0;
            }
        })?;
        Ok(residue_status::RESIDUE_OK)
    })
}
