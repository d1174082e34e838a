//! Findings on a terminal, or in a file that reads like one.

mod bars;
mod compared;
mod diff;
mod dump;
mod heap;
mod hex;
mod leaks;
mod map;
mod ps;
mod recorded;
mod refs;
mod regions;
mod search;
mod sites;
mod sums;
mod table;
mod triage;
mod watch;

pub use bars::{bar, density, overview, sparkline};
pub use compared::compared;
pub use diff::diff;
pub use dump::dumped;
pub use heap::{heap, malloc_stats};
pub use hex::{extracted, hex};
pub use leaks::{LeakView, blocks, leaks};
pub use map::{MapView, map};
pub use ps::{PsStyle, Sizes, bar_chart, machine, processes};
pub use recorded::{RecordedView, recorded};
pub use refs::refs;
pub use search::search;
pub use triage::{triage, watched};
pub use watch::WatchLines;

use std::io::Write;

use anstyle::{AnsiColor, Style};
use residue_model::Gap;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::Result;

/// What the output can show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Characters a line; `None` when nobody looks at lines: a file, a pipe.
    pub width: Option<usize>,
    /// Colours and bold.
    pub color: bool,
}

impl Screen {
    fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn heading(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default().bold(), text)
    }

    fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    fn doubtful(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    fn faint(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Breaks text into lines that fit, each but the first begun with `indent` spaces. A word that is longer than a line
    /// is broken too: a path or a command line can be.
    fn wrap(self, text: &str, indent: usize) -> String {
        let room = self.width.unwrap_or(120).clamp(30, 120) - indent;
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            for (part, piece) in pieces(word, room).into_iter().enumerate() {
                let line = lines.last_mut().expect("starts with one line");
                let fits = line.width() + 1 + piece.width() <= room;
                if line.is_empty() {
                    line.push_str(&piece);
                } else if part == 0 && fits {
                    line.push(' ');
                    line.push_str(&piece);
                } else {
                    lines.push(piece);
                }
            }
        }
        lines.join(&format!("\n{}", " ".repeat(indent)))
    }
}

/// A word in pieces of at most `room` columns.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for character in word.chars() {
        let piece = pieces.last_mut().expect("starts with one piece");
        if piece.width() + character.width().unwrap_or(0) > room {
            pieces.push(character.to_string());
        } else {
            piece.push(character);
        }
    }
    pieces
}

/// Writes what could not be seen; nothing when everything was.
///
/// # Errors
/// When the output cannot be written.
pub fn gaps(out: &mut impl Write, screen: Screen, gaps: &[Gap]) -> Result<()> {
    if gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", screen.heading("NOT SEEN"))?;
    for gap in gaps {
        writeln!(out, "  {}", screen.wrap(&format!("{}: {}", gap.what, gap.why), 4))?;
    }
    Ok(())
}
