//! Time as the processor counts it.

/// Now, as the processor's time stamp.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: every x86-64 has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
