use residue_model::{Gap, Series};

use crate::Inside;
use crate::finding::{Finding, findings};
use crate::growth::{Verdict, judge};
use crate::map::Map;

/// Everything that can be said of one process from the outside.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Its address space; of a process, at the end of the time watched.
    pub map: Map,
    /// Its memory over time and the verdict on that; a dump is one moment and has none.
    pub watched: Option<Watched>,
    /// What is in its memory.
    pub inside: Inside,
    /// What is worth knowing, most urgent first.
    pub findings: Vec<Finding>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}

impl Diagnosis {
    /// Judges a process: a series, the map at its end, and what is in it.
    pub fn of(map: Map, series: Series, inside: Inside, mut gaps: Vec<Gap>) -> Diagnosis {
        let verdict = judge(&series, &map.snapshot.limits);
        let findings = findings(&map, Some(&verdict), &inside);
        gaps.extend(map.snapshot.gaps.iter().cloned());
        Diagnosis { map, watched: Some(Watched { series, verdict }), inside, findings, gaps }
    }

    /// Judges a dump by its structure and content alone.
    pub fn of_dump(map: Map, inside: Inside, mut gaps: Vec<Gap>) -> Diagnosis {
        let findings = findings(&map, None, &inside);
        gaps.extend(map.snapshot.gaps.iter().cloned());
        Diagnosis { map, watched: None, inside, findings, gaps }
    }

    /// Whether the process has ended while it was watched, so that no command can look at it again.
    pub fn has_ended(&self) -> bool {
        self.watched.as_ref().is_some_and(|watched| watched.series.ended)
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
