#![allow(unsafe_code, reason = "reads the processor's time stamp")]

use std::arch::x86_64::{_mm_lfence, _rdtsc};
use std::time::{Duration, Instant};

/// So long is measured before the first conversion; it is good to a ten-thousandth then.
const FIRST: Duration = Duration::from_millis(2);

/// The processor's time stamp. What is read from memory after this call is read after that time.
pub(crate) fn stamp() -> u64 {
    // SAFETY: both exist on every x86-64.
    unsafe {
        let time = _rdtsc();
        _mm_lfence();
        time
    }
}

/// Turns time stamps into time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    stamp: u64,
    at: Instant,
    per_second: f64,
}

impl Clock {
    /// Measures for a moment.
    pub(crate) fn start() -> Clock {
        let mut clock = Clock { stamp: stamp(), at: Instant::now(), per_second: 1e9 };
        while clock.at.elapsed() < FIRST {
            std::hint::spin_loop();
        }
        clock.refine();
        clock
    }

    /// Measures again, now over all the time since the start.
    pub(crate) fn refine(&mut self) {
        let (time, ticks) = (self.at.elapsed(), stamp().saturating_sub(self.stamp));
        if !time.is_zero() && ticks > 0 {
            self.per_second = ticks as f64 / time.as_secs_f64();
        }
    }

    /// So many ticks as time.
    pub(crate) fn time(&self, ticks: u64) -> Duration {
        Duration::try_from_secs_f64(ticks as f64 / self.per_second).unwrap_or(Duration::MAX)
    }

    /// So much time in ticks.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and is not negative"
    )]
    pub(crate) fn ticks(&self, time: Duration) -> u64 {
        (time.as_secs_f64() * self.per_second) as u64
    }

    /// A clock by which a tick is a nanosecond.
    #[cfg(test)]
    pub(crate) fn nanoseconds() -> Clock {
        Clock { stamp: 0, at: Instant::now(), per_second: 1e9 }
    }
}
