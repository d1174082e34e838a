//! A threshold, and what is told when it is crossed.

use std::ffi::c_void;

use crate::border::sized::Sized32;

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
    /// once 16 more samples have been kept, and at most once in 5 seconds.
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
    pub(crate) fn of(number: u32) -> Option<residue_alarm_kind> {
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
