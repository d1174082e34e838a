use std::io::Write;

use residue_analysis::{Map, Row};
use residue_model::Os;

use super::Screen;
use super::table::Table;
use crate::Result;
use crate::units::{percent, size, size_or_dash};

/// Writes the address space summed by usage, type, state and protection: with resident sizes for a live process, with
/// what was saved for a dump, in WinDbg's words for Windows.
pub(super) fn sums(out: &mut impl Write, screen: Screen, map: &Map) -> Result<()> {
    let summary = &map.summary;
    let is_windows = map.snapshot.machine.os == Os::Windows;
    let headings = if is_windows {
        ["Usage Summary", "Type Summary (for busy)", "State Summary", "Protect Summary"]
    } else {
        ["BY USAGE", "BY TYPE", "BY STATE", "BY PROTECTION"]
    };
    let free: Vec<Row> = summary.by_state.last().cloned().into_iter().collect();
    for (index, rows) in [&summary.by_usage, &summary.by_type, &summary.by_state, &summary.by_protection]
        .into_iter()
        .enumerate()
    {
        // WinDbg lists what is free among the usages too.
        let more = if is_windows && index == 0 { free.as_slice() } else { &[] };
        let rows: Vec<&Row> = rows.iter().chain(more).collect();
        // What is free is no part of the total.
        let total = (index != 2).then_some(&summary.total);
        writeln!(out)?;
        if map.snapshot.dump.is_some() || is_windows {
            let held = Held::of(map);
            held_sums(out, screen, headings[index], &rows, total, held, is_windows)?;
        } else {
            live_sums(out, screen, headings[index], &rows, total)?;
        }
    }
    if is_windows { largest(out, screen, &summary.by_usage, free.first()) } else { Ok(()) }
}

fn live_sums(
    out: &mut impl Write,
    screen: Screen,
    heading: &str,
    rows: &[&Row],
    total: Option<&Row>,
) -> Result<()> {
    let mut table = Table::new()
        .flush_left()
        .term(heading, 0)
        .number("REGIONS", 2)
        .number("SIZE", 0)
        .number("%MAPPED", 3)
        .number("%SPACE", 9)
        .number("LARGEST", 4)
        .number("RSS", 0)
        .number("PSS", 5)
        .number("USS", 8)
        .number("SWAP", 7);
    for row in rows.iter().copied().chain(total) {
        table.row(vec![
            row.label.clone(),
            row.regions.to_string(),
            size(row.size),
            percent(row.share_of_mapped),
            percent(row.share_of_space),
            size(row.largest),
            size_or_dash(row.rss),
            size_or_dash(row.pss),
            size_or_dash(row.uss),
            size_or_dash(row.swap),
        ]);
    }
    table.write(out, screen)
}

/// What is known of how much of a region is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// What a dump saved of it.
    Saved,
    /// What of it is in RAM, on Windows.
    Resident,
    /// Nothing: the system does not tell.
    Untold,
}

impl Held {
    fn of(map: &Map) -> Held {
        match (&map.snapshot.dump, map.summary.total.rss) {
            (Some(_), _) => Held::Saved,
            (None, Some(_)) => Held::Resident,
            (None, None) => Held::Untold,
        }
    }
}

fn held_sums(
    out: &mut impl Write,
    screen: Screen,
    heading: &str,
    rows: &[&Row],
    total: Option<&Row>,
    held: Held,
    is_windows: bool,
) -> Result<()> {
    let [count, whole, busy, space] = if is_windows {
        ["RgnCount", "Total Size", "%ofBusy", "%ofTotal"]
    } else {
        ["REGIONS", "SIZE", "%MAPPED", "%SPACE"]
    };
    let mut table = Table::new()
        .flush_left()
        .term(heading, 0)
        .number(count, 2)
        .number(whole, 0)
        .number(busy, 0)
        .number(space, 3)
        .number("LARGEST", 4);
    table = match held {
        Held::Saved => table.number("IN DUMP", 1),
        Held::Resident => table.number("IN RAM", 1).number("PRIVATE", 2),
        Held::Untold => table,
    };
    for row in rows.iter().copied().chain(total) {
        let mut cells = vec![
            row.label.clone(),
            row.regions.to_string(),
            size(row.size),
            percent(row.share_of_mapped),
            percent(row.share_of_space),
            size(row.largest),
        ];
        match held {
            Held::Saved => cells.push(size_or_dash(row.saved)),
            Held::Resident => cells.extend([size_or_dash(row.rss), size_or_dash(row.uss)]),
            Held::Untold => {}
        }
        table.row(cells);
    }
    table.write(out, screen)
}

fn largest(out: &mut impl Write, screen: Screen, rows: &[Row], free: Option<&Row>) -> Result<()> {
    let mut table = Table::new()
        .flush_left()
        .term("Largest Region by Usage", 0)
        .number("Base Address", 0)
        .number("Region Size", 0);
    for row in rows.iter().chain(free) {
        table.row(vec![row.label.clone(), format!("{:x}", row.largest_at.0), size(row.largest)]);
    }
    writeln!(out)?;
    table.write(out, screen)
}
