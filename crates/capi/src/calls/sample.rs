//! Reading all counters, and the free ranges with them.

use crate::border::entry::entry;
use crate::border::pointer::{place, room, value};
use crate::border::sized::Slot;
use crate::border::status::residue_status;
use crate::handle::process::residue_process;
use crate::handle::watch::Taken;
use crate::shape::range::{copy, residue_range};
use crate::shape::sample::residue_sample;

/// Reads all counters. Alarms of the handle that this sets off are called before it returns.
///
/// Allocates nothing, but with `RESIDUE_DETAIL_FULL` and where an alarm for growth is due to be judged.
///
/// Fails with `RESIDUE_ENDED` when the process has ended; `out` is left as it was whenever it fails.
///
/// # Safety
/// `process` is open; `out` points to a `residue_sample` with its `size` set, that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_sample(
    process: *mut residue_process,
    out: *mut residue_sample,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, slot) = unsafe { (value(process, "process")?, Slot::of(out, "out")?) };
        let Taken { sample, due } = process.lock()?.take()?;
        slot.fill(&sample);
        due.call();
        Ok(residue_status::RESIDUE_OK)
    })
}

/// Reads all counters and the `capacity` largest free ranges, the largest first, in one walk: what a service calls that
/// watches its address space.
///
/// `*count` is how many ranges stand in `buffer`: fewer than `capacity` when there are fewer. Walks also when the handle
/// was opened with `RESIDUE_NO_REGIONS`. Allocates nothing, but as `residue_sample`, and when `capacity` is above 64 and
/// above that of every call before. At most 65536 ranges are told.
///
/// Fails as `residue_sample`.
///
/// # Safety
/// As for `residue_sample`; `buffer` points to `capacity` ranges, or is null with a capacity of 0; `count` points to a
/// number that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_sample_and_free(
    process: *mut residue_process,
    out: *mut residue_sample,
    buffer: *mut residue_range,
    capacity: usize,
    count: *mut usize,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, slot) = unsafe { (value(process, "process")?, Slot::of(out, "out")?) };
        // SAFETY: as the caller promises.
        let (buffer, count) = unsafe { (room(buffer, capacity, "buffer")?, place(count, "count")?) };
        let due = {
            let mut watch = process.lock()?;
            let (Taken { sample, due }, holes) = watch.take_with_holes(buffer.len())?;
            count.write(copy(holes, buffer));
            slot.fill(&sample);
            due
        };
        due.call();
        Ok(residue_status::RESIDUE_OK)
    })
}
