use residue_model::recording::Histogram;

/// A histogram that has room only for what it counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    first: usize,
    counts: Vec<u64>,
}

impl Spread {
    /// Counts a value.
    #[inline]
    pub(crate) fn add(&mut self, value: u64, count: u64) {
        let entry = Histogram::entry(value);
        if let Some(known) = self.counts.get_mut(entry.wrapping_sub(self.first)) {
            *known += count;
        } else {
            self.widen(entry);
            self.counts[entry - self.first] += count;
        }
    }

    fn widen(&mut self, entry: usize) {
        if self.counts.is_empty() {
            self.first = entry;
        }
        if entry < self.first {
            self.counts.splice(0..0, std::iter::repeat_n(0, self.first - entry));
            self.first = entry;
        }
        let length = (entry - self.first + 1).max(self.counts.len());
        self.counts.resize(length, 0);
    }

    /// As the model has it, each count divided.
    pub(crate) fn histogram(&self, unit: u64) -> Histogram {
        let counts = self.counts.iter().map(|count| (count + unit / 2) / unit);
        let leading = if self.counts.is_empty() { 0 } else { self.first };
        Histogram(std::iter::repeat_n(0, leading).chain(counts).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_in_any_order() {
        let mut spread = Spread::default();
        for value in [100, 0, 64, u64::MAX, 1] {
            spread.add(value, 2);
        }

        let mut whole = vec![0; 65];
        for (entry, count) in [(7, 2), (0, 1), (64, 1), (1, 1)] {
            whole[entry] = count;
        }
        assert_eq!(spread.histogram(2).0, whole);
        assert!(Spread::default().histogram(1).0.is_empty());
    }
}
