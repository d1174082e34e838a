//! Findings as one HTML page that opens from disk: styles, scripts and data inside, nothing from the network.

mod map;
mod recorded;
mod triage;

pub use map::map;
pub use recorded::{Source, Sources, recorded};
pub use triage::triage;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use residue_analysis::Row;
use residue_model::{Bytes, Gap};
use serde::Serialize;

use crate::Result;
use crate::units::{percent, size, size_or_dash};

const STYLE: &str = include_str!("../../web/page.css");
const PLOT_STYLE: &str = include_str!("../../web/uPlot.min.css");
const TABLE: &str = include_str!("../../web/table.js");
const PICTURE: &str = include_str!("../../web/picture.js");
const MAP: &str = include_str!("../../web/map.js");
const PLOT: &str = include_str!("../../web/uPlot.iife.min.js");
const TRIAGE: &str = include_str!("../../web/triage.js");

/// Everything around what a page says.
struct Page<'a> {
    title: &'a str,
    subtitle: &'a str,
    styles: &'a [&'a str],
    scripts: &'a [&'a str],
}

impl Page<'_> {
    fn render(&self, main: &Markup, data: &impl Serialize) -> Result<String> {
        let data = json(data)?;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    @for style in self.styles { style { (PreEscaped(style)) } }
                }
                body {
                    header { h1 { (self.title) } p.subtitle { (self.subtitle) } }
                    main { (main) }
                    script type="application/json" id="data" { (PreEscaped(data)) }
                    @for script in self.scripts { script { (PreEscaped(script)) } }
                }
            }
        };
        Ok(page.into_string())
    }
}

/// JSON that may stand inside a script element: nothing in a name can end the element.
fn json(data: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(data)?.replace('<', "\\u003c"))
}

fn gaps(gaps: &[Gap]) -> Markup {
    html! {
        section id="gaps" {
            h2 { "Not seen" }
            @if gaps.is_empty() { p { "Nothing was out of sight." } }
            ul { @for gap in gaps { li { strong { (gap.what) } ": " (gap.why) } } }
        }
    }
}

/// A number that sorts; a dash that sorts lowest where it is unknown.
fn number(value: Option<Bytes>) -> Markup {
    html! {
        @match value {
            Some(value) => td.number data-value=(value.0) { (size(value)) },
            None => td.number { (size_or_dash(None)) },
        }
    }
}

fn count(value: u64) -> Markup {
    html! { td.number data-value=(value) { (value) } }
}

/// A table of sums: with resident sizes of a process, with what was saved of a dump.
fn sums(heading: &str, rows: &[Row], total: &Row) -> Markup {
    let held: &[&str] = match (total.saved, total.pss) {
        (Some(_), _) => &["In dump"],
        // Windows tells no more of a region, and of those of other processes not always that.
        (None, None) if total.swap.is_none() && total.rss.is_some() => &["In RAM", "Private"],
        (None, None) if total.swap.is_none() => &[],
        _ => &["RSS", "PSS", "USS", "Swap"],
    };
    html! {
        h3 { (heading) }
        div.scroll {
            table.sortable {
                thead { tr {
                    th { (heading) }
                    @for title in ["Regions", "Size", "% mapped", "% space", "Largest"].iter().chain(held) {
                        th.number { (title) }
                    }
                } }
                tbody { @for row in rows { (sum(row, held.len())) } }
                tfoot { (sum(total, held.len())) }
            }
        }
    }
}

fn sum(row: &Row, held: usize) -> Markup {
    let held: &[Option<Bytes>] = match held {
        0 => &[],
        1 => &[row.saved],
        2 => &[row.rss, row.uss],
        _ => &[row.rss, row.pss, row.uss, row.swap],
    };
    html! {
        tr {
            td { (row.label) }
            (count(row.regions))
            (number(Some(row.size)))
            td.number data-value=(row.share_of_mapped) { (percent(row.share_of_mapped)) }
            td.number data-value=(row.share_of_space) { (percent(row.share_of_space)) }
            (number(Some(row.largest)))
            @for value in held { (number(*value)) }
        }
    }
}
