//! A recording as a page: its time, its calls as a flame graph, its sites. Any part of the time can be chosen; the page sums
//! anew what the paths did in it.

mod data;
mod source;

pub use source::{Source, Sources};

use std::io::Write;

use maud::{Markup, html};
use residue_analysis::recorded::{MarkView, Recorded, Shape};
use residue_model::Bytes;

use super::{Page, STYLE, TABLE, gaps};
use crate::units::{change, count, counted, duration, percent, size};
use crate::{Result, words};
use data::Data;

const RECORDED_STYLE: &str = include_str!("../../../web/recorded/page.css");
const MODEL: &str = include_str!("../../../web/recorded/model.js");
const TIMELINE: &str = include_str!("../../../web/recorded/timeline.js");
const FLAME: &str = include_str!("../../../web/recorded/flame.js");
const SITES: &str = include_str!("../../../web/recorded/sites.js");
const DETAILS: &str = include_str!("../../../web/recorded/details.js");

/// Sites of a mark.
const OF_A_MARK: usize = 5;

/// Writes the page of a recording. Where `sources` has the text of a file, sites show their lines.
///
/// # Errors
/// When the output cannot be written.
pub fn recorded(out: &mut impl Write, recorded: &Recorded, sources: &Sources) -> Result<()> {
    let program = &recorded.recording.program;
    let page = Page {
        title: &words::recorded::program(program),
        subtitle: &program.command.join(" "),
        styles: &[STYLE, RECORDED_STYLE],
        scripts: &[TABLE, MODEL, TIMELINE, FLAME, DETAILS, SITES],
    };
    let page = page.render(&main(recorded), &Data::of(recorded, sources))?;
    out.write_all(page.as_bytes())?;
    Ok(())
}

fn main(recorded: &Recorded) -> Markup {
    html! {
        (summary(recorded))
        @if !recorded.recording.gaps.is_empty() { (gaps(&recorded.recording.gaps)) }
        noscript { p { "The figures below need this page's own scripts, which are switched off." } }
        section id="time" {
            h2 { "Bytes that stood over time" }
            div id="timeline" {}
        }
        section id="calls" {
            h2 { "Who called for it" }
            div id="flame" {}
        }
        section id="sites" {
            h2 { "Sites" }
            div id="site-list" {}
        }
        @if !recorded.marks.is_empty() { (marks(recorded)) }
    }
}

/// What was recorded, and the answer.
fn summary(recorded: &Recorded) -> Markup {
    let recording = &recorded.recording;
    let totals = &recording.totals;
    let temporary = (totals.allocations > 0 && !recorded.is_window)
        .then(|| percent(totals.temporary as f64 / totals.allocations as f64));
    html! {
        p.about {
            (words::recorded::time(&recording.program)) "; " (words::recorded::exactness(recording))
            @if !recording.program.system.is_empty() { "; " (recording.program.system.join(", ")) }
        }
        section class={ "verdict " (class(recorded)) } { h2 { (words::recorded::verdict(recorded)) } }
        dl.figures {
            (figure("Peak", &size(totals.peak), &format!("at {}", duration(totals.peak_at.as_secs_f64()))))
            (figure("Not freed at the end", &size(totals.live), &counted(totals.live_blocks, "block")))
            @if let Some((blocks, bytes)) = recorded.lost() {
                (figure("Lost at the end", &size(bytes), &counted(blocks, "block")))
            }
            (figure("Allocated in all", &size(totals.allocated), &counted(totals.allocations, "allocation")))
            @if let Some(share) = temporary { (figure("Temporary", &share, "freed by the next call")) }
            @if totals.mapped_peak > Bytes::ZERO {
                (figure("Mapped by itself", &size(totals.mapped), &format!("{} at most", size(totals.mapped_peak))))
            }
        }
    }
}

fn figure(what: &str, value: &str, more: &str) -> Markup {
    html! { div { dt { (what) } dd { (value) } dd.more { (more) } } }
}

fn class(recorded: &Recorded) -> &'static str {
    match () {
        () if recorded.has_lost() => "leak",
        () if recorded.grows() => "likely_leak",
        () if recorded.is_blind() => "inconclusive",
        () if recorded.sites.iter().any(|site| site.growth.shape == Shape::Growing) => "inconclusive",
        () => "stable",
    }
}

/// What the program did in the phases that it named.
fn marks(recorded: &Recorded) -> Markup {
    html! {
        section id="marks" {
            h2 { "Marks" }
            @for mark in &recorded.marks { (marked(recorded, mark)) }
        }
    }
}

fn marked(recorded: &Recorded, mark: &MarkView) -> Markup {
    let left = mark.sites.iter().filter(|site| site.net > 0);
    html! {
        h3 { (mark.name) }
        p {
            "begun " (count(mark.begun)) " times, ended " (count(mark.ended)) " times, "
            (duration(mark.time.as_secs_f64())) " in all: " (counted(mark.allocations, "allocation")) " of "
            (size(mark.allocated)) "; left behind: " (words::recorded::net(mark.net, mark.net_blocks))
        }
        ul { @for site in left.take(OF_A_MARK) {
            li {
                (change(site.net)) " "
                @match recorded.frames(site.path).next() {
                    Some(frame) => code { (words::recorded::frame(frame)) },
                    None => "by a call path that nobody knows",
                }
            }
        } }
    }
}
