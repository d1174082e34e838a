use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use residue_testkit::{Facts, Program};

use crate::shell::output;

/// What commands cost: user and system time, time by the clock, the largest resident set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    pub(super) peak_bytes: u64,
}

impl Cost {
    /// Two commands, one after the other.
    fn and(self, next: Self) -> Self {
        Self {
            cpu: self.cpu + next.cpu,
            wall: self.wall + next.wall,
            peak_bytes: self.peak_bytes.max(next.peak_bytes),
        }
    }

    /// The median of each part by itself.
    fn median(costs: &[Self]) -> Self {
        Self {
            cpu: median(costs.iter().map(|cost| cost.cpu)),
            wall: median(costs.iter().map(|cost| cost.wall)),
            peak_bytes: median(costs.iter().map(|cost| cost.peak_bytes)),
        }
    }
}

/// The middle one, which outliers do not move.
pub(super) fn median<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// One or more command lines that together answer one question.
pub(super) type Contender = Vec<Vec<String>>;

/// A contender of one command line.
pub(super) fn command(words: &[&str]) -> Contender {
    vec![words.iter().map(|word| (*word).to_owned()).collect()]
}

/// Runs commands and tells their cost.
pub(super) struct Meter {
    path: PathBuf,
}

impl Meter {
    pub(super) fn build() -> Result<Self> {
        let path = Program::build("meter").flag("-O2").path().context("failed to build the meter")?;
        Ok(Self { path })
    }

    /// The median cost of each contender, which run in turns so that a busy moment hits all of them. One round
    /// before does not count: it finds the files in no cache.
    pub(super) fn race(&self, runs: u32, contenders: &[Contender]) -> Result<Vec<Cost>> {
        let mut costs = vec![Vec::new(); contenders.len()];
        for round in 0..=runs {
            for (contender, costs) in contenders.iter().zip(&mut costs) {
                let cost = self.measure(contender)?;
                if round > 0 {
                    costs.push(cost);
                }
            }
            eprintln!("round {round} of {runs}");
        }
        Ok(costs.iter().map(|costs| Cost::median(costs)).collect())
    }

    fn measure(&self, contender: &Contender) -> Result<Cost> {
        let costs: Vec<Cost> =
            contender.iter().map(|words| self.measure_one(words)).collect::<Result<_>>()?;
        Ok(costs.into_iter().fold(Cost::default(), Cost::and))
    }

    /// The cost of one command, and of all that it started and waited for. One that fails has no cost: it may have done
    /// half of the work.
    pub(super) fn measure_one(&self, words: &[String]) -> Result<Cost> {
        let facts = Facts::of(output(Command::new(&self.path).args(words))?.trim_end());
        if facts.number("exit") != 0 {
            let shown: String = words.join(" ").chars().take(120).collect();
            bail!("`{shown}` ended with {}", facts.text("exit"));
        }
        Ok(Cost {
            cpu: Duration::from_micros(facts.number("cpu_us")),
            wall: Duration::from_micros(facts.number("wall_us")),
            peak_bytes: facts.number("peak_bytes"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outlier_does_not_move_the_median() {
        assert_eq!(median([3, 1, 900, 2, 4].into_iter()), 3);
    }

    #[test]
    fn batches_add_up_but_their_peaks_do_not() {
        let one = Cost { cpu: Duration::from_secs(1), wall: Duration::from_secs(2), peak_bytes: 10 };
        let two = Cost { peak_bytes: 7, ..one };

        let both = one.and(two);

        assert_eq!((both.cpu, both.wall), (Duration::from_secs(2), Duration::from_secs(4)));
        assert_eq!(both.peak_bytes, 10);
    }
}
