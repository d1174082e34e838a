use super::Trend;
use super::trend::median;

/// Points `(seconds, bytes)` in order of time, and what their shape says: leaks go on, caches stop, starts jump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve<'a>(pub(crate) &'a [(f64, f64)]);

/// One moment at which most of the growth happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Jump {
    /// How much came then.
    pub(crate) bytes: f64,
    /// When.
    pub(crate) seconds: f64,
    /// Its part of all growth, 0 to 1.
    pub(crate) share: f64,
}

impl Curve<'_> {
    /// From the first point to the last.
    pub(crate) fn seconds(self) -> f64 {
        match self.0 {
            [first, .., last] => last.0 - first.0,
            _ => 0.0,
        }
    }

    /// The one moment at which most of the growth happened, if the level before and after differs by it.
    pub(crate) fn jump(self) -> Option<Jump> {
        let points = self.0;
        let net = points.last()?.1 - points.first()?.1;
        let steps = points.windows(2).enumerate().map(|(index, pair)| (pair[1].1 - pair[0].1, index + 1));
        let (bytes, after) = steps.max_by(|a, b| a.0.total_cmp(&b.0))?;
        let level = |part: &[(f64, f64)]| median(part.iter().map(|point| point.1).collect());
        let lasts = level(&points[after..]) - level(&points[..after]) >= 0.7 * bytes;
        let is_jump = net > 0.0 && bytes >= 0.7 * net && lasts;
        is_jump.then(|| Jump { bytes, seconds: points[after].0, share: (bytes / net).min(1.0) })
    }

    /// How long it has stood still at the end, if that is longer than any pause before explains.
    pub(crate) fn standstill(self, growth: f64) -> Option<f64> {
        let points = self.0;
        let (mut top, mut risen_at, mut longest) = (points.first()?.1, points.first()?.0, 0.0_f64);
        for &(seconds, value) in points {
            if value > top + 0.002 * growth {
                longest = longest.max(seconds - risen_at);
                (top, risen_at) = (value, seconds);
            }
        }
        let idle = points.last()?.0 - risen_at;
        (idle > self.seconds() / 8.0 && idle > 2.0 * longest).then_some(idle)
    }

    /// Whether the lowest points of each third rise too.
    pub(crate) fn valleys_rise(self, growth: f64) -> bool {
        let third = self.0.len().div_ceil(3).max(1);
        let floor = |part: &[(f64, f64)]| part.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let floors: Vec<f64> = self.0.chunks(third).map(floor).collect();
        floors.windows(2).all(|pair| pair[1] - pair[0] > 0.05 * growth)
    }

    /// Growth a second in the first and in the last third.
    pub(crate) fn thirds(self) -> (f64, f64) {
        let third = self.0.len() / 3;
        let slope = |part: &[(f64, f64)]| Trend::of(part).map_or(0.0, |trend| trend.slope.estimate);
        (slope(&self.0[..third]), slope(&self.0[self.0.len() - third..]))
    }
}
