use std::io::Write;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row, Table as Grid, Width, presets};
use unicode_width::UnicodeWidthStr;

use super::Screen;
use crate::Result;

/// A table that fits its screen: long words are cut, and where that is not enough, the least important columns go.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    indent: usize,
    header: bool,
}

struct Column {
    title: String,
    kind: Kind,
    /// The higher, the sooner it goes when room is short; 0 stays.
    spare: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// To the right, never cut.
    Number,
    /// To the left; cut only when nothing else is left to give up: half a term is no term.
    Term,
    /// To the left, cut before any column goes.
    Text,
}

/// Words are not cut below this.
const SHORTEST: usize = 12;

impl Table {
    pub(super) fn new() -> Table {
        Table { columns: Vec::new(), rows: Vec::new(), indent: 2, header: true }
    }

    pub(super) fn flush_left(mut self) -> Table {
        self.indent = 0;
        self
    }

    pub(super) fn without_header(mut self) -> Table {
        self.header = false;
        self
    }

    /// A column of words, to the left.
    pub(super) fn text(self, title: &str, spare: u8) -> Table {
        self.column(title, Kind::Text, spare)
    }

    /// A column of terms that only mean something whole, to the left.
    pub(super) fn term(self, title: &str, spare: u8) -> Table {
        self.column(title, Kind::Term, spare)
    }

    /// A column of numbers, to the right.
    pub(super) fn number(self, title: &str, spare: u8) -> Table {
        self.column(title, Kind::Number, spare)
    }

    fn column(mut self, title: &str, kind: Kind, spare: u8) -> Table {
        self.columns.push(Column { title: title.to_owned(), kind, spare });
        self
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn write(self, out: &mut impl Write, screen: Screen) -> Result<()> {
        let widths = self.widths();
        let limit = screen.width.map(|width| width.saturating_sub(self.indent));
        let fit = Fit::new(&self.columns, &widths, limit);
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.header {
            let titles = self.columns.iter().map(|column| column.title.as_str());
            grid.set_header(Row::from(titles.collect::<Vec<_>>()));
        }
        for row in self.rows {
            let cells: Vec<String> =
                row.into_iter().zip(&fit.widths).map(|(cell, &width)| cut(cell, width)).collect();
            grid.add_row(cells);
        }
        for (index, column) in self.columns.iter().enumerate() {
            let Some(shown) = grid.column_mut(index) else { continue };
            shown.set_cell_alignment(if column.kind == Kind::Number {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            });
            shown.set_padding((0, 2));
            if fit.hidden[index] {
                shown.set_constraint(ColumnConstraint::Hidden);
            } else {
                let width = u16::try_from(fit.widths[index] + 2).unwrap_or(u16::MAX);
                shown.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            }
        }
        for (index, line) in grid.lines().enumerate() {
            let line = line.trim_end();
            let line = if index == 0 && self.header { screen.faint(line) } else { line.to_owned() };
            writeln!(out, "{:indent$}{line}", "", indent = self.indent)?;
        }
        let hidden: Vec<&str> = hidden_titles(&self.columns, &fit.hidden);
        if !hidden.is_empty() {
            let note = format!("not shown for want of width: {}", hidden.join(", "));
            writeln!(
                out,
                "{:indent$}{}",
                "",
                screen.faint(&screen.wrap(&note, self.indent)),
                indent = self.indent
            )?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let widest =
            |index: usize| self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width()).max();
        let title = |column: &Column| if self.header { column.title.width() } else { 0 };
        self.columns
            .iter()
            .enumerate()
            .map(|(index, column)| widest(index).unwrap_or(0).max(title(column)))
            .collect()
    }
}

fn hidden_titles<'a>(columns: &'a [Column], hidden: &[bool]) -> Vec<&'a str> {
    columns
        .iter()
        .zip(hidden)
        .filter(|(column, hidden)| **hidden && !column.title.is_empty())
        .map(|(column, _)| column.title.as_str())
        .collect()
}

/// How wide each column is drawn, and which are not.
struct Fit {
    widths: Vec<usize>,
    hidden: Vec<bool>,
}

impl Fit {
    fn new(columns: &[Column], natural: &[usize], limit: Option<usize>) -> Fit {
        let mut fit = Fit { widths: natural.to_vec(), hidden: vec![false; columns.len()] };
        let Some(limit) = limit else { return fit };
        fit.cut(columns, Kind::Text, natural, limit);
        while fit.total() > limit {
            let candidates =
                (0..columns.len()).filter(|&index| !fit.hidden[index] && columns[index].spare > 0);
            let Some(next) = candidates.max_by_key(|&index| (columns[index].spare, index)) else { break };
            fit.hidden[next] = true;
            fit.widths = natural.to_vec();
            fit.cut(columns, Kind::Text, natural, limit);
        }
        fit.cut(columns, Kind::Term, natural, limit);
        fit
    }

    fn total(&self) -> usize {
        let shown = || self.widths.iter().zip(&self.hidden).filter(|(_, hidden)| !**hidden);
        shown().map(|(width, _)| width).sum::<usize>() + 2 * shown().count().saturating_sub(1)
    }

    /// Takes what is missing from the widest columns of a kind, down to a readable rest.
    fn cut(&mut self, columns: &[Column], kind: Kind, natural: &[usize], limit: usize) {
        loop {
            let excess = self.total().saturating_sub(limit);
            let words =
                (0..columns.len()).filter(|&index| columns[index].kind == kind && !self.hidden[index]);
            let Some(widest) = words.max_by_key(|&index| self.widths[index]) else { return };
            let least = natural[widest].min(SHORTEST);
            if excess == 0 || self.widths[widest] <= least {
                return;
            }
            self.widths[widest] = self.widths[widest].saturating_sub(excess).max(least);
        }
    }
}

/// Cuts text to a width, marked by an ellipsis.
pub(super) fn cut(text: String, width: usize) -> String {
    if text.width() <= width {
        return text;
    }
    let mut kept = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let wide = unicode_width::UnicodeWidthChar::width(character).unwrap_or(0);
        if taken + wide + 1 > width {
            break;
        }
        taken += wide;
        kept.push(character);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: Option<usize>) -> String {
        let mut table =
            Table::new().flush_left().number("PID", 0).number("PSS", 0).number("SWAP", 3).text("COMMAND", 0);
        table.row(vec![
            "1".into(),
            "1.5 MiB".into(),
            "0 B".into(),
            "/usr/bin/a --with a --very long --command line".into(),
        ]);
        table.row(vec!["31337".into(), "-".into(), "-".into(), "b".into()]);
        let mut out = Vec::new();
        table.write(&mut out, Screen { width, color: false }).expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_file_gets_every_character() {
        insta::assert_snapshot!(drawn(None));
    }

    #[test]
    fn words_are_cut_before_columns_go() {
        insta::assert_snapshot!(drawn(Some(50)));
        insta::assert_snapshot!(drawn(Some(30)));
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        for width in [30, 40, 50, 80] {
            assert!(drawn(Some(width)).lines().all(|line| line.width() <= width), "{width}");
        }
    }
}
