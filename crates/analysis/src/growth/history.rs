use residue_model::{Bytes, Limits, Process, Sample, Series};

use super::{Signal, Verdict, VerdictKind, judge};

/// The readings of a process over any length of time, in room that does not grow.
///
/// It looks back through several windows, each as coarse as it is long: some seconds, minutes, hours, days, months. A slow
/// leak shows in a long one only, and a leak that began an hour ago after a quiet month in a short one only. Taking a
/// reading allocates nothing.
#[derive(Clone, Debug)]
pub struct History {
    windows: [Window; STEPS.len()],
}

/// Seconds between two readings that a window keeps. With [`KEPT`] of them they look back 25 seconds, 4 and 40 minutes,
/// 8 hours, 5 and 64 days.
const STEPS: [f64; 6] = [0.1, 1.0, 10.0, 120.0, 1800.0, 21_600.0];

/// Readings that a window keeps at most.
const KEPT: usize = 256;

/// Readings without which there is nothing to judge.
const FEWEST: usize = 12;

/// A window that looks back less than this proves nothing of a process that is known for longer: whoever loads a file
/// grows for as long.
const SHORTEST_SECONDS: f64 = 240.0;

impl History {
    /// Of a process that has not been read yet.
    pub fn new(process: &Process, age_seconds: Option<f64>) -> History {
        let window = |step| {
            let samples = Vec::with_capacity(KEPT);
            Window {
                series: Series { process: process.clone(), age_seconds, samples, ended: false },
                step,
                has_forgotten: false,
            }
        };
        History { windows: STEPS.map(window) }
    }

    /// Takes a reading; says whether any window keeps it. Times must not go back.
    pub fn push(&mut self, sample: &Sample) -> bool {
        // Every window is asked: what a long one keeps, the short ones keep too.
        self.windows.iter_mut().fold(false, |is_kept, window| window.push(sample) | is_kept)
    }

    /// How many readings are there to judge.
    pub fn len(&self) -> usize {
        self.windows[0].series.samples.len()
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The judgement, and the readings that it rests on: those of the longest window that can be judged, or of a shorter
    /// one that shows a leak which the longer cannot show yet.
    pub fn judge(&self, limits: &Limits) -> (Verdict, &Series) {
        // Those above a window that has it all have less of the same.
        let whole = self.windows.iter().position(|window| !window.has_forgotten);
        let windows = &self.windows[..=whole.unwrap_or(STEPS.len() - 1)];
        let mut told: Option<(Verdict, &Series)> = None;
        for (at, window) in windows.iter().enumerate().rev().filter(|(_, window)| window.counts()) {
            let verdict = judge(&window.series, limits);
            let Some((longer, _)) = &told else {
                told = Some((verdict, &window.series));
                continue;
            };
            if stands_out(&verdict, longer) && window.breaks_new_ground(verdict.signal, &windows[at + 1..]) {
                told = Some((verdict, &window.series));
            }
        }
        told.unwrap_or_else(|| (judge(&self.windows[0].series, limits), &self.windows[0].series))
    }
}

/// A leak where a longer window shows none, or for certain a slower one.
fn stands_out(verdict: &Verdict, longer: &Verdict) -> bool {
    let is_faster = || verdict.rate.zip(longer.rate).is_some_and(|(now, before)| now.low > before.high);
    verdict.kind == VerdictKind::LikelyLeak && (longer.kind != VerdictKind::LikelyLeak || is_faster())
}

/// The past as far back as one step between readings reaches.
#[derive(Clone, Debug)]
struct Window {
    series: Series,
    step: f64,
    /// Older readings had to go.
    has_forgotten: bool,
}

impl Window {
    fn push(&mut self, sample: &Sample) -> bool {
        let samples = &mut self.series.samples;
        // A clock that is read as often as the step does not lose every second reading to a rounding.
        if samples.last().is_some_and(|last| sample.seconds - last.seconds < 0.95 * self.step) {
            return false;
        }
        if samples.len() == KEPT {
            let first = samples.remove(0);
            self.has_forgotten = true;
            if let Some(age) = &mut self.series.age_seconds {
                *age += samples[0].seconds - first.seconds;
            }
        }
        samples.push(sample.clone());
        true
    }

    /// Whether it has enough to be judged, and looks back far enough to prove anything.
    fn counts(&self) -> bool {
        let samples = &self.series.samples;
        let span =
            samples.last().zip(samples.first()).map_or(0.0, |(last, first)| last.seconds - first.seconds);
        samples.len() >= FEWEST && (!self.has_forgotten || span >= SHORTEST_SECONDS)
    }

    /// Whether most of its growth goes beyond all that was before it. What comes and goes, with the garbage collector or the
    /// time of the day, looks like a leak to whoever sees it come.
    fn breaks_new_ground(&self, signal: Signal, longer: &[Window]) -> bool {
        let samples = &self.series.samples;
        let ends = samples.first().zip(samples.last());
        let Some((begins, first, last)) =
            ends.and_then(|(first, last)| Some((first.seconds, signal.of(first)?, signal.of(last)?)))
        else {
            return false;
        };
        let before = longer.iter().flat_map(|window| &window.series.samples);
        let highest =
            before.filter(|sample| sample.seconds < begins).filter_map(|sample| signal.of(sample)).max();
        highest.is_none_or(|highest| last - highest >= Bytes((last - first).0 / 2) && last > highest)
    }
}

#[cfg(test)]
mod tests {
    use residue_model::Footprint;

    use super::*;

    const MIB: u64 = 1 << 20;
    const HOUR: u32 = 3600;
    const DAY: u32 = 24 * HOUR;

    fn sample(second: u32, bytes: u64) -> Sample {
        let footprint =
            Footprint { anon: Some(Bytes(bytes)), swap: Some(Bytes::ZERO), ..Footprint::default() };
        Sample { seconds: f64::from(second), footprint, ..Sample::default() }
    }

    /// A history fed once a `step` seconds from and to these seconds.
    fn feed(history: &mut History, from: u32, to: u32, step: usize, bytes: impl Fn(u32) -> u64) {
        for second in (from..to).step_by(step) {
            history.push(&sample(second, bytes(second)));
        }
    }

    fn kind(history: &History) -> VerdictKind {
        history.judge(&Limits::default()).0.kind
    }

    /// A service that samples for a month must not grow, and must still know how the month began.
    #[test]
    fn it_looks_back_a_month_in_room_that_does_not_grow() {
        let mut history = History::new(&Process::default(), None);
        let room = |history: &History| -> usize {
            history.windows.iter().map(|window| window.series.samples.capacity()).sum()
        };
        let before = room(&history);
        feed(&mut history, 0, 30 * DAY, 10, |_| 50 * MIB);
        assert_eq!(room(&history), before);
        let longest = &history.windows[STEPS.len() - 1].series.samples;
        assert!(longest[0].seconds.abs() < 1e-9 && longest.len() > 100, "{}", longest.len());
        assert_eq!(kind(&history), VerdictKind::Stable);
    }

    /// Judged by all of its life, whoever was quiet for a month could leak for days before it shows.
    #[test]
    fn a_leak_after_a_quiet_month_is_seen_within_minutes() {
        let mut history = History::new(&Process::default(), None);
        feed(&mut history, 0, 30 * DAY, 10, |_| 50 * MIB);
        let leak = |second: u32| 50 * MIB + u64::from(second - 30 * DAY) * 100 * MIB / u64::from(HOUR);
        let seen = (1..=60).find(|minute| {
            let (from, to) = (30 * DAY + (minute - 1) * 60, 30 * DAY + minute * 60);
            feed(&mut history, from, to, 1, leak);
            kind(&history) == VerdictKind::LikelyLeak
        });
        assert!(seen.is_some_and(|minutes| minutes <= 10), "{seen:?}");
        let rate = history.judge(&Limits::default()).0.rate.expect("a rate").estimate;
        assert!((rate / (100 * MIB) as f64 - 1.0).abs() < 0.2, "{rate}");
    }

    /// Too slow for minutes, plain in days: 20 MiB a day under 3 MiB of coming and going.
    #[test]
    fn a_slow_leak_is_seen_by_its_days() {
        let mut history = History::new(&Process::default(), None);
        let wave = |second: u32| u64::from(second / 600 % 4) * MIB;
        feed(&mut history, 0, 20 * DAY, 30, |second| {
            50 * MIB + u64::from(second) * 20 * MIB / u64::from(DAY) + wave(second)
        });
        let (verdict, series) = history.judge(&Limits::default());
        assert_eq!(verdict.kind, VerdictKind::LikelyLeak, "{verdict:?}");
        assert!(
            series.samples[series.samples.len() - 1].seconds - series.samples[0].seconds > f64::from(DAY)
        );
    }

    /// Whoever loads a file grows for as long as that takes, and has not begun to leak.
    #[test]
    fn a_short_rise_of_an_old_process_is_no_leak() {
        let mut history = History::new(&Process::default(), None);
        feed(&mut history, 0, DAY, 1, |_| 50 * MIB);
        feed(&mut history, DAY, DAY + 20, 1, |second| 50 * MIB + u64::from(second - DAY) * MIB);
        assert_ne!(kind(&history), VerdictKind::LikelyLeak);
    }

    /// A cache or a garbage collector: 20 minutes up, then down at once, all day. Whoever only sees the rise is misled.
    #[test]
    fn what_comes_and_goes_is_no_leak_while_it_comes() {
        let mut history = History::new(&Process::default(), None);
        let tooth = |second: u32| 50 * MIB + u64::from(second % 1200) * MIB / 12;
        feed(&mut history, 0, DAY, 1, tooth);
        for second in (DAY..DAY + 2400).step_by(60) {
            feed(&mut history, second, second + 60, 1, tooth);
            assert_ne!(kind(&history), VerdictKind::LikelyLeak, "{second}");
        }
    }

    /// The load of the day, for a week: it rises for hours.
    #[test]
    fn the_time_of_the_day_is_no_leak() {
        let mut history = History::new(&Process::default(), None);
        let load = |second: u32| 50 * MIB + u64::from((second % DAY).min(DAY - second % DAY)) * MIB / 400;
        feed(&mut history, 0, 7 * DAY, 10, load);
        for hour in 0..24 {
            feed(&mut history, 7 * DAY + hour * HOUR, 7 * DAY + (hour + 1) * HOUR, 10, load);
            assert_ne!(kind(&history), VerdictKind::LikelyLeak, "{hour}");
        }
    }

    /// An alarm for 100 MiB an hour must not sleep because it has leaked one for days.
    #[test]
    fn a_fast_leak_shows_behind_a_slow_one() {
        let mut history = History::new(&Process::default(), None);
        let slow = |second: u32| 50 * MIB + u64::from(second) * MIB / u64::from(HOUR);
        feed(&mut history, 0, 5 * DAY, 10, slow);
        assert_eq!(kind(&history), VerdictKind::LikelyLeak);
        let fast = |second: u32| slow(5 * DAY) + u64::from(second - 5 * DAY) * 500 * MIB / u64::from(HOUR);
        feed(&mut history, 5 * DAY, 5 * DAY + 1800, 1, fast);
        let rate = history.judge(&Limits::default()).0.rate.expect("a rate").estimate / MIB as f64;
        assert!((400.0..600.0).contains(&rate), "{rate}");
    }

    /// What was young when it was opened is not young after a month.
    #[test]
    fn a_window_that_forgets_grows_older() {
        let mut history = History::new(&Process::default(), Some(1.0));
        feed(&mut history, 0, HOUR, 1, |_| 50 * MIB);
        let Window { series, .. } = &history.windows[1];
        assert_eq!(series.age_seconds, Some(1.0 + series.samples[0].seconds));
    }

    #[test]
    fn a_young_process_is_judged_by_what_there_is() {
        let mut history = History::new(&Process::default(), None);
        assert!(history.is_empty() && kind(&history) == VerdictKind::Inconclusive);
        feed(&mut history, 0, 60, 1, |second| 50 * MIB + u64::from(second) * MIB);
        assert_eq!((kind(&history), history.len()), (VerdictKind::LikelyLeak, 60));
    }
}
