use residue_model::Bytes;
use residue_model::recording::{Sampling, StackSums};

use crate::growth::Interval;

/// What a sampled recording says of sums: bounds that hold in 19 of 20 cases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// How often blocks were asked for.
    pub allocations: Interval,
    /// Bytes asked for.
    pub allocated: Interval,
    /// Bytes that stood at the end.
    pub live: Interval,
}

/// 97.5 % of a normal distribution lies below so many deviations.
const Z: f64 = 1.96;
/// When nothing was picked, what may have been there all the same has, in 19 of 20 cases, fewer bytes than this many
/// intervals: e^-3 is a twentieth.
const UNSEEN: f64 = 3.0;

impl Estimate {
    /// The bounds of sums that were estimated from samples.
    pub fn of(sums: &StackSums, sampling: Sampling) -> Estimate {
        let [allocations, allocated, live] = sums.variance;
        let unseen = UNSEEN * sampling.interval.0 as f64;
        let mean =
            if sums.allocations == 0 { 1.0 } else { sums.allocated.0 as f64 / sums.allocations as f64 };
        Estimate {
            allocations: bounds(sums.allocations, allocations, unseen / mean.max(1.0)),
            allocated: bounds(sums.allocated.0, allocated, unseen),
            live: bounds(sums.live.0, live, unseen),
        }
    }

    /// How many bytes a call path can have held without being seen at all.
    pub fn unseen(sampling: Sampling) -> Bytes {
        Bytes(sampling.interval.0.saturating_mul(3))
    }
}

/// Byar's approximation of Poisson's interval: a sum whose deviation is so large beside it rests on `estimate² / variance`
/// samples. Few samples lie wide, and to both sides differently.
fn bounds(estimate: u64, variance: f64, unseen: f64) -> Interval {
    let estimate = estimate as f64;
    if estimate <= 0.0 {
        return Interval { estimate: 0.0, low: 0.0, high: unseen };
    }
    if variance <= 0.0 || !variance.is_finite() {
        return Interval { estimate, low: estimate, high: estimate };
    }
    let n = estimate * estimate / variance;
    let side = |n: f64, z: f64| n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).max(0.0).powi(3);
    Interval { estimate, low: estimate * side(n, -Z) / n, high: estimate * side(n + 1.0, Z) / n }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Poisson's own bounds, from tables.
    #[test]
    fn few_samples_lie_wide() {
        let of = |n: u32| {
            let bounds = bounds(u64::from(n) * 1000, f64::from(n) * 1e6, 3000.0);
            (bounds.low / 1000.0, bounds.high / 1000.0)
        };
        let is_near = |(low, high): (f64, f64), table: (f64, f64)| {
            (low - table.0).abs() < 0.05 && (high - table.1).abs() < 0.05
        };
        assert!(is_near(of(1), (0.025, 5.57)), "{:?}", of(1));
        assert!(is_near(of(10), (4.80, 18.39)), "{:?}", of(10));
        assert!(is_near(of(100), (81.36, 121.63)), "{:?}", of(100));
    }

    #[test]
    fn what_was_never_picked_may_be_there() {
        let sampling = Sampling { interval: Bytes::kib(512) };
        let nothing = Estimate::of(&StackSums::default(), sampling);
        assert!((nothing.live.high - 3.0 * 524_288.0).abs() < 1.0 && nothing.live.low.abs() < 1e-9);
        assert_eq!(Estimate::unseen(sampling), Bytes::kib(1536));
    }

    #[test]
    fn what_is_surely_picked_is_exact() {
        let exact = bounds(5000, 0.0, 1.0);
        assert!((exact.low - 5000.0).abs() < 1e-9 && (exact.high - 5000.0).abs() < 1e-9);
    }
}
