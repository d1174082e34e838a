use std::io::Write;

use residue_analysis::Watched;
use residue_model::{Bytes, Gap, Process, Sample, Series, Usage};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::verdict::VerdictRow;
use super::{Target, write};
use crate::Result;

#[derive(Serialize)]
struct WatchBody<'a> {
    series: Vec<SeriesRow<'a>>,
}

/// A process over time and the verdict on it.
#[derive(Serialize)]
struct SeriesRow<'a> {
    #[serde(flatten)]
    verdict: VerdictRow,
    process: &'a Process,
    samples: Samples<'a>,
    ended: bool,
}

/// The readings of one process.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Samples<'a>(Vec<SampleRow<'a>>);

#[derive(Serialize)]
struct SampleRow<'a> {
    #[serde(flatten)]
    sample: &'a Sample,
    private_and_swap: Option<Bytes>,
    by_usage: Option<ByUsage<'a>>,
}

/// Memory by usage as one object.
struct ByUsage<'a>(&'a [(Usage, Bytes)]);

impl Serialize for ByUsage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (usage, size) in self.0 {
            map.serialize_entry(usage.key(), size)?;
        }
        map.end()
    }
}

impl<'a> Samples<'a> {
    pub(super) fn of(series: &'a Series) -> Samples<'a> {
        let row = |sample: &'a Sample| SampleRow {
            sample,
            private_and_swap: sample.footprint.private(),
            by_usage: sample.by_usage.as_deref().map(ByUsage),
        };
        Samples(series.samples.iter().map(row).collect())
    }
}

/// Writes `residue.watch/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn watch(out: &mut impl Write, watched: &[Watched], gaps: &[Gap]) -> Result<()> {
    let series = watched
        .iter()
        .map(|one| SeriesRow {
            verdict: VerdictRow::of(&one.verdict, &one.series.process),
            process: &one.series.process,
            samples: Samples::of(&one.series),
            ended: one.series.ended,
        })
        .collect();
    let target = match watched {
        [one] => Target::process(&one.series.process),
        _ => Target::Processes,
    };
    write(out, "residue.watch/1", target, gaps, WatchBody { series })
}
