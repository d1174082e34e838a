//! Findings on a terminal, or in a file that reads like one.

mod bars;
mod map;
mod ps;
mod table;
mod triage;
mod watch;

pub use bars::{bar, sparkline};
pub use map::{MapView, diff, map};
pub use ps::{PsStyle, Sizes, bar_chart, machine, processes};
pub use triage::{triage, watched};
pub use watch::WatchLines;

use std::io::Write;

use anstyle::{AnsiColor, Style};
use residue_model::Gap;
use unicode_width::UnicodeWidthStr;

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

    /// Breaks text into lines that fit, each begun with `indent` spaces.
    fn wrap(self, text: &str, indent: usize) -> String {
        let width = self.width.unwrap_or(120).clamp(30, 120);
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let line = lines.last_mut().expect("starts with one line");
            let length = line.width();
            if length > 0 && indent + length + 1 + word.width() > width {
                lines.push(word.to_owned());
            } else {
                if length > 0 {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        lines.join(&format!("\n{}", " ".repeat(indent)))
    }
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
