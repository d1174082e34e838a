use std::io::Write;

use residue_analysis::search::Hits;
use residue_model::{Address, Bytes, Region, Snapshot};

use super::table::Table;
use super::{Screen, density, gaps};
use crate::units::{count, percent, size};
use crate::words::preview;
use crate::{Result, words};

/// Regions that are listed.
const REGIONS: usize = 10;

/// Writes what was found: how often, where, how spread, and the first matches with what stands around them.
///
/// # Errors
/// When the output cannot be written.
pub fn search(
    out: &mut impl Write,
    screen: Screen,
    snapshot: &Snapshot,
    regions: &[&Region],
    hits: &Hits,
    utf16: bool,
) -> Result<()> {
    let line = format!(
        "{} matches in {} of {} regions of {}; {} searched",
        count(hits.count),
        count(hits.regions.len() as u64),
        count(hits.searched_regions),
        words::target(snapshot),
        size(hits.searched)
    );
    writeln!(out, "{}", screen.heading(&screen.wrap(&line, 0)))?;
    if hits.unreadable > Bytes::ZERO {
        let line =
            format!("{} of these regions could not be read, or was never touched", size(hits.unreadable));
        writeln!(out, "{}", screen.doubtful(&screen.wrap(&line, 0)))?;
    }
    if hits.interrupted {
        writeln!(out, "{}", screen.doubtful("interrupted: what follows was found until then"))?;
    }
    if let (Some(first), Some(last)) = (hits.first(), hits.last()) {
        spread(out, screen, regions, hits, first, last)?;
        usages(out, screen, hits)?;
        most(out, screen, regions, hits)?;
        matches(out, screen, regions, hits, utf16)?;
    }
    gaps(out, screen, &snapshot.gaps)
}

fn spread(
    out: &mut impl Write,
    screen: Screen,
    regions: &[&Region],
    hits: &Hits,
    first: Address,
    last: Address,
) -> Result<()> {
    let line = format!("first {first}, last {last}; spread over what was searched:");
    writeln!(out, "{}", screen.wrap(&line, 0))?;
    writeln!(out, "  {}", density(&hits.spread(regions, 40)))?;
    Ok(())
}

fn usages(out: &mut impl Write, screen: Screen, hits: &Hits) -> Result<()> {
    let mut table = Table::new()
        .flush_left()
        .term("BY USAGE", 0)
        .number("MATCHES", 0)
        .number("SHARE", 2)
        .number("REGIONS", 1);
    for row in &hits.by_usage {
        table.row(vec![
            row.usage.label().to_owned(),
            count(row.count),
            percent(row.count as f64 / hits.count.max(1) as f64),
            count(row.regions),
        ]);
    }
    writeln!(out)?;
    table.write(out, screen)
}

fn most(out: &mut impl Write, screen: Screen, regions: &[&Region], hits: &Hits) -> Result<()> {
    let mut most = hits.regions.clone();
    most.sort_by_key(|hit| (std::cmp::Reverse(hit.count), hit.region));
    let mut table = Table::new()
        .flush_left()
        .number("REGION", 0)
        .number("MATCHES", 0)
        .number("SIZE", 1)
        .term("USAGE", 2)
        .text("NAME", 3);
    for hit in most.iter().take(REGIONS) {
        let region = regions[hit.region];
        table.row(vec![
            format!("{:x}", region.range.start.0),
            count(hit.count),
            size(region.size()),
            region.usage.label().to_owned(),
            region.name().to_owned(),
        ]);
    }
    writeln!(out)?;
    table.write(out, screen)?;
    if most.len() > REGIONS {
        let line = format!("{} more regions with matches", count((most.len() - REGIONS) as u64));
        writeln!(out, "{}", screen.faint(&line))?;
    }
    Ok(())
}

fn matches(
    out: &mut impl Write,
    screen: Screen,
    regions: &[&Region],
    hits: &Hits,
    utf16: bool,
) -> Result<()> {
    let mut table =
        Table::new().flush_left().number("ADDRESS", 0).term("USAGE", 2).text("WHAT STANDS THERE", 0);
    for hit in &hits.matches {
        let usage = regions[hit.region].usage.label().to_owned();
        table.row(vec![format!("{:x}", hit.address.0), usage, preview(hit, utf16)]);
    }
    writeln!(out)?;
    table.write(out, screen)?;
    if hits.count > hits.matches.len() as u64 {
        let line = format!(
            "the first {} of {} matches; --limit lists more",
            count(hits.matches.len() as u64),
            count(hits.count)
        );
        writeln!(out, "{}", screen.faint(&line))?;
    }
    Ok(())
}
