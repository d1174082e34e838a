use std::io::Write;

use residue_analysis::{Diagnosis, Finding, Severity};
use residue_model::Process;
use serde::Serialize;

use super::map::{MapBody, summary};
use super::verdict::VerdictRow;
use super::watch::Samples;
use super::{Target, write};
use crate::{Result, words};

#[derive(Serialize)]
struct TriageBody<'a> {
    findings: Vec<FindingRow>,
    verdict: VerdictRow,
    map: MapBody<'a>,
    samples: Samples<'a>,
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
    fn of(finding: &Finding, process: &Process, ended: bool) -> FindingRow {
        let words::FindingText { title, evidence, next, .. } = words::finding(finding, process, ended);
        FindingRow { id: finding.evidence.id(), severity: finding.severity, title, evidence, next }
    }
}

/// Writes `residue.triage/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn triage(out: &mut impl Write, diagnosis: &Diagnosis) -> Result<()> {
    let process = &diagnosis.map.snapshot.process;
    let body = TriageBody {
        findings: diagnosis
            .findings
            .iter()
            .map(|finding| FindingRow::of(finding, process, diagnosis.series.ended))
            .collect(),
        verdict: VerdictRow::of(&diagnosis.verdict, process),
        map: summary(&diagnosis.map, 10),
        samples: Samples::of(&diagnosis.series),
        ended: diagnosis.series.ended,
    };
    write(out, "residue.triage/1", Target::of(&diagnosis.map.snapshot), &diagnosis.gaps, body)
}
