use std::io::Write;

use residue_analysis::accounting::{Column, Machine, Rows, Table as Answer, Value};
use residue_model::{Bytes, SystemMemory};

use super::table::Table;
use super::{Screen, bar};
use crate::Result;
use crate::units::{percent, size, size_or_dash};

/// How sizes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sizes {
    /// `1.5 MiB`.
    #[default]
    Units,
    /// `1572864`.
    Bytes,
    /// `0.3 %` of the machine's memory.
    Percent,
}

/// How a table of processes looks.
#[derive(Clone, Copy, Debug)]
pub struct PsStyle {
    /// How sizes are written.
    pub sizes: Sizes,
    /// With headings.
    pub header: bool,
    /// With a row of totals.
    pub totals: bool,
}

impl Sizes {
    fn write(self, value: Bytes, system: &SystemMemory) -> String {
        match self {
            Sizes::Units => size(value),
            Sizes::Bytes => value.0.to_string(),
            Sizes::Percent => system.total.map_or_else(|| "-".into(), |total| percent(value.share_of(total))),
        }
    }
}

/// Writes the table of processes, users or mappings.
///
/// # Errors
/// When the output cannot be written.
pub fn processes(
    out: &mut impl Write,
    screen: Screen,
    answer: &Answer,
    columns: &[Column],
    style: PsStyle,
) -> Result<()> {
    let PsStyle { sizes, header, totals } = style;
    let mut table = Table::new().flush_left();
    for (place, column) in columns.iter().enumerate() {
        let spare = spare(*column, place);
        table = if column.is_text() {
            table.text(column.title(), spare)
        } else {
            table.number(column.title(), spare)
        };
    }
    if !header {
        table = table.without_header();
    }
    let cell = |value: Value<'_>| match value {
        Value::Text(text) => text.to_owned(),
        Value::Size(value) => sizes.write(value, &answer.system),
        Value::AtLeast(value) => format!("≥ {}", sizes.write(value, &answer.system)),
        Value::Count(count) => count.to_string(),
        Value::Unknown => "-".into(),
    };
    let cells = |value: &dyn Fn(Column) -> String| columns.iter().map(|&column| value(column)).collect();
    match &answer.rows {
        Rows::Processes(rows) => {
            for row in rows {
                table.row(cells(&|column| cell(column.of_process(row))));
            }
        }
        Rows::Groups(rows) => {
            for row in rows {
                table.row(cells(&|column| cell(column.of_group(row))));
            }
        }
    }
    if totals {
        table.row(
            columns
                .iter()
                .enumerate()
                .map(|(place, column)| total_cell(answer, *column, place, &cell))
                .collect(),
        );
    }
    table.write(out, screen)?;
    if answer.more > 0 && header {
        writeln!(out, "{}", screen.faint(&format!("{} more rows", answer.more)))?;
    }
    Ok(())
}

/// Sums where there are any; the word in the first column, if that has none.
fn total_cell(answer: &Answer, column: Column, place: usize, cell: &impl Fn(Value<'_>) -> String) -> String {
    match column.of_group(&answer.total) {
        _ if column == Column::Processes => answer.total.processes.to_string(),
        Value::Text(_) if place == 0 => "total".into(),
        Value::Text(_) | Value::Count(_) => String::new(),
        _ if column == Column::AveragePss => String::new(),
        Value::Unknown if place == 0 => "total".into(),
        Value::Unknown if column.is_size() => "-".into(),
        Value::Unknown => String::new(),
        sum => cell(sum),
    }
}

/// Which columns go first on a narrow screen: from the right, but never the first two and never the words that say who.
fn spare(column: Column, place: usize) -> u8 {
    match column {
        Column::Name | Column::Mapping | Column::Pid | Column::Pss => 0,
        Column::Command => 9,
        _ if place < 2 => 1,
        _ => u8::try_from(place).unwrap_or(u8::MAX).min(8),
    }
}

/// Writes a bar chart of one column.
///
/// # Errors
/// When the output cannot be written.
pub fn bar_chart(out: &mut impl Write, screen: Screen, title: &str, bars: &[(String, Bytes)]) -> Result<()> {
    let most = bars.iter().map(|bar| bar.1).max().unwrap_or_default();
    let room = screen.width.unwrap_or(100).saturating_sub(14).clamp(16, 100);
    let (names, width) = (room / 3, room - room / 3 - 4);
    let mut table = Table::new().flush_left().text(title, 0).number("", 0).text("", 0);
    for (name, value) in bars {
        let name: String = name.chars().take(names.max(12)).collect();
        table.row(vec![name, size(*value), bar(value.share_of(most), width)]);
    }
    table.write(out, screen)
}

/// Writes the machine's memory by who holds it.
///
/// # Errors
/// When the output cannot be written.
pub fn machine(
    out: &mut impl Write,
    screen: Screen,
    machine: &Machine,
    sizes: Sizes,
    header: bool,
) -> Result<()> {
    let write =
        |value: Option<Bytes>| value.map_or_else(|| "-".into(), |value| sizes.write(value, &machine.memory));
    let mut table =
        Table::new().flush_left().text("AREA", 0).number("USED", 0).number("CACHE", 2).number("NONCACHE", 1);
    if !header {
        table = table.without_header();
    }
    for area in &machine.areas {
        let row =
            vec![area_label(area.key).into(), write(area.used), write(area.cache), write(area.noncache)];
        table.row(row);
    }
    table.write(out, screen)?;
    let sums = &machine.processes;
    let mut table = Table::new().flush_left().text("ALL PROCESSES", 0).number("SIZE", 0).text("", 1);
    for (name, value, meaning) in [
        ("rss", sums.rss, "shared pages counted once for each process"),
        ("res-shr", sums.res_minus_shr(), "rss without files and shared memory: private anonymous pages"),
        ("pss", sums.pss, "shared pages divided: what processes really take"),
        ("swap", sums.swap, "swapped out"),
    ] {
        table.row(vec![name.into(), write(value), meaning.into()]);
    }
    writeln!(out)?;
    table.write(out, screen)?;
    if let (Some(total), Some(free)) = (machine.memory.swap_total, machine.memory.swap_free) {
        writeln!(out, "\nswap space {}, free {}", size(total), size_or_dash(Some(free)))?;
    }
    Ok(())
}

fn area_label(key: &str) -> &'static str {
    match key {
        "firmware" => "firmware/hardware",
        "kernel_image" => "kernel image",
        "kernel" => "kernel dynamic memory",
        "user" => "userspace memory",
        _ => "free memory",
    }
}
