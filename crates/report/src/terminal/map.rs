use std::io::Write;

use residue_analysis::{Map, RegionView};
use residue_model::{Os, Source};

use super::regions::{allocations, regions};
use super::sums::sums;
use super::table::Table;
use super::{Screen, bar, gaps};
use crate::units::{count, percent, size, size_or_dash};
use crate::{Result, words};

/// What is shown of an address space.
#[derive(Clone, Debug, Default)]
pub struct MapView {
    /// Which regions are listed.
    pub regions: RegionView,
    /// How many free ranges are listed.
    pub free: usize,
    /// Allocations with their blocks counted, instead of regions.
    pub allocations: bool,
}

/// Sizes in the histogram.
const SIZES: usize = 10;

/// Writes the address space: sums, sizes, free space, regions.
///
/// # Errors
/// When the output cannot be written.
pub fn map(out: &mut impl Write, screen: Screen, map: &Map, view: &MapView) -> Result<()> {
    title(out, screen, map)?;
    sums(out, screen, map)?;
    histogram(out, screen, map)?;
    free(out, screen, map, view.free)?;
    if view.allocations {
        allocations(out, screen, map, &view.regions)?;
    } else {
        regions(out, screen, map, &view.regions)?;
    }
    gaps(out, screen, &map.snapshot.gaps)
}

fn title(out: &mut impl Write, screen: Screen, map: &Map) -> Result<()> {
    writeln!(out, "{}", screen.heading(&format!("Address space of {}", words::target(&map.snapshot))))?;
    match &map.snapshot.dump {
        Some(dump) => {
            writeln!(out, "{}", screen.wrap(&words::dump(dump, &map.snapshot), 0))?;
            let line = format!(
                "{}-bit, {} regions, {} mapped or reserved, {} of it in the dump; read from {}",
                map.snapshot.space.bits,
                count(map.summary.total.regions),
                size(map.summary.total.size),
                size(dump.saved),
                source(map.snapshot.source),
            );
            writeln!(out, "{}", screen.wrap(&line, 0))?;
            Ok(())
        }
        None if map.snapshot.machine.os == Os::Windows => windows_title(out, screen, map),
        None => live_title(out, screen, map),
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Maps => "maps",
        Source::Smaps => "smaps",
        Source::Pagemap => "maps and the page table, in small steps",
        Source::Core => "the program headers and notes of the core",
        Source::Minidump => "the streams of the minidump",
        Source::VirtualQuery => "VirtualQueryEx",
    }
}

fn windows_title(out: &mut impl Write, screen: Screen, map: &Map) -> Result<()> {
    if let Some(machine) = words::machine(&map.snapshot) {
        writeln!(out, "{}", screen.wrap(&machine, 0))?;
    }
    let total = &map.summary.total;
    let line = format!(
        "{}-bit, {} regions, {}; read from {}",
        map.snapshot.space.bits,
        count(total.regions),
        words::committed(map),
        source(map.snapshot.source),
    );
    writeln!(out, "{}", screen.wrap(&line, 0))?;
    writeln!(out, "{}", screen.wrap(&words::footprint(&map.snapshot.process.footprint), 0))?;
    Ok(())
}

fn live_title(out: &mut impl Write, screen: Screen, map: &Map) -> Result<()> {
    let total = &map.summary.total;
    let line = format!(
        "{}-bit, {} regions, {} mapped or reserved; rss {}, pss {}, uss {}, swap {}; read from {}",
        map.snapshot.space.bits,
        count(total.regions),
        size(total.size),
        size_or_dash(total.rss),
        size_or_dash(total.pss),
        size_or_dash(total.uss),
        size_or_dash(total.swap),
        source(map.snapshot.source),
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
