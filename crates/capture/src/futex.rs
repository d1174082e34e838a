use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::thread::futex::{Flags, Timespec, wait as futex_wait, wake as futex_wake};

/// Waits while a word of shared memory has a value, at most so long.
pub(crate) fn wait(word: &AtomicU32, value: u32, time: Duration) {
    let time = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // Whatever ends it: the caller looks anew.
    let _ = futex_wait(word, Flags::empty(), value, Some(&time));
}

/// Wakes all that wait at a word of shared memory.
pub(crate) fn wake(word: &AtomicU32) {
    // A word in a mapping of ours cannot be refused.
    let _ = futex_wake(word, Flags::empty(), i32::MAX.cast_unsigned());
}
