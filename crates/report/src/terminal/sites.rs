//! Sites one below the other: numbers to the left, who asked to the right, and below it who called that.

use std::io::Write;

use residue_analysis::recorded::{Frame, PathId, Recorded};
use unicode_width::UnicodeWidthStr;

use super::Screen;
use super::table::cut;
use crate::{Result, words};

/// A site as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct SiteRow {
    /// The numbers.
    pub(super) cells: Vec<String>,
    /// The function that asked.
    pub(super) name: String,
    /// Where that is: never cut.
    pub(super) place: String,
    /// Who called it: as many as there is room for, or all, a line each.
    pub(super) path: Callers,
    /// Stands behind the callers.
    pub(super) note: String,
    /// What else there is to say, a line each.
    pub(super) below: Vec<String>,
    /// Other paths that lead there.
    pub(super) others: Vec<SiteRow>,
}

/// Who called.
#[derive(Clone, Debug)]
pub(super) enum Callers {
    /// As many as there is room for.
    Short(Vec<String>),
    /// All, a line each.
    All(Vec<String>),
}

impl Default for Callers {
    fn default() -> Callers {
        Callers::Short(Vec::new())
    }
}

impl SiteRow {
    /// The names of a path; `full` for all of its frames.
    pub(super) fn of(recorded: &Recorded, path: PathId, full: bool) -> SiteRow {
        let mut frames = recorded.own_frames(path);
        let Some(first) = frames.next() else {
            return SiteRow { name: "a call path that nobody knows".into(), ..SiteRow::default() };
        };
        let (name, place) = name_and_place(first);
        let path = if full {
            Callers::All(frames.map(whole).collect())
        } else {
            Callers::Short(frames.map(words::recorded::function).collect())
        };
        SiteRow { name, place, path, ..SiteRow::default() }
    }
}

impl SiteRow {
    /// All callers, where they have room beside the name and there is nothing else to say.
    fn beside(&self, room: usize) -> Option<String> {
        let Callers::Short(callers) = &self.path else { return None };
        let line = short_path(callers, &self.note, usize::MAX);
        (self.below.is_empty() && !line.is_empty() && line.width() <= room).then_some(line)
    }
}

/// What may be cut of a frame's words, and what may not.
fn name_and_place(frame: &Frame) -> (String, String) {
    match frame.short_function() {
        Some(function) if frame.line.is_some() => {
            (function, format!(" at {}", words::recorded::place(frame)))
        }
        Some(function) => (function, format!(" in {}", words::recorded::place(frame))),
        None => (words::recorded::place(frame), String::new()),
    }
}

fn whole(frame: &Frame) -> String {
    let inlined = if frame.is_inlined { " (inlined)" } else { "" };
    words::recorded::frame(frame) + inlined
}

/// Less room than this for a name is none.
const LEAST_ROOM: usize = 30;

/// Writes sites below each other, with titles above their numbers. The last numbers go where room is short.
pub(super) fn rows(out: &mut impl Write, screen: Screen, titles: &[&str], rows: &[SiteRow]) -> Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| cell.width());
        cells.max().unwrap_or(0).max(titles[column].width())
    };
    let mut widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let left = |widths: &[usize]| 2 + widths.iter().map(|width| width + 2).sum::<usize>();
    while widths.len() > 1 && screen.width.is_some_and(|width| left(&widths) + LEAST_ROOM > width) {
        widths.pop();
    }
    let indent = left(&widths);
    let room = screen.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(8));
    let aligned = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> =
            widths.iter().zip(cells).map(|(width, cell)| format!("{cell:>width$}  ")).collect();
        cells.concat()
    };
    let titles = aligned(&mut titles.iter().copied());
    writeln!(out, "  {}", screen.faint(&format!("{titles}SITE")))?;
    for row in rows {
        let cells = aligned(&mut row.cells.iter().map(String::as_str));
        let name = fitted(&row.name, &row.place, room);
        let margin = " ".repeat(indent);
        if let Some(beside) = row.beside(room.min(100).saturating_sub(name.width() + 2)) {
            writeln!(out, "  {cells}{name}  {}", screen.faint(&beside))?;
            continue;
        }
        writeln!(out, "  {cells}{name}")?;
        for line in &row.below {
            writeln!(out, "{margin}{}", screen.wrap(line, indent))?;
        }
        callers(out, screen, row, &margin, room)?;
        for other in &row.others {
            writeln!(out, "{margin}{}", screen.faint("and also"))?;
            callers(out, screen, other, &margin, room)?;
        }
    }
    Ok(())
}

fn callers(out: &mut impl Write, screen: Screen, row: &SiteRow, margin: &str, room: usize) -> Result<()> {
    match &row.path {
        Callers::All(callers) => {
            for caller in callers {
                writeln!(out, "{margin}{}", screen.faint(&cut(format!("← {caller}"), room)))?;
            }
        }
        Callers::Short(callers) => {
            let line = short_path(callers, &row.note, room.min(100));
            if !line.is_empty() {
                writeln!(out, "{margin}{}", screen.faint(&line))?;
            }
        }
    }
    Ok(())
}

/// A name and its place: the name is cut, the place stays.
fn fitted(name: &str, place: &str, room: usize) -> String {
    let for_name = room.saturating_sub(place.width());
    if for_name < 12 { cut(format!("{name}{place}"), room) } else { cut(name.to_owned(), for_name) + place }
}

/// `← load ← main`, as far as there is room for it and for the note.
fn short_path(callers: &[String], note: &str, room: usize) -> String {
    let note = if note.is_empty() { String::new() } else { format!("  {note}") };
    let room = room.saturating_sub(note.width());
    let mut line = String::new();
    for (index, caller) in callers.iter().enumerate() {
        let step = if index == 0 { format!("← {caller}") } else { format!(" ← {caller}") };
        let more = if index + 1 < callers.len() { 4 } else { 0 };
        if line.width() + step.width() + more > room {
            line.push_str(if index == 0 { "← …" } else { " ← …" });
            break;
        }
        line.push_str(&step);
    }
    (line + &note).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_as_far_as_there_is_room() {
        let callers: Vec<String> = ["load", "serve", "main"].map(str::to_owned).to_vec();
        assert_eq!(short_path(&callers, "", 80), "← load ← serve ← main");
        assert_eq!(short_path(&callers, "", 20), "← load ← serve ← …");
        assert_eq!(short_path(&callers, "and 2 other paths", 39), "← load ← serve ← …  and 2 other paths");
        assert_eq!(short_path(&[], "", 40), "");
    }

    #[test]
    fn of_a_long_name_the_place_stays() {
        assert_eq!(fitted("a_very_long_function_name", " at a.c:5", 24), "a_very_long_fu… at a.c:5");
        assert_eq!(fitted("f", " at a.c:5", 80), "f at a.c:5");
    }
}
