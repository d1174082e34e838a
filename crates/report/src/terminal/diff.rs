use std::io::Write;

use residue_analysis::{Change, Diff};

use super::Screen;
use super::table::Table;
use crate::Result;
use crate::units::{change, change_or_dash};

/// Writes what changed between two maps.
///
/// # Errors
/// When the output cannot be written.
pub fn diff(out: &mut impl Write, screen: Screen, diff: &Diff, top: Option<usize>) -> Result<()> {
    if diff.by_usage.is_empty() && diff.regions.is_empty() {
        writeln!(out, "no difference")?;
        return Ok(());
    }
    usages(out, screen, diff)?;
    writeln!(out)?;
    let shown = top.unwrap_or(diff.regions.len()).min(diff.regions.len());
    let mut table = Table::new()
        .flush_left()
        .term("CHANGE", 0)
        .number("START", 0)
        .number("SIZE", 1)
        .number("RSS", 0)
        .term("USAGE", 3)
        .text("NAME", 2);
    for region in &diff.regions[..shown] {
        let what = match region.change {
            Change::New => "new",
            Change::Gone => "gone",
            Change::Changed => "changed",
        };
        table.row(vec![
            what.to_owned(),
            format!("{:x}", region.start.0),
            change(region.size),
            change_or_dash(region.rss),
            region.usage.label().to_owned(),
            region.name.clone(),
        ]);
    }
    table.write(out, screen)?;
    writeln!(out, "{}", screen.faint(&format!("{shown} of {} changed regions", diff.regions.len())))?;
    Ok(())
}

/// The sums: of Windows what is committed, elsewhere what is resident and swapped out.
fn usages(out: &mut impl Write, screen: Screen, diff: &Diff) -> Result<()> {
    let is_windows = diff.by_usage.iter().any(|row| row.committed.is_some());
    let held: &[&str] = if is_windows { &["COMMITTED"] } else { &["RSS", "SWAP"] };
    let table = Table::new().flush_left().term("CHANGE BY USAGE", 0).number("REGIONS", 2).number("SIZE", 0);
    let mut table = held.iter().zip([0, 3]).fold(table, |table, (title, spare)| table.number(title, spare));
    for row in &diff.by_usage {
        let mut cells = vec![row.usage.label().to_owned(), format!("{:+}", row.regions), change(row.size)];
        if is_windows {
            cells.push(change_or_dash(row.committed));
        } else {
            cells.extend([change_or_dash(row.rss), change_or_dash(row.swap)]);
        }
        table.row(cells);
    }
    table.write(out, screen)
}
