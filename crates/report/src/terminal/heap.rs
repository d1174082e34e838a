use std::io::Write;

use residue_analysis::examined::{Circumstances, HeapReport};
use residue_model::{ArenaKind, Bytes, Heap, Mallinfo, Recognised};

use super::table::Table;
use super::{Screen, gaps};
use crate::units::{count, percent, size};
use crate::{Result, words};

/// Rows of a table that is a summary.
const SHOWN: usize = 12;

/// Arenas that are listed; a program with many threads has many that are alike.
const ARENAS: usize = 16;

/// Writes what the heaps of a target hold; of long tables the first rows, unless all are wanted.
///
/// # Errors
/// When the output cannot be written.
pub fn heap(out: &mut impl Write, screen: Screen, report: &HeapReport, all: bool) -> Result<()> {
    head(out, screen, "Heap", &report.seen)?;
    for heap in &report.seen.heaps {
        one_heap(out, screen, heap, all)?;
    }
    for other in report.seen.recognised.iter().filter(|other| !is_shown(other, &report.seen)) {
        let version = other.version.as_deref().map_or(String::new(), |version| format!(" {version}"));
        let held: Bytes = other.holds.iter().map(|range| range.size()).sum();
        let held = if held == Bytes::ZERO { String::new() } else { format!(", {} of memory", size(held)) };
        let line = format!("{}{version}{held}: {}", other.name, other.evidence);
        writeln!(out, "\n{}", screen.wrap(&line, 2))?;
    }
    if !report.seen.heaps.is_empty() {
        writeln!(out, "\n{}", screen.heading("LEAK OR FRAGMENTATION?"))?;
        writeln!(out, "  {}", screen.wrap(&words::holding(&report.sums, &report.pins), 2))?;
        pins(out, screen, report, all)?;
        sizes(out, screen, report, all)?;
        types(out, screen, report, all)?;
    }
    gaps(out, screen, &report.seen.gaps)?;
    if !report.seen.heaps.is_empty() {
        let target = words::argument(&report.seen.snapshot);
        writeln!(out, "\n{}", screen.wrap(&format!("next: residue leaks {target}"), 0))?;
    }
    Ok(())
}

/// Whether a heap above says the same already.
fn is_shown(other: &Recognised, seen: &Circumstances) -> bool {
    other.walked && seen.heaps.iter().any(|heap| heap.allocator.starts_with(&other.name))
}

/// What was looked at, and what that cost it.
pub(super) fn head(out: &mut impl Write, screen: Screen, what: &str, seen: &Circumstances) -> Result<()> {
    writeln!(out, "{}", screen.heading(&format!("{what} of {}", words::target(&seen.snapshot))))?;
    if let Some(dump) = &seen.snapshot.dump {
        writeln!(out, "{}", screen.wrap(&words::dump(dump, &seen.snapshot), 0))?;
    }
    if let Some(stop) = &seen.stop {
        writeln!(out, "{}", screen.wrap(&words::stop(stop), 0))?;
    }
    if seen.is_fuzzy {
        let line = "the process ran on while it was read: what follows is no exact picture of any moment";
        writeln!(out, "{}", screen.doubtful(&screen.wrap(line, 0)))?;
    }
    Ok(())
}

fn one_heap(out: &mut impl Write, screen: Screen, heap: &Heap, all: bool) -> Result<()> {
    let title = format!("{}, layout {}; verified: {}", heap.allocator, heap.layout, words::verified(heap));
    writeln!(out, "\n{}", screen.heading(&screen.wrap(&title, 0)))?;
    let mut table = Table::new()
        .number("ARENA", 0)
        .term("KIND", 1)
        .number("SYSTEM", 0)
        .number("LIVE", 0)
        .number("BLOCKS", 2)
        .number("FREE", 0)
        .number("CACHED", 4)
        .number("TOP", 5)
        .number("LARGEST FREE", 6)
        .number("TRIM GAIN", 3);
    let shown = if all { heap.arenas.len() } else { ARENAS };
    for arena in heap.arenas.iter().take(shown) {
        table.row(vec![
            format!("{:x}", arena.address.0),
            words::arena(arena.kind).into(),
            size(arena.system_bytes),
            size(arena.live_bytes),
            count(arena.live_blocks),
            size(arena.free_bytes),
            size(arena.cached_bytes),
            size(arena.top_bytes),
            size(arena.largest_free),
            size(arena.trim_gain),
        ]);
    }
    table.write(out, screen)?;
    if heap.arenas.len() > shown {
        let line = format!("  … and {} more arenas: --all", heap.arenas.len() - shown);
        writeln!(out, "{}", screen.faint(&line))?;
    }
    if let Some(info) = &heap.mallinfo {
        let fields = fields(info).map(|(name, value)| format!("{name} {value}"));
        writeln!(out, "  {}", screen.wrap(&format!("mallinfo2: {}", fields.join(", ")), 4))?;
    }
    if !heap.parameters.is_empty() {
        let shown = heap.parameters.iter().map(|parameter| {
            let moved = parameter.default.filter(|&default| default != parameter.value);
            let moved = moved.map(|default| format!(" (default {default})")).unwrap_or_default();
            format!("{} {}{moved}", parameter.name, parameter.value)
        });
        let line = format!("parameters: {}", shown.collect::<Vec<_>>().join(", "));
        writeln!(out, "  {}", screen.wrap(&line, 4))?;
    }
    for identity in heap.identities.iter().filter(|identity| identity.unexplained() > 0) {
        let line = format!("{}: {} walked, {} stated", identity.what, identity.walked, identity.stated);
        writeln!(out, "  {}", screen.doubtful(&screen.wrap(&line, 4)))?;
    }
    for damage in &heap.damage {
        let suspect = damage.suspect.map_or_else(String::new, |range| {
            format!(
                "; the block that ends there, {} of {} bytes, may have been overrun",
                range.start,
                range.size().0
            )
        });
        let unwalked = match damage.unwalked {
            Bytes(0) => String::new(),
            bytes => format!("; {} bytes behind it could not be walked", bytes.0),
        };
        let line = format!("DAMAGED at {}: {}{suspect}{unwalked}", damage.at, damage.what);
        writeln!(out, "  {}", screen.bad(&screen.wrap(&line, 4)))?;
    }
    gaps(out, screen, &heap.gaps)
}

/// The fields of `mallinfo2`, in its order.
pub(crate) fn fields(info: &Mallinfo) -> [(&'static str, u64); 10] {
    [
        ("arena", info.arena),
        ("ordblks", info.ordblks),
        ("smblks", info.smblks),
        ("hblks", info.hblks),
        ("hblkhd", info.hblkhd),
        ("usmblks", info.usmblks),
        ("fsmblks", info.fsmblks),
        ("uordblks", info.uordblks),
        ("fordblks", info.fordblks),
        ("keepcost", info.keepcost),
    ]
}

fn pins(out: &mut impl Write, screen: Screen, report: &HeapReport, all: bool) -> Result<()> {
    let pins = &report.pins;
    if pins.rows.is_empty() || pins.free < Bytes::kib(64) && !all {
        return Ok(());
    }
    let title = format!(
        "WHAT PINS PAGES: {} pages are less than a quarter live; {} free in them",
        count(pins.pages),
        size(pins.free)
    );
    writeln!(out, "\n{}", screen.heading(&screen.wrap(&title, 0)))?;
    let mut table = Table::new()
        .number("PAGES", 0)
        .number("BLOCKS", 0)
        .number("SIZE", 0)
        .number("FIRST", 2)
        .text("TYPE", 0);
    for row in pins.rows.iter().take(if all { usize::MAX } else { SHOWN }) {
        table.row(vec![
            count(row.pages),
            count(row.blocks),
            count(row.size.0),
            format!("{:x}", row.first.0),
            row.what.name().into_owned(),
        ]);
    }
    table.write(out, screen)
}

fn sizes(out: &mut impl Write, screen: Screen, report: &HeapReport, all: bool) -> Result<()> {
    writeln!(out, "\n{}", screen.heading("LIVE BLOCKS BY SIZE"))?;
    let whole: u64 = report.sizes.iter().map(|row| row.amount.bytes.0).sum();
    let mut table = Table::new().number("SIZE", 0).number("BLOCKS", 0).number("TOTAL", 0).number("SHARE", 1);
    for row in report.sizes.iter().take(if all { usize::MAX } else { SHOWN }) {
        table.row(vec![
            count(row.size.0),
            count(row.amount.blocks),
            size(row.amount.bytes),
            percent(row.amount.bytes.0 as f64 / whole.max(1) as f64),
        ]);
    }
    table.write(out, screen)
}

fn types(out: &mut impl Write, screen: Screen, report: &HeapReport, all: bool) -> Result<()> {
    let types = &report.types;
    let part = if types.every > 1 { format!(", one of {} looked at", types.every) } else { String::new() };
    writeln!(out, "\n{}", screen.heading(&format!("LIVE BLOCKS BY TYPE{part}")))?;
    let whole: u64 = types.rows.iter().map(|row| row.amount.bytes.0).sum();
    let mut table = Table::new()
        .number("BLOCKS", 0)
        .number("TOTAL", 0)
        .number("SHARE", 2)
        .text("TYPE", 0)
        .text("FOR EXAMPLE", 1);
    for row in types.rows.iter().take(if all { usize::MAX } else { SHOWN }) {
        table.row(vec![
            count(row.amount.blocks),
            size(row.amount.bytes),
            percent(row.amount.bytes.0 as f64 / whole.max(1) as f64),
            row.what.name().into_owned(),
            row.preview.clone().unwrap_or_default(),
        ]);
    }
    table.write(out, screen)
}

/// Writes what `malloc_stats(3)` of glibc would print in the process: of each copy of it, when there are several.
///
/// # Errors
/// When the output cannot be written.
pub fn malloc_stats(out: &mut impl Write, heaps: &[&Heap]) -> Result<()> {
    for heap in heaps {
        if heaps.len() > 1 {
            match heap.arenas.first() {
                Some(arena) => writeln!(out, "heap at {}", arena.address)?,
                None => writeln!(out, "heap without an arena")?,
            }
        }
        stats_of(out, heap)?;
    }
    Ok(())
}

fn stats_of(out: &mut impl Write, heap: &Heap) -> Result<()> {
    let (mut system, mut in_use) = (0, 0);
    let arenas = heap.arenas.iter().filter(|arena| arena.kind != ArenaKind::Mapped);
    for (number, arena) in arenas.enumerate() {
        let free = arena.free_bytes + arena.fast_bytes + arena.top_bytes;
        let used = arena.system_bytes.0.saturating_sub(free.0);
        writeln!(out, "Arena {number}:")?;
        writeln!(out, "system bytes     = {:10}", arena.system_bytes.0)?;
        writeln!(out, "in use bytes     = {used:10}")?;
        system += arena.system_bytes.0;
        in_use += used;
    }
    let mapped = heap.mallinfo.map_or(0, |info| info.hblkhd);
    let parameter =
        |name| heap.parameters.iter().find(|parameter| parameter.name == name).map(|found| found.value);
    writeln!(out, "Total (incl. mmap):")?;
    writeln!(out, "system bytes     = {:10}", system + mapped)?;
    writeln!(out, "in use bytes     = {:10}", in_use + mapped)?;
    for (label, name) in [("max mmap regions", "max_mmap_regions"), ("max mmap bytes  ", "max_mmap_bytes")] {
        match parameter(name) {
            Some(value) => writeln!(out, "{label} = {value:10}")?,
            None => writeln!(out, "{label} = {:>10}", "-")?,
        }
    }
    Ok(())
}
