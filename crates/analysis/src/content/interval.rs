/// The share of a population that `hits` of `sampled` members stand for, with what it may be: 95 % of such intervals
/// hold the true share.
///
/// Wilson's interval, which stays sensible at 0 and at 1 where few samples are. The correction for a finite population
/// makes a sample of half of it worth more than one of an endless one, and a full count exact.
pub(super) fn share(hits: u64, sampled: u64, population: u64) -> (f64, f64, f64) {
    if sampled == 0 {
        return (0.0, 0.0, 1.0);
    }
    let share = hits as f64 / sampled as f64;
    if sampled >= population {
        return (share, share, share);
    }
    let n = sampled as f64 * (population - 1) as f64 / (population - sampled) as f64;
    let z2 = 1.96 * 1.96;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = 1.96 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // Rounding must not put a share outside its own interval.
    (share, (centre - half).clamp(0.0, share), (centre + half).clamp(share, 1.0))
}

#[cfg(test)]
mod tests {
    use super::share;

    /// Source of the expected values: R, `prop.test(90, 96, correct = FALSE)`.
    #[test]
    fn few_of_many_leave_doubt_and_all_leave_none() {
        let (middle, low, high) = share(90, 96, 1_000_000_000);
        assert!((middle - 0.9375).abs() < 1e-9);
        assert!((low - 0.8702).abs() < 1e-3 && (high - 0.9710).abs() < 1e-3, "{low} {high}");
        assert_eq!(share(3, 4, 4), (0.75, 0.75, 0.75));
        let (_, narrow, _) = share(90, 96, 120);
        assert!(narrow > low);
        assert_eq!(share(0, 0, 9), (0.0, 0.0, 1.0));
        assert_eq!((share(0, 96, 9000).1, share(96, 96, 9000).2), (0.0, 1.0));
    }
}
