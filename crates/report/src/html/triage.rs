use maud::{Markup, html};
use residue_analysis::growth::{Class, Signal, Verdict, VerdictKind, points};
use residue_analysis::{Diagnosis, Examined, Finding, Watched};
use residue_model::{Bytes, Process, Sample, Snapshot};
use serde::Serialize;

use super::{PLOT, PLOT_STYLE, Page, STYLE, TABLE, TRIAGE, gaps, sums};
use crate::Result;
use crate::units::{percent, size_or_dash};
use crate::words::{self, class_label};

/// The whole diagnosis as a page: verdict, plots, findings, footprint.
///
/// # Errors
/// When its data cannot be written.
pub fn triage(diagnosis: &Diagnosis) -> Result<String> {
    let snapshot = &diagnosis.map.snapshot;
    let process = &snapshot.process;
    let (title, subtitle) = match &snapshot.dump {
        Some(dump) => (dump.file.clone(), words::dump(dump, snapshot)),
        None => (format!("{} ({})", process.name, process.pid), process.command.clone().unwrap_or_default()),
    };
    let page = Page {
        title: &title,
        subtitle: &subtitle,
        styles: &[PLOT_STYLE, STYLE],
        scripts: &[PLOT, TABLE, TRIAGE],
    };
    page.render(&main(diagnosis), &diagnosis.watched.as_ref().map(Data::of))
}

fn main(diagnosis: &Diagnosis) -> Markup {
    let snapshot = &diagnosis.map.snapshot;
    html! {
        @if let Some(watched) = &diagnosis.watched {
            (verdict(&watched.verdict, &snapshot.process))
            section id="series" {
                h2 { "Memory over time" }
                div id="plot-series" {}
                h2 { "Growth by class since the first sample" }
                div id="plot-classes" {}
            }
        }
        section id="findings" {
            h2 { "Findings" }
            @if diagnosis.findings.is_empty() {
                p { (words::no_findings(diagnosis.watched.is_some())) }
            }
            @for found in &diagnosis.findings { (finding(found, snapshot, diagnosis.has_ended())) }
        }
        @if !diagnosis.inside.examined.is_empty() {
            section id="inside" {
                h2 { "What is in it" }
                @for examined in &diagnosis.inside.examined { (inside(examined)) }
            }
        }
        section id="footprint" {
            h2 { @if diagnosis.watched.is_some() { "Footprint" } @else { "Address space" } }
            @if diagnosis.watched.is_some() { (footprint(diagnosis)) }
            (sums("Usage", &diagnosis.map.summary.by_usage, &diagnosis.map.summary.total))
        }
        (gaps(&diagnosis.gaps))
    }
}

/// What memory of one kind holds: shares as bars with their intervals, strings with where they stand.
fn inside(examined: &Examined) -> Markup {
    let text = words::content(examined);
    html! {
        article class="content" {
            h3 { (text.subject) }
            p { (text.amount) }
            table {
                tbody {
                    @for share in &examined.contents.shares {
                        tr {
                            td { (share.content.label()) }
                            td.number { (percent(share.share)) }
                            td.number { (format!("{:.0} … {:.0} %", share.low * 100.0, share.high * 100.0)) }
                            td { meter min="0" max="1" value=(format!("{:.3}", share.share)) {} }
                        }
                    }
                }
            }
            p { (text.shares) }
            ul.evidence { @for line in &text.strings { li { (line) } } }
            @for (address, preview) in &examined.contents.previews {
                pre { (address) "  " (preview) }
            }
        }
    }
}

fn verdict(verdict: &Verdict, process: &Process) -> Markup {
    let text = words::verdict(verdict, process);
    html! {
        section class={ "verdict " (class(verdict.kind)) } {
            h2 { (text.headline) }
            p {
                strong { (text.rate) }
                @if !text.confidence.is_empty() { " · confidence " (text.confidence) }
            }
            @if !text.forecast.is_empty() { p { (text.forecast) } }
            p { (text.places) }
            ul { @for why in &text.why { li { (why) } } }
            pre.next { (text.next) }
        }
    }
}

fn class(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::LikelyLeak => "likely_leak",
        VerdictKind::Step => "step",
        VerdictKind::Stable => "stable",
        VerdictKind::Shrinking => "shrinking",
        _ => "inconclusive",
    }
}

fn finding(finding: &Finding, snapshot: &Snapshot, ended: bool) -> Markup {
    let text = words::finding(finding, snapshot, ended);
    html! {
        article class={ "finding " (text.severity) } {
            h3 { (text.title) }
            ul.evidence { @for line in &text.evidence { li { (line) } } }
            pre.next { (text.next) }
        }
    }
}

fn footprint(diagnosis: &Diagnosis) -> Markup {
    let footprint = &diagnosis.map.snapshot.process.footprint;
    let cells = match &footprint.windows {
        Some(windows) => [
            ("Commit", windows.commit),
            ("Peak commit", windows.peak_commit),
            ("Working set", windows.working_set),
            ("Peak working set", windows.peak_working_set),
            ("Private working set", windows.private_working_set),
            ("Paged pool", windows.paged_pool),
            ("Non-paged pool", windows.nonpaged_pool),
            ("Virtual", footprint.vss),
        ],
        None => [
            ("RSS", footprint.rss),
            ("PSS", footprint.pss),
            ("USS", footprint.uss),
            ("Swap", footprint.swap),
            ("Anonymous", footprint.anon),
            ("Files", footprint.file),
            ("Shared memory", footprint.shmem),
            ("Virtual", footprint.vss),
        ],
    };
    html! {
        div.scroll {
            table {
                thead { tr { @for (title, _) in cells { th.number { (title) } } } }
                tbody { tr { @for (_, value) in cells { td.number { (size_or_dash(value)) } } } }
            }
        }
    }
}

/// What the plots are drawn from.
#[derive(Serialize)]
struct Data {
    series: Lines,
    classes: Vec<Line>,
}

#[derive(Serialize)]
struct Lines {
    time: Vec<f64>,
    #[serde(rename = "lines")]
    parts: Vec<Line>,
    warmup_end: f64,
    trend: Option<Trend>,
}

#[derive(Serialize)]
struct Line {
    label: &'static str,
    values: Vec<Option<f64>>,
    primary: bool,
}

#[derive(Serialize)]
struct Trend {
    from: (f64, f64),
    to: (f64, f64),
}

impl Data {
    fn of(watched: &Watched) -> Data {
        let Watched { series, verdict } = watched;
        let line = |label, primary, value: &dyn Fn(&Sample) -> Option<Bytes>| {
            let values =
                series.samples.iter().map(|sample| value(sample).map(|Bytes(bytes)| bytes as f64)).collect();
            Line { label, values, primary }
        };
        let is_windows = verdict.signal == Signal::Commit;
        let parts = if is_windows {
            vec![
                line("commit", true, &|sample| sample.footprint.private()),
                line("working set", false, &|sample| sample.footprint.rss),
            ]
        } else {
            vec![
                line("private anonymous + swap", true, &|sample| sample.footprint.private()),
                line("RSS", false, &|sample| sample.footprint.rss),
                line("shared memory", false, &|sample| sample.footprint.shmem),
            ]
        };
        let class = |&class: &Class| {
            let known = points(series, class);
            let value = |sample: &Sample| {
                let place = known.binary_search_by(|point| point.0.total_cmp(&sample.seconds)).ok()?;
                Some(known[place].1)
            };
            Line {
                label: class_label(class, is_windows),
                values: series.samples.iter().map(value).collect(),
                primary: false,
            }
        };
        Data {
            series: Lines {
                time: series.samples.iter().map(|sample| sample.seconds).collect(),
                parts,
                warmup_end: verdict.warmup_seconds,
                trend: verdict.line.map(|[from, to]| Trend { from, to }),
            },
            classes: Class::ALL.iter().map(class).collect(),
        }
    }
}
