//! A judgement.

use library::analysis::growth::{History, Interval, Verdict, VerdictKind};
use library::model::Limits;

use crate::border::sized::Sized32;

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
    pub(crate) fn of(history: &History) -> residue_verdict_result {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_no_padding_and_the_size_that_it_always_had() {
        assert_eq!(size_of::<residue_verdict_result>(), residue_verdict_result::FIRST);
        assert_eq!(residue_verdict_result::FIRST, 2 * 4 + 7 * 8);
    }
}
