//! The address space summed by what it is used for.

use crate::border::entry::entry;
use crate::border::pointer::{place, room, value};
use crate::border::status::residue_status;
use crate::handle::process::residue_process;
use crate::shape::row::residue_summary_row;

/// The address space by what it is used for (heaps, stacks, programs, files), most address space first.
///
/// `*count` is how many rows there are, at most some 40. When there are more than `capacity`, the first of them stand in
/// `rows` and it gives `RESIDUE_MORE`. Null rows with a capacity of 0 only count, and give `RESIDUE_OK`.
///
/// This understands every region: it takes milliseconds, allocates meanwhile, and frees that before it returns. Other
/// threads can use the handle meanwhile. Fails with `RESIDUE_ENDED` when the process has ended, `RESIDUE_DENIED` when
/// more of it would have to be read than may be.
///
/// # Safety
/// `process` is open; `rows` points to `capacity` rows, or is null with a capacity of 0; `count` points to a number that
/// may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_summary(
    process: *mut residue_process,
    rows: *mut residue_summary_row,
    capacity: usize,
    count: *mut usize,
) -> residue_status {
    entry(|| {
        let only_counts = rows.is_null();
        // SAFETY: as the caller promises.
        let (process, rows) = unsafe { (value(process, "process")?, room(rows, capacity, "rows")?) };
        // SAFETY: as the caller promises.
        let count = unsafe { place(count, "count") }?;
        let subject = process.lock()?.source.subject();
        let map = subject.map()?;
        let sums = &map.summary.by_usage;
        for (place, sum) in rows.iter_mut().zip(sums) {
            place.write(sum.into());
        }
        count.write(sums.len());
        let is_whole = only_counts || sums.len() <= rows.len();
        Ok(if is_whole { residue_status::RESIDUE_OK } else { residue_status::RESIDUE_MORE })
    })
}
