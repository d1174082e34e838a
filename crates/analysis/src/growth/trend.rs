use serde::Serialize;

/// An estimate with the bounds it lies within in 19 of 20 cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// The best single value.
    pub estimate: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Interval {
    /// The same in another unit.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Interval {
        Interval { estimate: self.estimate * factor, low: self.low * factor, high: self.high * factor }
    }
}

/// A straight line through noisy points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trend {
    /// Rise a second.
    pub slope: Interval,
    /// Value at second zero.
    pub intercept: f64,
    /// Typical distance of a point from the line: the median absolute deviation.
    pub noise: f64,
}

/// With more points than this, pairs are taken among evenly chosen ones: the slope does not change, the time does.
const MOST_POINTS: usize = 600;

/// 97.5 % of a normal distribution lies below this many deviations.
const Z: f64 = 1.96;

impl Trend {
    /// The Theil–Sen line of points `(seconds, value)` in order of time; `None` for fewer than three.
    ///
    /// The slope is the median over all pairs, so a third of the points may be wild. Its interval is Sen's, with the
    /// variance widened for autocorrelation as Hamed and Rao do: neighbouring samples of a process are no independent
    /// witnesses.
    pub fn of(points: &[(f64, f64)]) -> Option<Trend> {
        let chosen = thin(points);
        let mut slopes = pair_slopes(&chosen);
        if chosen.len() < 3 || slopes.is_empty() {
            return None;
        }
        slopes.sort_unstable_by(f64::total_cmp);
        let estimate = median_of_sorted(&slopes);
        let intercept = median(chosen.iter().map(|(time, value)| value - estimate * time).collect());
        let residuals: Vec<f64> =
            chosen.iter().map(|(time, value)| value - intercept - estimate * time).collect();
        let noise = median(residuals.iter().map(|residual| residual.abs()).collect());
        let half = Z * kendall_variance(chosen.len(), &residuals).sqrt();
        let slope = Interval {
            estimate,
            low: rank(&slopes, (slopes.len() as f64 - half) / 2.0),
            high: rank(&slopes, f64::midpoint(slopes.len() as f64, half)),
        };
        Some(Trend { slope, intercept, noise })
    }

    /// The value of the line at a time.
    pub fn at(&self, seconds: f64) -> f64 {
        self.intercept + self.slope.estimate * seconds
    }
}

fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    points.iter().copied().step_by(step).collect()
}

fn pair_slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (index, (start, from)) in points.iter().enumerate() {
        for (end, to) in &points[index + 1..] {
            if end > start {
                slopes.push((to - from) / (end - start));
            }
        }
    }
    slopes
}

/// The variance of Kendall's S for `count` points, widened by the autocorrelation of the residuals' ranks.
fn kendall_variance(count: usize, residuals: &[f64]) -> f64 {
    let n = count as f64;
    let independent = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    let ranks = ranks(residuals);
    let bound = Z / n.sqrt();
    let mut excess = 0.0;
    for lag in 1..(count / 2).min(60) {
        let correlation = autocorrelation(&ranks, lag);
        if correlation.abs() <= bound {
            // Past the first lag that is no more than chance, what is left is chance too.
            break;
        }
        let lag = lag as f64;
        excess += (n - lag) * (n - lag - 1.0) * (n - lag - 2.0) * correlation;
    }
    let factor = 1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * excess;
    independent * factor.max(1.0)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let tied = order[first..]
            .iter()
            .take_while(|&&index| values[index].total_cmp(&values[order[first]]).is_le())
            .count();
        let shared = first as f64 + (tied - 1) as f64 / 2.0;
        for &index in &order[first..first + tied] {
            ranks[index] = shared;
        }
        first += tied;
    }
    ranks
}

fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let power: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if power <= 0.0 {
        return 0.0;
    }
    let pairs = values.iter().zip(&values[lag..]);
    pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / power
}

/// The value at a fractional rank, clamped to the ends.
fn rank(sorted: &[f64], at: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to valid ranks")]
    let index = at.clamp(0.0, (sorted.len() - 1) as f64).round() as usize;
    sorted[index]
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&values)
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_third_of_wild_points_does_not_bend_the_line() {
        let points: Vec<(f64, f64)> = (0..60)
            .map(|second| {
                (f64::from(second), if second % 4 == 0 { 1e9 } else { 100.0 + 3.0 * f64::from(second) })
            })
            .collect();
        let trend = Trend::of(&points).expect("enough points");
        assert!((trend.slope.estimate - 3.0).abs() < 0.5, "{trend:?}");
    }

    #[test]
    fn neighbours_that_move_together_widen_the_interval() {
        // A slow wave has no trend, but one who takes its points for independent sees one.
        let wave: Vec<(f64, f64)> =
            (0..120).map(|second| (f64::from(second), (f64::from(second) / 30.0).sin() * 100.0)).collect();
        let Interval { low, high, .. } = Trend::of(&wave).expect("enough points").slope;
        assert!(low < 0.0 && high > 0.0, "{low} … {high}");
    }

    #[test]
    fn two_points_make_no_trend() {
        assert_eq!(Trend::of(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(Trend::of(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }

    proptest! {
        /// Shifting or scaling the values shifts or scales the line, and the estimate lies within its interval.
        #[test]
        fn a_line_moves_with_its_points(values in prop::collection::vec(-1e6_f64..1e6, 3..80), shift in -1e6_f64..1e6) {
            let points = |by: f64| values.iter().enumerate().map(|(i, v)| (i as f64, v + by)).collect::<Vec<_>>();
            let plain = Trend::of(&points(0.0)).expect("enough points");
            let moved = Trend::of(&points(shift)).expect("enough points");
            prop_assert!((plain.slope.estimate - moved.slope.estimate).abs() < 1e-3);
            prop_assert!(plain.slope.low <= plain.slope.estimate && plain.slope.estimate <= plain.slope.high);
        }
    }
}
