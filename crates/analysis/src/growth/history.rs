use residue_model::{Process, Sample, Series};

/// The readings of a process over any length of time, in room that does not grow.
///
/// When it is full every second reading goes, and from then on only every second one comes in: a month is remembered as
/// evenly as an hour, only more coarsely. Taking a reading allocates nothing.
#[derive(Clone, Debug)]
pub struct History {
    series: Series,
    /// Readings that one kept reading stands for.
    stride: u64,
    seen: u64,
}

impl History {
    /// Readings that are kept at most. Twice as many as a verdict needs to be sure.
    pub const CAPACITY: usize = 512;

    /// Of a process that has not been read yet.
    pub fn new(process: Process, age_seconds: Option<f64>) -> History {
        let samples = Vec::with_capacity(History::CAPACITY);
        History { series: Series { process, age_seconds, samples, ended: false }, stride: 1, seen: 0 }
    }

    /// Takes a reading; says whether it is kept.
    pub fn push(&mut self, sample: Sample) -> bool {
        let is_kept = self.seen.is_multiple_of(self.stride);
        self.seen += 1;
        if !is_kept {
            return false;
        }
        if self.series.samples.len() == History::CAPACITY {
            let mut index = 0_usize;
            self.series.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
        self.series.samples.push(sample);
        true
    }

    /// What is remembered.
    pub fn series(&self) -> &Series {
        &self.series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that samples for a month must not grow, and must still know how the month began.
    #[test]
    fn it_spans_all_time_in_room_that_does_not_grow() {
        let mut history = History::new(Process::default(), None);
        let room = history.series.samples.capacity();
        for second in 0..100_000_u32 {
            history.push(Sample { seconds: f64::from(second), ..Sample::default() });
        }
        let samples = &history.series().samples;
        assert_eq!(samples.capacity(), room);
        assert!(samples.len() > History::CAPACITY / 4 && samples.len() <= History::CAPACITY);
        assert!(samples[0].seconds.abs() < 1e-9 && samples[samples.len() - 1].seconds > 99_000.0);
        let steps: Vec<f64> = samples.windows(2).map(|pair| pair[1].seconds - pair[0].seconds).collect();
        assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-9), "evenly: {steps:?}");
    }
}
