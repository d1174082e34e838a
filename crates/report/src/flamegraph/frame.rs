use std::io::Write;

use residue_analysis::recorded::{FlameNode, Frame, Measure};
use unicode_width::UnicodeWidthChar;

use super::color;
use super::layout::{Placed, ROW, pixels};
use super::xml::Text;
use crate::units::percent;
use crate::{Result, words};

/// Pixels of a letter: the style sheet asks for 12 px of a font whose letters are equally wide.
const LETTER: f64 = 7.25;
/// Pixels at both sides of a name together.
const MARGIN: f64 = 6.0;
/// Between neighbours, where there is room for it.
const GAP: f64 = 0.6;
/// Names of fewer letters say nothing.
const LEAST_LETTERS: usize = 3;

/// What all frames are drawn with.
pub(super) struct Pen {
    pub(super) measure: Measure,
    pub(super) total: u64,
    /// Where the lowest row ends.
    pub(super) floor: usize,
}

impl Pen {
    pub(super) fn draw(&self, out: &mut impl Write, node: &FlameNode, placed: &Placed) -> Result<()> {
        let (x, width) = (pixels(placed.start, self.total), pixels(node.total, self.total));
        let y = self.floor - (placed.row + 1) * ROW;
        let name = node.frame.as_ref().map_or_else(|| "all".to_owned(), words::recorded::function);
        let color = node.frame.as_ref().map_or_else(|| color::ROOT.to_owned(), color::of);
        writeln!(
            out,
            r#"<g data-at="{}" data-of="{}" data-name="{}"><title>{}</title><rect x="{x:.2}" y="{y}" width="{:.2}" height="{}" fill="{color}"/><text x="{:.2}" y="{}">{}</text></g>"#,
            placed.start,
            node.total,
            Text(&name),
            self.title(node),
            if width > 4.0 * GAP { width - GAP } else { width },
            ROW - 1,
            x + MARGIN / 2.0,
            y + 13,
            Text(&cut(&name, width)),
        )?;
        Ok(())
    }

    /// What a pointer on it is told: the name in full, exact numbers, the module.
    fn title(&self, node: &FlameNode) -> String {
        let mut lines = node.frame.as_ref().map_or_else(|| vec!["all".to_owned()], names);
        let share = percent(node.total as f64 / self.total as f64);
        lines.push(format!("{}, {share} of all", words::recorded::weight(self.measure, node.total)));
        if node.own > 0 && node.own < node.total {
            let own = words::recorded::weight(self.measure, node.own);
            let by = if node.frame.is_some() { "itself" } else { "call paths that nobody knows" };
            lines.push(format!("{own} of it by {by}"));
        }
        lines.extend(node.frame.as_ref().and_then(|frame| Some(format!("in {}", frame.module.as_ref()?))));
        let lines: Vec<String> = lines.iter().map(|line| Text(line).to_string()).collect();
        lines.join("\n")
    }
}

/// The name with its place, and as it is written in full where that is more.
fn names(frame: &Frame) -> Vec<String> {
    let short = words::recorded::function(frame);
    // Without a line, there may be several: the address is only that of one.
    let named = if frame.line.is_some() { words::recorded::frame(frame) } else { short.clone() };
    let full = frame.function.as_deref().filter(|full| *full != short);
    std::iter::once(named).chain(full.map(str::to_owned)).collect()
}

/// As much of a name as fits.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "letters in a row of pixels")]
fn cut(name: &str, width: f64) -> String {
    let room = ((width - MARGIN) / LETTER).max(0.0) as usize;
    let letters = |letter: char| letter.width().unwrap_or(1);
    if name.chars().map(letters).sum::<usize>() <= room {
        return name.to_owned();
    }
    if room < LEAST_LETTERS {
        return String::new();
    }
    let mut taken = 0;
    let kept = name.chars().take_while(|&letter| {
        taken += letters(letter);
        taken < room
    });
    kept.chain(['…']).collect()
}
