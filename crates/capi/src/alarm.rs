//! Thresholds that are checked on each sample, so that a service can report by itself.

use std::ffi::c_void;

use crate::alarms::{Alarm, User};
use crate::entry::entry;
use crate::error::{Failure, Result};
use crate::pointer::{place, value};
use crate::process::residue_process;
use crate::sized::{Sized32, taken};
use crate::status::residue_status;
use crate::watch::Watch;

/// What an alarm watches.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum residue_alarm_kind {
    /// The largest free range falls below the threshold, in bytes. Not with `RESIDUE_NO_REGIONS`.
    #[default]
    RESIDUE_ALARM_LARGEST_FREE_BELOW = 1,
    /// The private memory exceeds the threshold, in bytes: on Windows the commit, on Linux anonymous memory in RAM and
    /// swapped out.
    RESIDUE_ALARM_COMMIT_ABOVE = 2,
    /// The working set exceeds the threshold, in bytes.
    RESIDUE_ALARM_WORKING_SET_ABOVE = 3,
    /// The samples of the handle look like a leak that exceeds the threshold, in bytes an hour; 0 for any leak. Judged
    /// once 16 more samples have been kept, and at most once a second.
    RESIDUE_ALARM_GROWTH = 4,
}

/// An alarm to be set. Set all of it to 0 first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct residue_alarm {
    /// `sizeof (struct residue_alarm)`.
    pub size: u32,
    /// One of `enum residue_alarm_kind`.
    pub kind: u32,
    /// The threshold, in the unit that the kind says.
    pub threshold: u64,
    /// How far the value must be back on the good side of the threshold before the alarm can go off again, in the same
    /// unit; 0 for as soon as it is.
    pub hysteresis: u64,
}

// SAFETY: 4 + 4 + 8 + 8 bytes without padding, the size first, numbers only.
unsafe impl Sized32 for residue_alarm {
    const FIRST: usize = 24;
}

/// An alarm that goes off.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct residue_alarm_event {
    /// How much of it the library knows: what stands behind `size` bytes is not there.
    pub size: u32,
    /// The alarm, by the number that `residue_set_alarm` gave it.
    pub id: u32,
    /// What it watches.
    pub kind: residue_alarm_kind,
    /// 0.
    pub unused: u32,
    /// Its threshold.
    pub threshold: u64,
    /// The value that crossed it, in the same unit.
    pub value: u64,
    /// When that was, in seconds since the handle was opened.
    pub seconds: f64,
}

/// Is told of an alarm. The event is there until it returns.
pub type residue_alarm_callback =
    Option<unsafe extern "C" fn(event: *const residue_alarm_event, user: *mut c_void)>;

impl residue_alarm_kind {
    fn of(number: u32) -> Option<residue_alarm_kind> {
        use residue_alarm_kind::{
            RESIDUE_ALARM_COMMIT_ABOVE, RESIDUE_ALARM_GROWTH, RESIDUE_ALARM_LARGEST_FREE_BELOW,
            RESIDUE_ALARM_WORKING_SET_ABOVE,
        };
        let kinds = [
            RESIDUE_ALARM_LARGEST_FREE_BELOW,
            RESIDUE_ALARM_COMMIT_ABOVE,
            RESIDUE_ALARM_WORKING_SET_ABOVE,
            RESIDUE_ALARM_GROWTH,
        ];
        kinds.into_iter().find(|&kind| kind as u32 == number)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_have_no_padding_and_the_sizes_that_they_always_had() {
        assert_eq!(size_of::<residue_alarm>(), residue_alarm::FIRST);
        assert_eq!((size_of::<residue_alarm>(), size_of::<residue_alarm_event>()), (24, 40));
    }

    #[test]
    fn a_kind_that_is_none_is_none() {
        assert_eq!(residue_alarm_kind::of(4), Some(residue_alarm_kind::RESIDUE_ALARM_GROWTH));
        assert_eq!((residue_alarm_kind::of(0), residue_alarm_kind::of(5)), (None, None));
    }
}
