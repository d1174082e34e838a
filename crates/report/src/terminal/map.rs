use std::io::Write;

use residue_analysis::{Change, Diff, Map, RegionFilter, RegionOrder, Row};
use residue_model::{Counter, Region, Source};

use super::table::Table;
use super::{Screen, bar, gaps};
use crate::Result;
use crate::units::{change, change_or_dash, count, percent, size, size_or_dash};
use crate::words::remark;

/// Which regions the table lists.
#[derive(Clone, Debug, Default)]
pub struct MapView {
    /// Which pass.
    pub filter: RegionFilter,
    /// In which order.
    pub order: RegionOrder,
    /// At most so many; all for `None`.
    pub top: Option<usize>,
    /// How many free ranges are listed.
    pub free: usize,
}

/// Sizes in the histogram.
const SIZES: usize = 10;

/// Writes the address space: sums, sizes, free space, regions.
///
/// # Errors
/// When the output cannot be written.
pub fn map(out: &mut impl Write, screen: Screen, map: &Map, view: &MapView) -> Result<()> {
    title(out, screen, map)?;
    for (heading, rows) in [
        ("BY USAGE", &map.summary.by_usage),
        ("BY TYPE", &map.summary.by_type),
        ("BY STATE", &map.summary.by_state),
        ("BY PROTECTION", &map.summary.by_protection),
    ] {
        sums(out, screen, heading, rows, &map.summary.total)?;
    }
    histogram(out, screen, map)?;
    free(out, screen, map, view.free)?;
    regions(out, screen, map, view)?;
    gaps(out, screen, &map.snapshot.gaps)
}

fn title(out: &mut impl Write, screen: Screen, map: &Map) -> Result<()> {
    let process = &map.snapshot.process;
    let total = &map.summary.total;
    let source = match map.snapshot.source {
        Source::Maps => "maps",
        Source::Smaps => "smaps",
        Source::Pagemap => "maps and the page table, in small steps",
        Source::Core => "the program headers of the core",
        Source::Minidump => "the streams of the minidump",
    };
    writeln!(out, "{}", screen.heading(&format!("Address space of {} ({})", process.pid, process.name)))?;
    let line = format!(
        "{}-bit, {} regions, {} mapped or reserved; rss {}, pss {}, uss {}, swap {}; read from {source}",
        map.snapshot.space.bits,
        count(total.regions),
        size(total.size),
        size_or_dash(total.rss),
        size_or_dash(total.pss),
        size_or_dash(total.uss),
        size_or_dash(total.swap),
    );
    writeln!(out, "{}", screen.wrap(&line, 0))?;
    let reclaim = &map.reclaimable;
    let line = format!(
        "the kernel can take back {} of clean file pages and {} given back with MADV_FREE",
        size_or_dash(reclaim.clean_file),
        size_or_dash(reclaim.lazy_free),
    );
    writeln!(out, "{}", screen.wrap(&line, 0))?;
    Ok(())
}

fn sums(out: &mut impl Write, screen: Screen, heading: &str, rows: &[Row], total: &Row) -> Result<()> {
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
    // What is free is no part of the total.
    let total = (heading != "BY STATE").then_some(total);
    for row in rows.iter().chain(total) {
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
    writeln!(out)?;
    table.write(out, screen)
}

fn histogram(out: &mut impl Write, screen: Screen, map: &Map) -> Result<()> {
    let most = map.histogram.first().map(|bin| bin.total).unwrap_or_default();
    let mut table = Table::new()
        .flush_left()
        .number("EXACT SIZE", 0)
        .number("HEX", 3)
        .number("REGIONS", 0)
        .number("TOTAL", 0)
        .text("", 5);
    for bin in map.histogram.iter().take(SIZES) {
        table.row(vec![
            size(bin.size),
            format!("{:#x}", bin.size.0),
            bin.regions.to_string(),
            size(bin.total),
            bar(bin.total.share_of(most), 20),
        ]);
    }
    writeln!(out)?;
    table.write(out, screen)?;
    let more = map.histogram.len().saturating_sub(SIZES);
    if more > 0 {
        writeln!(out, "{}", screen.faint(&format!("{more} more sizes in --json")))?;
    }
    Ok(())
}

fn free(out: &mut impl Write, screen: Screen, map: &Map, top: usize) -> Result<()> {
    let free = &map.free;
    writeln!(out, "\n{}", screen.heading("FREE"))?;
    let line = format!(
        "{} in {} ranges, largest {}, fragmentation index {:.3}",
        size(free.total),
        count(free.ranges),
        size(free.largest),
        free.index
    );
    writeln!(out, "  {}", screen.wrap(&line, 2))?;
    if free.is_crumbled() {
        let line = format!(
            "warning: the largest range is {} of what is free: a mapping above {} fails",
            percent(free.largest.share_of(free.total)),
            size(free.largest)
        );
        writeln!(out, "  {}", screen.bad(&screen.wrap(&line, 2)))?;
    }
    let mut table = Table::new().term("LARGEST FREE RANGES", 0).number("SIZE", 0);
    for range in free.top(top) {
        table.row(vec![format!("{:x}-{:x}", range.start.0, range.end.0), size(range.size)]);
    }
    table.write(out, screen)
}

fn regions(out: &mut impl Write, screen: Screen, map: &Map, view: &MapView) -> Result<()> {
    let mut chosen: Vec<&Region> =
        map.snapshot.regions.iter().filter(|region| view.filter.accepts(region)).collect();
    view.order.sort(&mut chosen);
    let shown = view.top.unwrap_or(chosen.len()).min(chosen.len());
    let mut table = Table::new()
        .flush_left()
        .number("START", 0)
        .number("SIZE", 0)
        .number("RSS", 0)
        .number("PSS", 5)
        .number("USS", 4)
        .number("SWAP", 6)
        .term("PROT", 3)
        .term("USAGE", 2)
        .text("NAME", 1);
    for region in &chosen[..shown] {
        let counter = |counter| size_or_dash(region.counters.get(counter));
        table.row(vec![
            format!("{:x}", region.range.start.0),
            size(region.size()),
            counter(Counter::Rss),
            counter(Counter::Pss),
            size_or_dash(region.counters.uss()),
            counter(Counter::Swap),
            region.protection.to_string(),
            region.usage.label().to_owned(),
            note(region),
        ]);
    }
    writeln!(out)?;
    table.write(out, screen)?;
    let line = if shown == chosen.len() && view.filter.is_empty() {
        format!("all {} regions", count(shown as u64))
    } else {
        let all = if shown < chosen.len() { "; --all lists every one" } else { "" };
        format!("{} of {} regions{all}", count(shown as u64), count(map.snapshot.regions.len() as u64))
    };
    writeln!(out, "{}", screen.faint(&line))?;
    Ok(())
}

/// Its name, and what else is known.
fn note(region: &Region) -> String {
    match (region.name(), remark(region)) {
        ("", remark) => remark.unwrap_or_default(),
        (name, None) => name.to_owned(),
        (name, Some(remark)) => format!("{name} {remark}"),
    }
}

/// Writes what changed between two maps.
///
/// # Errors
/// When the output cannot be written.
pub fn diff(out: &mut impl Write, screen: Screen, diff: &Diff, top: Option<usize>) -> Result<()> {
    if diff.by_usage.is_empty() && diff.regions.is_empty() {
        writeln!(out, "no difference")?;
        return Ok(());
    }
    let mut table = Table::new()
        .flush_left()
        .term("CHANGE BY USAGE", 0)
        .number("REGIONS", 2)
        .number("SIZE", 0)
        .number("RSS", 0)
        .number("SWAP", 3);
    for row in &diff.by_usage {
        table.row(vec![
            row.usage.label().to_owned(),
            format!("{:+}", row.regions),
            change(row.size),
            change_or_dash(row.rss),
            change_or_dash(row.swap),
        ]);
    }
    table.write(out, screen)?;
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
