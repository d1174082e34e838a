use residue_model::{Gap, Series};

use crate::finding::{Finding, findings};
use crate::growth::{Verdict, judge};
use crate::map::Map;

/// Everything that can be said of one process from the outside.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Its address space, at the end of the time watched.
    pub map: Map,
    /// Its memory over time.
    pub series: Series,
    /// What kind of growth that is.
    pub verdict: Verdict,
    /// What is worth knowing, most urgent first.
    pub findings: Vec<Finding>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}

impl Diagnosis {
    /// Judges a series and the map at its end.
    pub fn of(map: Map, series: Series, mut gaps: Vec<Gap>) -> Diagnosis {
        let verdict = judge(&series, &map.snapshot.limits);
        let findings = findings(&map, Some(&verdict));
        gaps.extend(map.snapshot.gaps.iter().cloned());
        Diagnosis { map, series, verdict, findings, gaps }
    }
}

/// A process that was watched, and the first verdict on it.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its memory over time.
    pub series: Series,
    /// What kind of growth that is.
    pub verdict: Verdict,
}
