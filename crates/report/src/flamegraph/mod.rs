//! A flame graph as one SVG file: who called for memory, each function as wide as what it and those it called weigh.
//!
//! It opens from disk in a browser, where a small script of its own zooms and searches; anything else that shows SVG shows
//! the picture.

mod color;
mod frame;
mod layout;
mod xml;

use std::io::Write;

use residue_analysis::recorded::{Flame, Measure, Recorded};

use crate::units::counted;
use crate::{Result, words};
use frame::Pen;
use layout::{Layout, ROW, WIDTH};
use xml::Text;

const STYLE: &str = include_str!("../../web/flamegraph/style.css");
const SCRIPT: &str = include_str!("../../web/flamegraph/steer.js");

/// Pixels above the frames and below them.
const HEAD: usize = 68;
const FOOT: usize = 30;

/// Writes a flame graph of a recording by a measure; `flame` is its tree.
///
/// # Errors
/// When the output cannot be written.
pub fn write(out: &mut impl Write, recorded: &Recorded, flame: &Flame, measure: Measure) -> Result<()> {
    let layout = Layout::of(flame);
    let rows = layout.rows.max(1);
    let height = HEAD + rows * ROW + FOOT;
    let what = words::recorded::measure(measure, recorded.is_window);
    let program = words::recorded::program(&recorded.recording.program);
    let all = words::recorded::weight(measure, flame.total());
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" data-total="{}">"#,
        flame.total()
    )?;
    writeln!(out, "<title>{}: {what}, {all}</title>", Text(&program))?;
    writeln!(out, "<style>{STYLE}</style>")?;
    writeln!(out, r#"<rect id="paper" width="100%" height="100%"/>"#)?;
    writeln!(out, r#"<g id="frames">"#)?;
    let pen = Pen { measure, total: flame.total(), floor: HEAD + rows * ROW };
    for placed in &layout.placed {
        pen.draw(out, &flame.nodes[placed.node], placed)?;
    }
    writeln!(out, "</g>")?;
    if layout.placed.is_empty() {
        let why =
            if recorded.is_blind() { "Nothing was recorded" } else { "Nothing to draw: it weighs nothing" };
        writeln!(out, r#"<text x="10" y="{}">{why}</text>"#, HEAD + 13)?;
    }
    writeln!(out, r#"<g id="head"><rect id="back" width="100%" height="{}"/>"#, HEAD - 6)?;
    writeln!(out, r#"<text class="name" x="10" y="22">{}: {what}</text>"#, Text(&program))?;
    writeln!(out, r#"<text x="10" y="40">{}</text>"#, Text(&about(recorded, flame, measure)))?;
    writeln!(out, r#"<text id="told" x="10" y="57"></text></g>"#)?;
    if layout.left_out > 0 {
        let sum = words::recorded::weight(measure, layout.left_out_weight);
        let text = format!(
            "Too narrow to be drawn, with what they called: {} of {sum} in all",
            counted(layout.left_out, "call")
        );
        writeln!(out, r#"<text class="faint" x="10" y="{}">{text}</text>"#, height - 12)?;
    }
    writeln!(out, "<script><![CDATA[\n{SCRIPT}]]></script>\n</svg>")?;
    Ok(())
}

/// How much all of it is, of what, and how exact.
fn about(recorded: &Recorded, flame: &Flame, measure: Measure) -> String {
    let mut parts = vec![words::recorded::weight(measure, flame.total())];
    if flame.mapped > 0 {
        let mapped = words::recorded::weight(measure, flame.mapped);
        parts.push(format!("{mapped} of it by mmap or brk of the program itself"));
    }
    if recorded.chosen.is_some() {
        parts.push("only of what was asked for".into());
    }
    parts.push(words::recorded::exactness(&recorded.recording));
    parts.join("; ")
}
