//! Thresholds that are checked on each sample, so that a service can report by itself.

use std::ffi::c_void;

use crate::border::entry::entry;
use crate::border::error::{Failure, Result};
use crate::border::pointer::{place, value};
use crate::border::sized::taken;
use crate::border::status::residue_status;
use crate::handle::alarms::{Alarm, User};
use crate::handle::process::residue_process;
use crate::handle::watch::Watch;
use crate::shape::alarm::{residue_alarm, residue_alarm_callback, residue_alarm_kind};

fn checked(number: u32, watch: &Watch) -> Result<residue_alarm_kind> {
    let kind = residue_alarm_kind::of(number);
    let kind = kind.ok_or_else(|| Failure::argument(format!("`alarm->kind` is {number}, which is none")))?;
    if watch.source.is_dump() {
        return Err(Failure::unsupported("a dump is one moment: nothing in it can go off"));
    }
    if kind == residue_alarm_kind::RESIDUE_ALARM_LARGEST_FREE_BELOW && !watch.walks() {
        let text =
            "samples of this handle do not look for free ranges: it was opened with RESIDUE_NO_REGIONS";
        return Err(Failure::argument(text));
    }
    Ok(kind)
}

/// Sets an alarm. It is checked on each sample that any of the calls `residue_sample...` takes of this handle, goes off
/// once when the value crosses the threshold, and can go off again when the value has been back.
///
/// The callback runs on the thread that takes the sample, when the sample stands in its caller's buffer and the handle is
/// not locked: it may call the library on the same handle, but not close that. It must not unwind or jump out of its call.
/// `user` is handed through. `*id` is the alarm's number for `residue_clear_alarm`; `id` may be null.
///
/// A value that the system does not give sets nothing off. At most 16 alarms stand on a handle at once: one more fails
/// with `RESIDUE_BAD_ARGUMENT`. Fails with `RESIDUE_UNSUPPORTED` on a dump.
///
/// # Safety
/// `process` is open; `alarm` points to a `residue_alarm`; `id` is null or points to a number that may be written.
/// `callback` and `user` stay valid until the handle is closed or, after `residue_clear_alarm`, every sample that was being
/// taken meanwhile is; samples may be taken by several threads, and then the callback runs on each of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_set_alarm(
    process: *mut residue_process,
    alarm: *const residue_alarm,
    callback: residue_alarm_callback,
    user: *mut c_void,
    id: *mut u32,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, alarm) = unsafe { (value(process, "process")?, taken(alarm, "alarm")?) };
        let null = || Failure::new(residue_status::RESIDUE_NULL_POINTER, "`callback` is null");
        let callback = callback.ok_or_else(null)?;
        let mut watch = process.lock()?;
        let kind = checked(alarm.kind, &watch)?;
        let residue_alarm { threshold, hysteresis, .. } = alarm;
        let number = watch.alarms.add(Alarm::new(kind, threshold, hysteresis, callback, User(user)))?;
        if !id.is_null() {
            // SAFETY: as the caller promises.
            unsafe { place(id, "id") }?.write(number);
        }
        Ok(residue_status::RESIDUE_OK)
    })
}

/// Takes an alarm away. A callback that is running on another thread, or about to, still does.
///
/// Fails with `RESIDUE_NOT_FOUND` when the handle has no alarm of that number.
///
/// # Safety
/// `process` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_clear_alarm(process: *mut residue_process, id: u32) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let process = unsafe { value(process, "process") }?;
        process.lock()?.alarms.remove(id)?;
        Ok(residue_status::RESIDUE_OK)
    })
}
