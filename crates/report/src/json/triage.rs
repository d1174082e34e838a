use std::io::Write;

use residue_analysis::content::{Runtime, Share, Telling};
use residue_analysis::{Diagnosis, Examined, Finding, Occurrences, Severity, Subject};
use residue_model::{Address, Bytes, Range, Snapshot, Usage};
use serde::Serialize;

use super::map::{MapBody, summary};
use super::verdict::VerdictRow;
use super::watch::Samples;
use super::{Target, write};
use crate::{Result, words};

#[derive(Serialize)]
struct TriageBody<'a> {
    findings: Vec<FindingRow>,
    verdict: Option<VerdictRow>,
    contents: Vec<ContentRow<'a>>,
    runtimes: &'a [Runtime],
    map: MapBody<'a>,
    samples: Option<Samples<'a>>,
    ended: bool,
}

#[derive(Serialize)]
struct FindingRow {
    id: &'static str,
    severity: Severity,
    title: String,
    evidence: Vec<String>,
    next: String,
}

impl FindingRow {
    fn of(finding: &Finding, snapshot: &Snapshot, ended: bool) -> FindingRow {
        let words::FindingText { title, evidence, next, .. } = words::finding(finding, snapshot, ended);
        FindingRow { id: finding.evidence.id(), severity: finding.severity, title, evidence, next }
    }
}

/// Writes `residue.triage/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn triage(out: &mut impl Write, diagnosis: &Diagnosis) -> Result<()> {
    let Diagnosis { map, watched, inside, findings, gaps } = diagnosis;
    let snapshot = &map.snapshot;
    let ended = diagnosis.has_ended();
    let body = TriageBody {
        findings: findings.iter().map(|finding| FindingRow::of(finding, snapshot, ended)).collect(),
        verdict: watched.as_ref().map(|watched| VerdictRow::of(&watched.verdict, &snapshot.process)),
        contents: inside.examined.iter().map(ContentRow::of).collect(),
        runtimes: &inside.runtimes,
        map: summary(map, 10),
        samples: watched.as_ref().map(|watched| Samples::of(&watched.series)),
        ended,
    };
    write(out, "residue.triage/1", Target::of(snapshot), gaps, body)
}

/// What memory of one kind holds.
#[derive(Serialize)]
struct ContentRow<'a> {
    usage: Usage,
    region_size: Option<Bytes>,
    regions: u64,
    total: Bytes,
    share_of_committed: f64,
    #[serde(flatten)]
    range: Range,
    sampled: u64,
    unreadable: u64,
    median_filled: Option<f64>,
    shares: &'a [Share],
    strings: Vec<StringRow<'a>>,
    previews: Vec<PreviewRow<'a>>,
}

#[derive(Serialize)]
struct StringRow<'a> {
    #[serde(flatten)]
    telling: &'a Telling,
    counted: Option<&'a Occurrences>,
}

#[derive(Serialize)]
struct PreviewRow<'a> {
    address: Address,
    preview: &'a str,
}

impl<'a> ContentRow<'a> {
    fn of(examined: &'a Examined) -> ContentRow<'a> {
        let contents = &examined.contents;
        let (region_size, regions) = match examined.subject {
            Subject::Population { size, members, .. } => (Some(size), members),
            Subject::Usage { regions, .. } => (None, regions),
        };
        let counted = examined.counted.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let string = |(telling, counted)| StringRow { telling, counted };
        let preview = |(address, preview): &'a (Address, String)| PreviewRow { address: *address, preview };
        ContentRow {
            usage: examined.subject.usage(),
            region_size,
            regions,
            total: examined.total,
            share_of_committed: examined.share,
            range: examined.range,
            sampled: contents.sampled,
            unreadable: contents.unreadable,
            median_filled: contents.median_filled,
            shares: &contents.shares,
            strings: contents.strings.iter().zip(counted).map(string).collect(),
            previews: contents.previews.iter().map(preview).collect(),
        }
    }
}
