use std::time::Duration;

use residue_model::recording::Ages;
use serde::Serialize;

use crate::growth::{Curve, Interval, Trend};

/// How what a site holds went over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// It goes on growing to the end, as steadily as it began, and keeps what it has.
    Leak,
    /// It grows, but too little was seen to tell what that becomes, or what it holds comes and goes.
    Growing,
    /// It grew more and more slowly, or to a limit that it keeps to.
    #[serde(rename = "cache_fill")]
    Filling,
    /// It does not grow: it came at once, or comes and goes around a level.
    #[default]
    Steady,
    /// It held much for a while, and gave most of it back.
    Burst,
    /// It was not there for long enough.
    #[serde(rename = "too_short")]
    Short,
}

impl Shape {
    /// Its name in documents.
    pub const fn key(self) -> &'static str {
        match self {
            Shape::Leak => "leak",
            Shape::Growing => "growing",
            Shape::Filling => "cache_fill",
            Shape::Steady => "steady",
            Shape::Burst => "burst",
            Shape::Short => "too_short",
        }
    }

    /// Whether it grew to the end.
    pub const fn grows(self) -> bool {
        matches!(self, Shape::Leak | Shape::Growing)
    }
}

/// The shape of a site's growth, and the numbers that it rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Growth {
    /// What it looks like.
    pub shape: Shape,
    /// From the first to the last moment that was judged.
    pub net: i64,
    /// Bytes an hour, of what rises.
    pub rate: Option<Interval>,
    /// In how many slots of the timeline it rose.
    pub rises: u32,
    /// For how long it was judged: from its first block on, without the program's own cleaning up at its end.
    pub span: Duration,
    /// Bytes an hour in the first and in the last third, of what rises.
    pub thirds: Option<(f64, f64)>,
    /// For how long it had not risen any more at the end, where that is longer than any pause before.
    pub still_for: Option<Duration>,
    /// The part of what it held some time before the end that was still there at the end, 0 to 1: near 1 nothing old is
    /// ever freed. None where ages are not known.
    pub kept: Option<f64>,
    /// It was given back when the program ended: judged is what was before.
    pub freed_at_end: bool,
}

/// Fewer slots tell no shape.
const FEWEST_SLOTS: usize = 8;
/// Fewer rises are little evidence that it goes on.
const FEWEST_RISES: u32 = 12;
/// A program that ran for less says nothing of what goes on.
const SHORTEST: f64 = 1.0;
/// A trend takes the time of points squared: so many show any shape.
const MOST_POINTS: usize = 96;
/// By so much a filling cache has to fit better than a straight line (difference of Akaike's criterion).
const CLEARLY_BETTER: f64 = 10.0;
const HOUR: f64 = 3600.0;

impl Growth {
    /// Judges bytes at the end of each slot of a timeline.
    pub fn of(held: &[u64], slot: Duration, recorded: Duration, ages: &Ages) -> Growth {
        let first = held.iter().position(|&bytes| bytes > 0).unwrap_or(held.len());
        let (until, freed_at_end) = without_cleaning(held);
        // What was before the first block is nothing, and known.
        let begin = first.saturating_sub(1);
        let judged = held.get(begin..until).unwrap_or_default();
        let seconds = |index: usize| {
            (slot * u32::try_from(begin + index + 1).unwrap_or(u32::MAX)).min(recorded).as_secs_f64()
        };
        let points: Vec<(f64, f64)> =
            judged.iter().enumerate().map(|(index, &bytes)| (seconds(index), bytes as f64)).collect();
        let (least, most) = (judged.first().copied().unwrap_or(0), judged.last().copied().unwrap_or(0));
        let mut growth = Growth {
            net: i64::try_from(most).unwrap_or(i64::MAX) - i64::try_from(least).unwrap_or(i64::MAX),
            rises: u32::try_from(judged.windows(2).filter(|pair| pair[1] > pair[0]).count())
                .unwrap_or(u32::MAX),
            span: Duration::from_secs_f64(Curve(&points).seconds()),
            freed_at_end,
            ..Growth::default()
        };
        if !freed_at_end {
            growth.kept = kept(held, slot, recorded, ages);
        }
        growth.shape = growth.judge(&thin(points));
        growth
    }

    fn judge(&mut self, points: &[(f64, f64)]) -> Shape {
        let curve = Curve(points);
        let top = points.iter().map(|point| point.1).fold(0.0, f64::max);
        let Some(last) = points.last().filter(|_| top > 0.0) else { return Shape::Steady };
        if points.len() < FEWEST_SLOTS {
            return Shape::Short;
        }
        if last.1 < 0.5 * top {
            let high = points.iter().filter(|point| point.1 > 0.5 * top).count();
            return if high * 2 < points.len() { Shape::Burst } else { Shape::Steady };
        }
        let net = self.net as f64;
        if net <= 0.0 || curve.jump().is_some() {
            return Shape::Steady;
        }
        if let Some(seconds) = curve.standstill(net) {
            self.still_for = Some(Duration::from_secs_f64(seconds));
            // What is set up at the start and stays is no cache, nor is what comes and goes.
            let since = points.iter().filter(|point| point.0 >= last.0 - seconds).map(|point| point.1);
            let is_full = since.fold(f64::INFINITY, f64::min) > 0.6 * top;
            let climbed = curve.seconds() - seconds;
            return if is_full && climbed > 0.1 * curve.seconds() { Shape::Filling } else { Shape::Steady };
        }
        if !curve.valleys_rise(net) {
            return Shape::Steady;
        }
        self.rise(curve)
    }

    /// What grew to the end.
    fn rise(&mut self, curve: Curve<'_>) -> Shape {
        let trend = Trend::of(curve.0);
        self.rate = trend.map(|trend| trend.slope.scaled(HOUR));
        let (first, last) = curve.thirds();
        self.thirds = Some((first * HOUR, last * HOUR));
        if last < 0.5 * first && saturation(curve.0) > CLEARLY_BETTER {
            return Shape::Filling;
        }
        let is_sure = trend.is_some_and(|trend| trend.slope.low > 0.0)
            && self.rises >= FEWEST_RISES
            && curve.seconds() >= SHORTEST
            && last >= 0.35 * first
            && self.kept.is_none_or(|kept| kept > 0.5);
        if is_sure { Shape::Leak } else { Shape::Growing }
    }
}

/// Up to where the program worked, and whether it then gave back what it held. Programs that end clean up: what grew for
/// hours and was freed in the last moment grew for hours.
fn without_cleaning(held: &[u64]) -> (usize, bool) {
    let most = (held.len() / 20).max(2);
    let top = held.iter().copied().max().unwrap_or(0);
    let fallen = held.iter().rev().take_while(|&&bytes| bytes < top / 2).count();
    let before = held.len() - fallen;
    let is_cleaning = fallen > 0 && fallen <= most && before > most && held[before - 1] >= top / 2;
    if is_cleaning { (before, true) } else { (held.len(), false) }
}

/// What of the bytes that stood a tenth of the time before the end stands still.
fn kept(held: &[u64], slot: Duration, recorded: Duration, ages: &Ages) -> Option<f64> {
    let late = recorded / 10;
    let index = usize::try_from(recorded.saturating_sub(late).as_nanos() / slot.as_nanos().max(1)).ok()?;
    let then = *held.get(index.checked_sub(1)?)?;
    let (_, old) = ages.older_than(late);
    (!ages.0.is_empty() && then > 0).then(|| (old.0 as f64 / then as f64).min(1.0))
}

fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points;
    }
    let last = points.len() - 1;
    (0..MOST_POINTS).map(|index| points[index * last / (MOST_POINTS - 1)]).collect()
}

/// How much better a curve that levels off fits than a straight line: the difference of the corrected Akaike criterion,
/// above 0 for the curve. It may take any time to level off, up to twice the time seen.
fn saturation(points: &[(f64, f64)]) -> f64 {
    let seconds = Curve(points).seconds();
    let start = points.first().map_or(0.0, |point| point.0);
    let level = points.iter().map(|point| point.1.abs()).fold(0.0, f64::max);
    // Recorded sums have no noise: without a floor, the smallest bend would decide.
    let floor = points.len() as f64 * (0.005 * level).powi(2);
    let line = error(points, |time| time - start) + floor;
    let levels_off = |times: f64| error(points, |time| 1.0 - (-(time - start) / (seconds * times)).exp());
    let curve = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0].map(levels_off);
    let curve = curve.into_iter().fold(f64::INFINITY, f64::min) + floor;
    akaike(line, points.len(), 3.0) - akaike(curve, points.len(), 4.0)
}

fn akaike(error: f64, count: usize, parameters: f64) -> f64 {
    let n = count as f64;
    let correction = 2.0 * parameters * (parameters + 1.0) / (n - parameters - 1.0).max(1.0);
    n * (error.max(f64::MIN_POSITIVE) / n).ln() + 2.0 * parameters + correction
}

/// The sum of squares that the best `a + b * shape(time)` leaves.
fn error(points: &[(f64, f64)], shape: impl Fn(f64) -> f64) -> f64 {
    let n = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|point| shape(point.0)), mean(&|point| point.1));
    let spread: f64 = points.iter().map(|point| (shape(point.0) - x).powi(2)).sum();
    let common: f64 = points.iter().map(|point| (shape(point.0) - x) * (point.1 - y)).sum();
    let slope = if spread > 0.0 { common / spread } else { 0.0 };
    points.iter().map(|point| (point.1 - y - slope * (shape(point.0) - x)).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use residue_model::Bytes;

    use super::*;

    const SLOT: Duration = Duration::from_millis(100);
    const SLOTS: u32 = 200;

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    fn judged(held: impl Fn(f64) -> f64) -> Growth {
        let held: Vec<u64> =
            (1..=SLOTS).map(|slot| held(f64::from(slot) / f64::from(SLOTS)) as u64).collect();
        Growth::of(&held, SLOT, SLOT * SLOTS, &Ages::default())
    }

    fn shape(held: impl Fn(f64) -> f64) -> Shape {
        judged(held).shape
    }

    const MIB: f64 = 1024.0 * 1024.0;

    #[test]
    fn what_grows_to_the_end_is_a_leak_with_its_rate() {
        let growth = judged(|time| time * MIB);
        assert_eq!(growth.shape, Shape::Leak, "{growth:?}");
        let rate = growth.rate.expect("it rises");
        assert!((rate.estimate / (180.0 * MIB) - 1.0).abs() < 0.02, "{rate:?}");
        assert_eq!(shape(|time| (time * 40.0).floor() * 100.0), Shape::Leak, "small and seldom");
        assert_eq!(shape(|time| (time - 0.4).max(0.0) * MIB), Shape::Leak, "it began late");
        assert_eq!(shape(|time| time * MIB + (time * 60.0).sin() * 0.02 * MIB), Shape::Leak, "it wavers");
        assert_eq!(shape(|time| MIB * (1.0 + time + (time * 25.0).fract() / 20.0)), Shape::Leak, "in teeth");
    }

    #[test]
    fn what_levels_off_is_a_cache_that_fills() {
        assert_eq!(shape(|time| MIB * (1.0 - (-time * 5.0).exp())), Shape::Filling);
        assert_eq!(shape(|time| MIB * (1.0 - (-time * 10.0).exp())), Shape::Filling);
        assert_eq!(shape(|time| MIB * (time * 2.0).min(1.0)), Shape::Filling, "full at half of the time");
        assert_eq!(shape(|time| MIB * (1.0 - (-time * 2.5).exp())), Shape::Filling, "not yet full");
    }

    #[test]
    fn what_does_not_grow_is_steady() {
        assert_eq!(shape(|_| MIB), Shape::Steady);
        assert_eq!(shape(|time| if time < 0.5 { 0.0 } else { MIB }), Shape::Steady, "once");
        assert_eq!(shape(|time| MIB * (time * 30.0).min(1.0)), Shape::Steady, "set up at the start");
        assert_eq!(shape(|time| MIB * (2.0 + (time * 40.0).sin())), Shape::Steady, "it comes and goes");
        assert_eq!(shape(|time| MIB * (1.5 - time / 2.0)), Shape::Steady, "it shrinks");
        assert_eq!(shape(|_| 0.0), Shape::Steady);
    }

    #[test]
    fn what_falls_again_is_a_burst() {
        assert_eq!(shape(|time| if (0.3..0.5).contains(&time) { MIB } else { 0.1 * MIB }), Shape::Burst);
        assert_eq!(shape(|time| (1.0 - (time - 0.3).abs() * 5.0).max(0.0) * MIB), Shape::Burst);
    }

    /// A list that grows for hours and is freed by a destructor has grown for hours.
    #[test]
    fn what_the_program_frees_when_it_ends_has_grown() {
        let growth = judged(|time| if time < 0.99 { time * MIB } else { 0.0 });
        assert_eq!((growth.shape, growth.freed_at_end), (Shape::Leak, true));
        assert!(!judged(|time| time * MIB).freed_at_end);
    }

    #[test]
    fn little_evidence_is_called_little() {
        assert_eq!(shape(|time| (1.0 + (time * 8.0).floor()) * MIB), Shape::Growing, "a few steps");
        let held: Vec<u64> = (1..=50).map(|slot| slot * 1000).collect();
        let short = |slots: usize| Growth::of(&held[..slots], SLOT / 10, SLOT * 5, &Ages::default()).shape;
        assert_eq!(short(50), Shape::Growing, "half a second");
        assert_eq!(short(6), Shape::Short);
    }

    /// Twice the load, twice the sessions: each of them goes.
    #[test]
    fn what_turns_over_is_no_leak() {
        let held: Vec<u64> = (1..=200).map(|slot| slot * 1000).collect();
        let judged = |ages: &[(u64, u64)]| {
            let age = |&(seconds, bytes): &(u64, u64)| (Duration::from_secs(seconds), 1, Bytes(bytes));
            Growth::of(&held, SLOT, SLOT * SLOTS, &Ages(ages.iter().map(age).collect()))
        };
        let turns = judged(&[(0, 150_000), (2, 50_000)]);
        assert_eq!(turns.shape, Shape::Growing);
        assert!(turns.kept.is_some_and(|kept| (0.25..0.3).contains(&kept)), "{turns:?}");
        let stays = judged(&[(0, 20_000), (2, 100_000), (10, 80_000)]);
        assert_eq!((stays.shape, stays.kept), (Shape::Leak, Some(1.0)));
    }
}
