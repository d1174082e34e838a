use super::trend::median;

/// Into how many windows a series is cut to see when its rate settles.
const WINDOWS: usize = 12;

/// How many points at the start belong to the warm-up.
///
/// A program fills its caches and pools first. Windows are dropped from the start while they grow much faster than the
/// later half does; never more than half of them, and never a fixed share.
pub(super) fn length(points: &[(f64, f64)]) -> usize {
    if points.len() < WINDOWS * 2 {
        return 0;
    }
    let bounds: Vec<usize> = (0..=WINDOWS).map(|window| window * (points.len() - 1) / WINDOWS).collect();
    let rate = |window: usize| {
        let ((start, from), (end, to)) = (points[bounds[window]], points[bounds[window + 1]]);
        if end > start { (to - from) / (end - start) } else { 0.0 }
    };
    let rates: Vec<f64> = (0..WINDOWS).map(rate).collect();
    let later = &rates[WINDOWS / 2..];
    let settled = median(later.to_vec());
    let spread = median(later.iter().map(|rate| (rate - settled).abs()).collect());
    let fast = |rate: f64| rate > 3.0 * settled.max(0.0) + 4.0 * spread;
    let dropped = rates[..WINDOWS / 2].iter().take_while(|&&rate| rate > 0.0 && fast(rate)).count();
    if dropped == 0 { 0 } else { bounds[dropped] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(value: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..120).map(|second| (f64::from(second), value(f64::from(second)))).collect()
    }

    #[test]
    fn a_fast_start_is_dropped_and_a_steady_one_is_kept() {
        let warm = length(&series(|t| if t < 20.0 { t * 100.0 } else { 2000.0 + t }));
        assert!((18..=32).contains(&warm), "{warm}");
        assert_eq!(length(&series(|t| t * 10.0)), 0);
        assert_eq!(length(&series(|_| 5.0)), 0);
    }

    #[test]
    fn never_more_than_half_is_dropped() {
        let warm = length(&series(|t| (t + 1.0).ln() * 1000.0));
        assert!(warm <= 60, "{warm}");
    }
}
