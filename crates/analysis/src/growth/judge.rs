use residue_model::{Bytes, Limit, Limits, Sample, Series};
use serde::Serialize;

use super::curve::Curve;
use super::place::{Place, places};
use super::trend::median;
use super::{Interval, Trend, warmup};

/// Below these there is no judgement.
const FEWEST_POINTS: usize = 12;
const SHORTEST_SECONDS: f64 = 7.5;
/// What a first look is advised to take.
const FIRST_LOOK_SECONDS: f64 = 30.0;
/// Growth that an allocator shows when it takes its next piece is no growth of the program.
const LEAST_GROWTH: f64 = 256.0 * 1024.0;
/// A process that can grow no faster than this, or than a twentieth of itself an hour, is stable.
const STABLE_PER_HOUR: f64 = 16.0 * 1024.0 * 1024.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// What kind of growth it is, as far as this version can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerdictKind {
    /// It grows steadily, and nothing speaks for another cause.
    LikelyLeak,
    /// It grew once or a few times and stood still otherwise.
    Step,
    /// It does not grow.
    Stable,
    /// It shrinks.
    Shrinking,
    /// The evidence is too thin, or speaks for two things.
    Inconclusive,
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Private anonymous memory, in RAM or swapped out.
    PrivateAndSwap,
    /// Private memory of a Windows process, in RAM or page file.
    Commit,
    /// Resident shared memory: judged when private memory is not what grows.
    Shared,
}

impl Signal {
    /// What a sample has of it.
    pub(super) fn of(self, sample: &Sample) -> Option<Bytes> {
        match self {
            Signal::PrivateAndSwap | Signal::Commit => sample.footprint.private(),
            Signal::Shared => sample.footprint.shmem,
        }
    }
}

/// The judgement on one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What it is.
    pub kind: VerdictKind,
    /// How sure that is, 0 to 1. Never 1: another hour may show another thing.
    pub confidence: f64,
    /// What was judged.
    pub signal: Signal,
    /// Growth in bytes an hour, when there is a trend at all.
    pub rate: Option<Interval>,
    /// Which memory moves; `None` when regions could not be read.
    pub places: Option<Vec<Place>>,
    /// When it will meet a limit.
    pub forecast: Option<Forecast>,
    /// How long to watch to know more, in seconds; only when inconclusive.
    pub need_seconds: Option<f64>,
    /// What the verdict rests on.
    pub reasons: Vec<Reason>,
    /// The trend line over the judged part, for a plot: `(seconds, bytes)` at its ends.
    pub line: Option<[(f64, f64); 2]>,
    /// Seconds left out at the start as warm-up.
    pub warmup_seconds: f64,
    /// The process has ended: nothing more can be learned from it.
    pub ended: bool,
}

/// When growth meets a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Which limit.
    pub limit: Limit,
    /// The earliest, in seconds from the last sample.
    pub low_seconds: f64,
    /// The latest; `None` when growth may be too slow to ever get there.
    pub high_seconds: Option<f64>,
}

/// One piece of evidence behind a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the numbers that each line names")]
pub enum Reason {
    /// What was looked at.
    Evidence { samples: usize, seconds: f64, warmup_seconds: f64 },
    /// The signal could not be read.
    Unreadable,
    /// Too few samples or too short a time.
    Thin { samples: usize, seconds: f64 },
    /// Growth over the time, against the typical distance of a sample from the line.
    Rise { growth: f64, noise: f64 },
    /// The valleys rise too, in each third.
    ValleysRise,
    /// The valleys do not rise in each third: it comes and goes.
    ValleysFlat,
    /// It has not grown for so many seconds, longer than any pause before.
    Stopped { seconds: f64 },
    /// Growth gets slower: bytes an hour in the first and the last third.
    Slowing { first: f64, last: f64 },
    /// Most of the growth happened at one moment.
    Jump { bytes: f64, seconds: f64, share: f64 },
    /// It cannot have grown or shrunk faster than this, in bytes an hour.
    Bounded { rate: f64 },
    /// The samples scatter so much that growth and shrinking are both possible.
    Noisy { noise: f64 },
    /// It grows, but by less than an allocator takes at once.
    Slight { growth: f64 },
    /// The process is young, in seconds: a warm-up may look the same.
    Young { age: f64 },
    /// The time watched is short for such a verdict, in seconds.
    Short { seconds: f64 },
}

/// Judges a process by its private memory; by its shared memory where that is what grows.
pub fn judge(series: &Series, limits: &Limits) -> Verdict {
    let is_windows = series.samples.iter().any(|sample| sample.footprint.windows.is_some());
    let own = if is_windows { Signal::Commit } else { Signal::PrivateAndSwap };
    let private = Case::new(series, own).judge(limits);
    if private.kind == VerdictKind::LikelyLeak {
        return private;
    }
    let shared = Case::new(series, Signal::Shared).judge(limits);
    if shared.kind == VerdictKind::LikelyLeak { shared } else { private }
}

/// One signal of one process, while it is judged.
struct Case<'a> {
    series: &'a Series,
    signal: Signal,
    all: Vec<(f64, f64)>,
    warmup: usize,
    reasons: Vec<Reason>,
}

impl<'a> Case<'a> {
    fn new(series: &'a Series, signal: Signal) -> Case<'a> {
        let samples = series.samples.iter();
        let all: Vec<(f64, f64)> =
            samples.filter_map(|sample| Some((sample.seconds, signal.of(sample)?.0 as f64))).collect();
        let warmup = warmup::length(&all);
        Case { series, signal, all, warmup, reasons: Vec::new() }
    }

    fn kept(&self) -> &[(f64, f64)] {
        &self.all[self.warmup..]
    }

    fn curve(&self) -> Curve<'_> {
        Curve(self.kept())
    }

    fn seconds(&self) -> f64 {
        self.curve().seconds()
    }

    fn warmup_seconds(&self) -> f64 {
        match (self.all.first(), self.kept().first()) {
            (Some(first), Some(kept)) => kept.0 - first.0,
            _ => 0.0,
        }
    }

    fn judge(mut self, limits: &Limits) -> Verdict {
        if self.all.is_empty() {
            self.reasons.push(Reason::Unreadable);
            return self.inconclusive(None, FIRST_LOOK_SECONDS);
        }
        let (samples, seconds) = (self.kept().len(), self.seconds());
        let trend = Trend::of(self.kept());
        let Some(trend) = trend.filter(|_| samples >= FEWEST_POINTS && seconds >= SHORTEST_SECONDS) else {
            self.reasons.push(Reason::Thin { samples, seconds });
            return self.inconclusive(None, FIRST_LOOK_SECONDS.max(3.0 * seconds));
        };
        self.reasons.push(Reason::Evidence { samples, seconds, warmup_seconds: self.warmup_seconds() });
        if let Some(jump) = self.jump() {
            self.reasons.push(jump);
            return self.settled(VerdictKind::Step, trend);
        }
        let growth = trend.slope.estimate * seconds;
        let level = median(self.kept().iter().map(|point| point.1).collect());
        let material = growth.abs() >= LEAST_GROWTH.max(3.0 * trend.noise).max(0.002 * level);
        match trend.slope {
            Interval { low, .. } if low > 0.0 && material => self.rising(trend, growth, limits),
            Interval { high, .. } if high < 0.0 && material => self.settled(VerdictKind::Shrinking, trend),
            _ => self.flat(trend, growth, level),
        }
    }

    fn rising(mut self, trend: Trend, growth: f64, limits: &Limits) -> Verdict {
        let kept = self.kept();
        let risen = kept[kept.len() - 1].1 - kept[0].1;
        self.reasons.push(Reason::Rise { growth: risen, noise: trend.noise });
        if !self.curve().valleys_rise(growth) {
            self.reasons.push(Reason::ValleysFlat);
            let wait = 3.0 * self.seconds();
            return self.inconclusive(Some(trend), wait);
        }
        self.reasons.push(Reason::ValleysRise);
        if let Some(seconds) = self.curve().standstill(growth) {
            self.reasons.push(Reason::Stopped { seconds });
            let wait = 3.0 * self.seconds();
            return self.inconclusive(Some(trend), wait);
        }
        let (first, last) = self.curve().thirds();
        if last < 0.35 * first {
            self.reasons.push(Reason::Slowing { first: first * HOUR, last: last * HOUR });
            let wait = 3.0 * self.seconds();
            return self.inconclusive(Some(trend), wait);
        }
        let mut verdict = self.settled(VerdictKind::LikelyLeak, trend);
        verdict.forecast = forecast(trend.slope, limits);
        verdict
    }

    fn flat(mut self, trend: Trend, growth: f64, level: f64) -> Verdict {
        let Interval { low, high, .. } = trend.slope;
        let fastest = low.abs().max(high.abs()) * HOUR;
        if fastest <= STABLE_PER_HOUR.max(0.05 * level) {
            self.reasons.push(Reason::Bounded { rate: fastest });
            return self.settled(VerdictKind::Stable, trend);
        }
        let seconds = self.seconds();
        if low > 0.0 {
            self.reasons.push(Reason::Slight { growth });
            let wait = 4.0 * LEAST_GROWTH.max(3.0 * trend.noise) / trend.slope.estimate;
            return self.inconclusive(Some(trend), wait.max(2.0 * seconds));
        }
        self.reasons.push(Reason::Noisy { noise: trend.noise });
        // The interval of a slope narrows with the time to the power of 1.5.
        let wait = seconds * (fastest / STABLE_PER_HOUR.max(0.05 * level)).powf(2.0 / 3.0);
        self.inconclusive(Some(trend), wait.max(2.0 * seconds))
    }

    /// A jump that is larger than what an allocator takes at once.
    fn jump(&self) -> Option<Reason> {
        let jump = self.curve().jump().filter(|jump| jump.bytes >= LEAST_GROWTH)?;
        Some(Reason::Jump { bytes: jump.bytes, seconds: jump.seconds, share: jump.share })
    }

    fn settled(mut self, kind: VerdictKind, trend: Trend) -> Verdict {
        let seconds = self.seconds();
        let mut confidence = 0.5 + 0.45 * (seconds / 600.0).min(1.0).sqrt();
        if kind == VerdictKind::LikelyLeak {
            if let Some(age) = self.series.age_seconds.filter(|&age| age < 2.0 * seconds.max(60.0)) {
                self.reasons.push(Reason::Young { age });
                confidence *= 0.9;
            }
            if seconds < 120.0 {
                self.reasons.push(Reason::Short { seconds });
            }
        }
        self.verdict(kind, confidence, Some(trend), None)
    }

    fn inconclusive(self, trend: Option<Trend>, need: f64) -> Verdict {
        let need = need.clamp(FIRST_LOOK_SECONDS, DAY);
        self.verdict(VerdictKind::Inconclusive, 0.0, trend, Some(need))
    }

    fn verdict(
        self,
        kind: VerdictKind,
        confidence: f64,
        trend: Option<Trend>,
        need_seconds: Option<f64>,
    ) -> Verdict {
        let warmup_seconds = self.warmup_seconds();
        let ends = || Some([self.kept().first()?.0, self.kept().last()?.0]);
        let line = trend.zip(ends()).map(|(trend, ends)| ends.map(|seconds| (seconds, trend.at(seconds))));
        let from = self.kept().first().map_or(0.0, |point| point.0);
        Verdict {
            kind,
            confidence,
            signal: self.signal,
            rate: trend.map(|trend| trend.slope.scaled(HOUR)),
            places: places(self.series, self.signal, from),
            forecast: None,
            need_seconds,
            reasons: self.reasons,
            line,
            warmup_seconds,
            ended: self.series.ended,
        }
    }
}

/// The limit that growth meets first, if that is within a month.
fn forecast(slope: Interval, limits: &Limits) -> Option<Forecast> {
    let eta = |limit: &Limit| {
        let headroom = limit.headroom()?.0 as f64;
        let low_seconds = headroom / slope.high;
        let high_seconds = (slope.low > 0.0).then(|| headroom / slope.low);
        (low_seconds < 30.0 * DAY).then(|| Forecast { limit: limit.clone(), low_seconds, high_seconds })
    };
    let forecasts = limits.memory.iter().filter(|limit| limit.limit > Bytes::ZERO).filter_map(eta);
    forecasts.min_by(|a, b| a.low_seconds.total_cmp(&b.low_seconds))
}

#[cfg(test)]
mod tests {
    use residue_model::{Footprint, LimitKind};

    use super::*;

    const MIB: f64 = 1024.0 * 1024.0;

    fn series(seconds: u32, value: impl Fn(f64) -> f64) -> Series {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "test values are small and positive"
        )]
        let sample = |second: u32| Sample {
            seconds: f64::from(second),
            footprint: Footprint {
                anon: Some(Bytes(value(f64::from(second)) as u64)),
                swap: Some(Bytes::ZERO),
                shmem: Some(Bytes::ZERO),
                ..Footprint::default()
            },
            ..Sample::default()
        };
        Series { samples: (0..seconds).map(sample).collect(), age_seconds: Some(9000.0), ..Series::default() }
    }

    fn kind(series: &Series) -> VerdictKind {
        judge(series, &Limits::default()).kind
    }

    #[test]
    fn steady_growth_is_a_likely_leak_with_its_rate() {
        let verdict = judge(&series(120, |t| 50.0 * MIB + t * 0.1 * MIB), &Limits::default());
        assert_eq!(verdict.kind, VerdictKind::LikelyLeak);
        let rate = verdict.rate.expect("a trend");
        assert!((rate.estimate / (360.0 * MIB) - 1.0).abs() < 0.01, "{rate:?}");
    }

    #[test]
    fn growth_that_moves_to_swap_is_still_growth() {
        let mut series = series(120, |_| 50.0 * MIB);
        for sample in &mut series.samples {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let swapped = Bytes((sample.seconds * 0.1 * MIB) as u64);
            sample.footprint.swap = Some(swapped);
        }
        assert_eq!(kind(&series), VerdictKind::LikelyLeak);
    }

    #[test]
    fn a_resident_set_that_grows_by_files_is_no_leak() {
        let mut series = series(120, |_| 50.0 * MIB);
        for sample in &mut series.samples {
            sample.footprint.rss = Some(Bytes::mib(100 + sample.seconds.to_bits() % 7));
        }
        assert_eq!(kind(&series), VerdictKind::Stable);
    }

    #[test]
    fn legitimate_shapes_are_not_called_leaks() {
        assert_eq!(kind(&series(120, |_| 50.0 * MIB)), VerdictKind::Stable);
        assert_eq!(kind(&series(120, |t| if t < 60.0 { 50.0 * MIB } else { 90.0 * MIB })), VerdictKind::Step);
        assert_eq!(kind(&series(120, |t| 90.0 * MIB - t * 0.2 * MIB)), VerdictKind::Shrinking);
        let filling = series(240, |t| 50.0 * MIB + 40.0 * MIB * (1.0 - (-t / 60.0).exp()));
        assert_eq!(kind(&filling), VerdictKind::Inconclusive);
        let warmed = series(240, |t| 50.0 * MIB + (t * MIB).min(40.0 * MIB));
        assert_eq!(kind(&warmed), VerdictKind::Stable);
        let sawtooth = series(240, |t| 50.0 * MIB + (t % 40.0) * 0.5 * MIB);
        assert!(matches!(kind(&sawtooth), VerdictKind::Inconclusive | VerdictKind::Stable));
    }

    #[test]
    fn growth_that_has_stopped_is_no_leak_but_a_staircase_is() {
        let stopped = series(60, |t| 50.0 * MIB + t.min(42.0) * 5.0 * MIB);
        assert_eq!(kind(&stopped), VerdictKind::Inconclusive);
        let stairs = series(120, |t| 50.0 * MIB + (t / 10.0).floor() * 5.0 * MIB);
        assert_eq!(kind(&stairs), VerdictKind::LikelyLeak);
    }

    #[test]
    fn thin_evidence_says_how_long_to_wait() {
        let verdict = judge(&series(5, |t| t * MIB), &Limits::default());
        assert_eq!(verdict.kind, VerdictKind::Inconclusive);
        assert!(verdict.need_seconds.is_some_and(|wait| wait >= 30.0));
        assert_eq!(verdict.reasons, [Reason::Thin { samples: 5, seconds: 4.0 }]);
        let nothing = judge(&Series::default(), &Limits::default());
        assert_eq!(nothing.reasons, [Reason::Unreadable]);
    }

    #[test]
    fn shared_memory_that_grows_is_found_when_private_memory_stands_still() {
        let mut series = series(120, |_| 50.0 * MIB);
        for sample in &mut series.samples {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let shared = Bytes((sample.seconds * MIB) as u64);
            sample.footprint.shmem = Some(shared);
        }
        let verdict = judge(&series, &Limits::default());
        assert_eq!((verdict.kind, verdict.signal), (VerdictKind::LikelyLeak, Signal::Shared));
    }

    #[test]
    fn the_forecast_is_an_interval_to_the_nearest_limit() {
        let limit = |kind, mib, used| Limit {
            kind,
            limit: Bytes::mib(mib),
            used: Some(Bytes::mib(used)),
            source: String::new(),
        };
        let limits = Limits {
            memory: vec![limit(LimitKind::Machine, 9000, 100), limit(LimitKind::Cgroup, 512, 212)],
            max_map_count: None,
        };
        let verdict =
            judge(&series(120, |t| 50.0 * MIB + t * 0.1 * MIB + (t * 7.0) % 5.0 * 0.01 * MIB), &limits);
        let forecast = verdict.forecast.expect("it grows");
        assert_eq!(forecast.limit.kind, LimitKind::Cgroup);
        let high = forecast.high_seconds.expect("it surely grows");
        assert!(forecast.low_seconds <= 3000.0 && 3000.0 <= high * 1.001, "{forecast:?}");
    }

    #[test]
    fn a_young_process_is_judged_with_less_confidence() {
        let old = series(120, |t| 50.0 * MIB + t * 0.1 * MIB);
        let young = Series { age_seconds: Some(3.0), ..old.clone() };
        let confidence = |series| judge(series, &Limits::default()).confidence;
        assert!(confidence(&young) < confidence(&old));
    }
}
