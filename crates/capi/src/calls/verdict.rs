//! Is it leaking? A judgement on any series of sizes, or on the samples of a handle.

use std::sync::{Mutex, PoisonError};

use library::analysis::growth::History;
use library::model::{Bytes, Footprint, Process, Sample};

use crate::border::entry::entry;
use crate::border::error::{Failure, Result};
use crate::border::pointer::{place, value};
use crate::border::sized::Slot;
use crate::border::status::residue_status;
use crate::handle::process::residue_process;
use crate::shape::verdict::residue_verdict_result;

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
    use crate::shape::verdict::{RESIDUE_HAS_RATE, residue_verdict_kind};

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
}
