use std::io::Write;

use residue_analysis::{Chosen, Map, RegionView};
use residue_model::{Counter, Os, Region};

use super::Screen;
use super::table::Table;
use crate::Result;
use crate::units::{count, size, size_or_dash};
use crate::words::{protection, remark};

/// Writes the regions that a view chooses.
pub(super) fn regions(out: &mut impl Write, screen: Screen, map: &Map, view: &RegionView) -> Result<()> {
    let Chosen { regions: chosen, passed } = map.chosen(view);
    let shown = chosen.len();
    writeln!(out)?;
    if map.snapshot.dump.is_some() {
        saved(out, screen, map, &chosen)?;
    } else if map.snapshot.machine.os == Os::Windows {
        live_windows(out, screen, map, &chosen)?;
    } else {
        live(out, screen, &chosen)?;
    }
    let all = map.snapshot.regions.len();
    let of = if passed < all {
        format!("{} that match, of {} regions", count(passed as u64), count(all as u64))
    } else {
        format!("{} regions", count(all as u64))
    };
    let line = match shown {
        _ if shown == all => format!("all {of}"),
        _ if shown == passed => of,
        _ => format!("{} of {of}; --all lists every one", count(shown as u64)),
    };
    writeln!(out, "{}", screen.faint(&line))?;
    Ok(())
}

fn live(out: &mut impl Write, screen: Screen, regions: &[&Region]) -> Result<()> {
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
    for region in regions {
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
    table.write(out, screen)
}

/// The blocks of a Windows process in its own terms; how much of each is in RAM where that is told.
fn live_windows(out: &mut impl Write, screen: Screen, map: &Map, regions: &[&Region]) -> Result<()> {
    let is_told = map.summary.total.rss.is_some();
    let mut table = Table::new().flush_left().number("START", 0).number("SIZE", 0);
    if is_told {
        table = table.number("IN RAM", 3).number("PRIVATE", 6);
    }
    table = table.term("STATE", 7).term("TYPE", 5).term("PROTECTION", 4).term("USAGE", 0).text("NAME", 1);
    for region in regions {
        let pages = region.pages.unwrap_or_default();
        let mut cells = vec![format!("{:x}", region.range.start.0), size(region.size())];
        if is_told {
            let held = |counter| size_or_dash(region.counters.get(counter));
            cells.extend([held(Counter::Rss), held(Counter::Uss)]);
        }
        cells.extend([
            pages.state_name().to_owned(),
            pages.kind_name().to_owned(),
            protection(region),
            region.usage.label().to_owned(),
            note(region),
        ]);
        table.row(cells);
    }
    table.write(out, screen)
}

/// What a dump tells, and the first bytes of each region as text.
fn saved(out: &mut impl Write, screen: Screen, map: &Map, regions: &[&Region]) -> Result<()> {
    let mut table = Table::new()
        .flush_left()
        .number("START", 0)
        .number("SIZE", 0)
        .number("IN DUMP", 3)
        .term("STATE", 7)
        .term("TYPE", 6)
        .term("PROTECTION", 4)
        .term("USAGE", 0)
        .term("CLASS", 2)
        .text("NAME", 5)
        .text("CONTENT", 1);
    for region in regions {
        let look = map.look(region);
        let pages = region.pages;
        table.row(vec![
            format!("{:x}", region.range.start.0),
            size(region.size()),
            size_or_dash(region.saved),
            pages.map_or(region.state().key(), |pages| pages.state_name()).to_owned(),
            pages.map_or(region.backing().key(), |pages| pages.kind_name()).to_owned(),
            protection(region),
            region.usage.label().to_owned(),
            look.and_then(|look| look.content).map_or("-", |content| content.label()).to_owned(),
            note(region),
            look.and_then(|look| look.preview.clone()).unwrap_or_default(),
        ]);
    }
    table.write(out, screen)
}

/// Writes what was reserved together: WinDbg's regions, each with the number of its blocks.
pub(super) fn allocations(out: &mut impl Write, screen: Screen, map: &Map, view: &RegionView) -> Result<()> {
    let mut chosen = map.allocations_of(&view.filter);
    if !view.order.is_by_address() {
        chosen.sort_by_key(|allocation| (std::cmp::Reverse(allocation.size), allocation.base));
    }
    let shown = view.top.unwrap_or(chosen.len()).min(chosen.len());
    let mut table = Table::new()
        .flush_left()
        .number("ALLOCATION", 0)
        .number("SIZE", 0)
        .number("COMMITTED", 1)
        .number("RESERVED", 2)
        .number("BLOCKS", 0)
        .number("GUARDS", 0)
        .term("USAGE", 0)
        .text("NAME", 3);
    for allocation in &chosen[..shown] {
        table.row(vec![
            format!("{:x}", allocation.base.0),
            size(allocation.size),
            size(allocation.committed),
            size(allocation.reserved),
            allocation.blocks.to_string(),
            allocation.guards.to_string(),
            allocation.usage.label().to_owned(),
            allocation.name.clone(),
        ]);
    }
    writeln!(out)?;
    table.write(out, screen)?;
    let line = format!("{} of {} allocations", count(shown as u64), count(map.allocations.len() as u64));
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
