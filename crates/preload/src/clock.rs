//! Time as the processor counts it.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

/// Not 0: the time stamp may not be read any more, and this is counted instead.
static COUNTED: AtomicU64 = AtomicU64::new(0);

/// Now, as the processor's time stamp.
#[inline(always)]
pub fn now() -> u64 {
    if COUNTED.load(Relaxed) != 0 {
        return COUNTED.fetch_add(1, Relaxed);
    }
    // SAFETY: every x86-64 has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// From now on time only counts events: a program in strict seccomp, or one that wishes it so, is ended by the kernel when
/// it reads the time stamp.
pub fn stop_reading() {
    let _ = COUNTED.compare_exchange(0, now(), Relaxed, Relaxed);
}
