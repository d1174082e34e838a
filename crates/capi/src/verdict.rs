//! Is it leaking? A judgement on any series of sizes, or on the samples of a handle.

use std::sync::{Mutex, PoisonError};

use library::analysis::growth::{History, Interval, Verdict, VerdictKind};
use library::model::{Bytes, Footprint, Limits, Process, Sample};

use crate::entry::entry;
use crate::error::{Failure, Result};
use crate::pointer::{place, value};
use crate::process::residue_process;
use crate::sized::{Sized32, Slot};
use crate::status::residue_status;

/// Bit of `present` of a verdict: the three rates are known.
pub const RESIDUE_HAS_RATE: u64 = 1 << 0;
/// Bit of `present` of a verdict: `need_seconds` is known.
pub const RESIDUE_HAS_NEED: u64 = 1 << 1;

/// What kind of growth it is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum residue_verdict_kind {
    /// The evidence is too thin, or speaks for two things; also what this interface has no name for.
    #[default]
    RESIDUE_VERDICT_INCONCLUSIVE = 0,
    /// It grows steadily, and nothing speaks for another cause.
    RESIDUE_VERDICT_LIKELY_LEAK = 1,
    /// It grew once or a few times and stood still otherwise.
    RESIDUE_VERDICT_STEP = 2,
    /// It does not grow.
    RESIDUE_VERDICT_STABLE = 3,
    /// It shrinks.
    RESIDUE_VERDICT_SHRINKING = 4,
}

impl From<VerdictKind> for residue_verdict_kind {
    fn from(kind: VerdictKind) -> residue_verdict_kind {
        match kind {
            VerdictKind::LikelyLeak => residue_verdict_kind::RESIDUE_VERDICT_LIKELY_LEAK,
            VerdictKind::Step => residue_verdict_kind::RESIDUE_VERDICT_STEP,
            VerdictKind::Stable => residue_verdict_kind::RESIDUE_VERDICT_STABLE,
            VerdictKind::Shrinking => residue_verdict_kind::RESIDUE_VERDICT_SHRINKING,
            _ => residue_verdict_kind::RESIDUE_VERDICT_INCONCLUSIVE,
        }
    }
}

/// A judgement. Rates are in bytes an hour, negative when it shrinks.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct residue_verdict_result {
    /// `sizeof (struct residue_verdict_result)`; afterwards, how much of it was filled.
    pub size: u32,
    /// What kind of growth it is.
    pub kind: residue_verdict_kind,
    /// `RESIDUE_HAS_RATE`, `RESIDUE_HAS_NEED`.
    pub present: u64,
    /// How sure that is, 0 to 1, never 1.
    pub confidence: f64,
    /// The growth.
    pub rate_per_hour: f64,
    /// It is at least that, with 95 % probability...
    pub rate_low: f64,
    /// ...and at most that.
    pub rate_high: f64,
    /// How many seconds in all to watch to know more; only of what is inconclusive.
    pub need_seconds: f64,
    /// How many samples it rests on: the past is kept in windows of 256, the longer the coarser.
    pub samples: u64,
}

// SAFETY: two times 4 and 7 times 8 bytes without padding, the size first. It is only written to callers, so that nobody
// makes a kind of their bytes.
unsafe impl Sized32 for residue_verdict_result {
    const FIRST: usize = 64;
}

impl residue_verdict_result {
    fn of(history: &History) -> residue_verdict_result {
        let (verdict, series) = history.judge(&Limits::default());
        residue_verdict_result::told(&verdict, series.samples.len())
    }

    fn told(verdict: &Verdict, samples: usize) -> residue_verdict_result {
        let mut told = residue_verdict_result {
            kind: verdict.kind.into(),
            confidence: verdict.confidence,
            samples: samples as u64,
            ..residue_verdict_result::default()
        };
        if let Some(Interval { low, estimate, high }) = verdict.rate {
            (told.rate_low, told.rate_per_hour, told.rate_high) = (low, estimate, high);
            told.present |= RESIDUE_HAS_RATE;
        }
        if let Some(seconds) = verdict.need_seconds {
            told.need_seconds = seconds;
            told.present |= RESIDUE_HAS_NEED;
        }
        told
    }
}

/// A series of sizes that is judged. Any number of threads may use it: one call at a time works on it.
pub struct residue_verdict {
    feed: Mutex<Feed>,
}

struct Feed {
    history: History,
    last_seconds: f64,
}

/// More seconds than the universe has.
const FARTHEST_SECONDS: f64 = 1e18;

impl Feed {
    fn take(&mut self, seconds: f64, bytes: u64) -> Result<()> {
        // Not a number is never in order, and nobody counts seconds from before the first star.
        if seconds.is_nan() || seconds.abs() > FARTHEST_SECONDS || seconds < self.last_seconds {
            return Err(Failure::argument(format!(
                "{seconds} s is before the sample before, or no time at all"
            )));
        }
        self.last_seconds = seconds;
        let footprint =
            Footprint { anon: Some(Bytes(bytes)), swap: Some(Bytes::ZERO), ..Footprint::default() };
        self.history.push(&Sample { seconds, footprint, ..Sample::default() });
        Ok(())
    }
}

/// Begins a series. `*out` is to be closed with `residue_verdict_close`; null when it fails.
///
/// # Safety
/// `out` points to a pointer that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_verdict_open(out: *mut *mut residue_verdict) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { place(out, "out") }?;
        out.write(std::ptr::null_mut());
        let history = History::new(&Process::default(), None);
        let feed = Mutex::new(Feed { history, last_seconds: f64::NEG_INFINITY });
        out.write(Box::into_raw(Box::new(residue_verdict { feed })));
        Ok(residue_status::RESIDUE_OK)
    })
}

/// Adds a sample: a size in bytes and when it was measured, in seconds since any moment that stays the same. Allocates
/// nothing, however many there are.
///
/// Fails with `RESIDUE_BAD_ARGUMENT` when `seconds` is before the last one, or no number.
///
/// # Safety
/// `verdict` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_verdict_feed(
    verdict: *mut residue_verdict,
    seconds: f64,
    bytes: u64,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let verdict = unsafe { value(verdict, "verdict") }?;
        verdict.feed.lock().unwrap_or_else(PoisonError::into_inner).take(seconds, bytes)?;
        Ok(residue_status::RESIDUE_OK)
    })
}

/// Judges what was fed so far. It takes milliseconds and allocates meanwhile.
///
/// Too little to judge is no failure: the verdict is inconclusive, and `need_seconds` says how long to go on.
///
/// # Safety
/// `verdict` is open; `out` points to a `residue_verdict_result` with its `size` set, that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_verdict_read(
    verdict: *mut residue_verdict,
    out: *mut residue_verdict_result,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (verdict, slot) = unsafe { (value(verdict, "verdict")?, Slot::of(out, "out")?) };
        let feed = verdict.feed.lock().unwrap_or_else(PoisonError::into_inner);
        slot.fill(&residue_verdict_result::of(&feed.history));
        Ok(residue_status::RESIDUE_OK)
    })
}

/// Ends a series and frees what belongs to it. Null is fine. No other call may use it meanwhile or afterwards.
///
/// # Safety
/// `verdict` is null, or was opened by this library and has not been closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_verdict_close(verdict: *mut residue_verdict) {
    let _ = entry(|| {
        if !verdict.is_null() {
            // SAFETY: it came from `Box::into_raw`, and the caller promises that nobody uses it any more.
            drop(unsafe { Box::from_raw(verdict) });
        }
        Ok(residue_status::RESIDUE_OK)
    });
}

/// Judges the samples that a handle has taken so far, by private memory: on Windows the commit, on Linux anonymous memory
/// in RAM and swapped out. It takes milliseconds and allocates meanwhile. Other threads can use the handle meanwhile.
///
/// Samples that are seconds apart tell most: a judgement needs 12 over at least 8 seconds. Fails with
/// `RESIDUE_UNSUPPORTED` on a dump.
///
/// # Safety
/// `process` is open; `out` points to a `residue_verdict_result` with its `size` set, that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_verdict_of(
    process: *mut residue_process,
    out: *mut residue_verdict_result,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, slot) = unsafe { (value(process, "process")?, Slot::of(out, "out")?) };
        let history = {
            let watch = process.lock()?;
            if watch.source.is_dump() {
                return Err(Failure::unsupported("a dump is one moment: it does not grow"));
            }
            watch.history.clone()
        };
        slot.fill(&residue_verdict_result::of(&history));
        Ok(residue_status::RESIDUE_OK)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(bytes: impl Fn(u32) -> u64) -> residue_verdict_result {
        let history = History::new(&Process::default(), None);
        let mut feed = Feed { history, last_seconds: f64::NEG_INFINITY };
        for second in 0..120 {
            feed.take(f64::from(second), bytes(second)).expect("in order");
        }
        residue_verdict_result::of(&feed.history)
    }

    #[test]
    fn steady_growth_is_a_likely_leak_with_its_rate() {
        let result = fed(|second| (50 << 20) + (u64::from(second) << 20));
        assert_eq!(result.kind, residue_verdict_kind::RESIDUE_VERDICT_LIKELY_LEAK);
        assert_eq!((result.present, result.samples), (RESIDUE_HAS_RATE, 120));
        assert!((result.rate_per_hour / (3600.0 * 1_048_576.0) - 1.0).abs() < 0.01, "{result:?}");
        assert!(result.rate_low <= result.rate_per_hour && result.rate_per_hour <= result.rate_high);
    }

    #[test]
    fn what_stands_still_is_stable_and_time_does_not_run_back() {
        assert_eq!(fed(|_| 50 << 20).kind, residue_verdict_kind::RESIDUE_VERDICT_STABLE);
        let mut feed = Feed { history: History::new(&Process::default(), None), last_seconds: 3.0 };
        assert!(feed.take(2.0, 1).is_err());
        assert!(feed.take(f64::NAN, 1).is_err());
        assert!(feed.take(3.0, 1).is_ok());
    }

    #[test]
    fn it_has_no_padding_and_the_size_that_it_always_had() {
        assert_eq!(size_of::<residue_verdict_result>(), residue_verdict_result::FIRST);
        assert_eq!(residue_verdict_result::FIRST, 2 * 4 + 7 * 8);
    }
}
