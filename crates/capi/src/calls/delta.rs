//! What changed since the last sample.

use crate::border::entry::entry;
use crate::border::pointer::value;
use crate::border::sized::Slot;
use crate::border::status::residue_status;
use crate::handle::process::residue_process;
use crate::shape::delta::residue_delta;

/// Takes a sample and tells how it differs from the last one of this handle, whichever call took that.
///
/// The first sample of a handle differs from nothing: `present` is 0. Otherwise as `residue_sample`.
///
/// # Safety
/// `process` is open; `out` points to a `residue_delta` with its `size` set, that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_sample_delta(
    process: *mut residue_process,
    out: *mut residue_delta,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, slot) = unsafe { (value(process, "process")?, Slot::of(out, "out")?) };
        let (before, taken) = {
            let mut watch = process.lock()?;
            (watch.previous, watch.take()?)
        };
        let delta = before.map(|before| residue_delta::between(&before, &taken.sample));
        slot.fill(&delta.unwrap_or_default());
        taken.due.call();
        Ok(residue_status::RESIDUE_OK)
    })
}
