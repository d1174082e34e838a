use std::io::Write;

use residue_analysis::growth::{Class, Place, Signal, Verdict, VerdictKind, points};
use residue_analysis::{Diagnosis, Map, Severity, Watched};
use residue_model::{Bytes, Process, Series, Source};

use super::table::Table;
use super::watch::span;
use super::{Screen, density, gaps, overview};
use crate::Result;
use crate::units::{change, count, percent, rate, size, size_or_dash};
use crate::words;

/// Writes the whole diagnosis on one page.
///
/// # Errors
/// When the output cannot be written.
pub fn triage(out: &mut impl Write, screen: Screen, diagnosis: &Diagnosis) -> Result<()> {
    let Diagnosis { map, watched, .. } = diagnosis;
    let title = screen.heading(&words::target(&map.snapshot));
    let process = &map.snapshot.process;
    match (watched, &map.snapshot.dump) {
        (Some(watched), _) => writeln!(out, "{title}  {}", screen.faint(&span(&watched.series)))?,
        (None, Some(dump)) => {
            writeln!(out, "{title}\n{}", screen.faint(&screen.wrap(&words::dump(dump, &map.snapshot), 0)))?;
        }
        (None, None) => writeln!(out, "{title}")?,
    }
    if let Some(command) = process.command.as_ref().filter(|command| **command != process.name) {
        writeln!(out, "{}", screen.faint(&screen.wrap(command, 0)))?;
    }
    writeln!(out)?;
    if let Some(Watched { series, verdict: judged }) = watched {
        verdict(out, screen, judged, process)?;
        footprint(out, screen, diagnosis)?;
        growth(out, screen, series, judged)?;
        findings(out, screen, diagnosis)?;
    } else {
        // Of a dump the findings are the answer: they come first.
        findings(out, screen, diagnosis)?;
        inside(out, screen, diagnosis)?;
        structure(out, screen, map)?;
    }
    gaps(out, screen, &diagnosis.gaps)
}

/// What was seen in memory, with a picture of where its most telling strings stand.
fn inside(out: &mut impl Write, screen: Screen, diagnosis: &Diagnosis) -> Result<()> {
    if diagnosis.inside.examined.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", screen.heading("WHAT IS IN IT"))?;
    for examined in &diagnosis.inside.examined {
        let text = words::content(examined);
        writeln!(out, "  {}", screen.wrap(&format!("{}, {}", text.subject, text.amount), 2))?;
        writeln!(out, "    {}", screen.wrap(&text.shares, 4))?;
        for (_, preview) in examined.contents.previews.iter().take(1) {
            let room = screen.width.unwrap_or(120).saturating_sub(12).min(100);
            let start: String = preview.chars().take(room).collect();
            writeln!(out, "    begins  {}", screen.faint(&start))?;
        }
        for (line, counted) in text.strings.iter().zip(&examined.counted) {
            writeln!(out, "    {}", screen.wrap(line, 6))?;
            if let Some(counted) = counted {
                writeln!(out, "      {}  low to high addresses", density(&counted.spread))?;
            }
        }
    }
    Ok(())
}

/// The address space in a few lines.
fn structure(out: &mut impl Write, screen: Screen, map: &Map) -> Result<()> {
    let total = &map.summary.total;
    let free = &map.free;
    writeln!(out, "\n{}", screen.heading("ADDRESS SPACE"))?;
    let line = format!(
        "{}-bit: {} regions, {} mapped or reserved, {} of it in the dump; {} free, largest range {}",
        map.snapshot.space.bits,
        count(total.regions),
        size(total.size),
        size_or_dash(total.saved),
        size(free.total),
        size(free.largest)
    );
    writeln!(out, "  {}", screen.wrap(&line, 2))?;
    let mut table = Table::new()
        .term("USAGE", 0)
        .number("REGIONS", 2)
        .number("SIZE", 0)
        .number("SHARE", 0)
        .number("LARGEST", 3)
        .number("IN DUMP", 1);
    for row in map.summary.by_usage.iter().take(8) {
        table.row(vec![
            row.label.clone(),
            row.regions.to_string(),
            size(row.size),
            percent(row.share_of_mapped),
            size(row.largest),
            size_or_dash(row.saved),
        ]);
    }
    table.write(out, screen)
}

/// Writes the verdict on a process that was watched; with its name where several are.
///
/// # Errors
/// When the output cannot be written.
pub fn watched(out: &mut impl Write, screen: Screen, watched: &Watched, named: bool) -> Result<()> {
    let Watched { series, verdict: judged } = watched;
    let name =
        if named { format!("{} ({})  ", series.process.pid, series.process.name) } else { String::new() };
    writeln!(out, "{}{}", screen.heading(&name), screen.faint(&span(series)))?;
    verdict(out, screen, judged, &series.process)
}

/// Writes a verdict with its evidence.
fn verdict(out: &mut impl Write, screen: Screen, verdict: &Verdict, process: &Process) -> Result<()> {
    let text = words::verdict(verdict, process);
    let headline = match verdict.kind {
        VerdictKind::LikelyLeak => screen.bad(text.headline),
        VerdictKind::Stable | VerdictKind::Shrinking => screen.good(text.headline),
        _ => screen.doubtful(text.headline),
    };
    let confidence = match text.confidence {
        "" => String::new(),
        word => format!("   confidence {word}"),
    };
    let line = screen.wrap(&format!("{}   {}{confidence}", text.headline, text.rate), 2);
    // Painted last: what colours a word has no width.
    writeln!(out, "{}", line.trim_end().replacen(text.headline, &headline, 1))?;
    if !text.forecast.is_empty() {
        writeln!(out, "  {}", screen.wrap(&text.forecast, 2))?;
    }
    writeln!(out, "  where   {}", screen.wrap(&text.places, 10))?;
    writeln!(out, "  why     {}", screen.wrap(&text.why.join("; "), 10))?;
    writeln!(out, "  next    {}", text.next)?;
    Ok(())
}

fn footprint(out: &mut impl Write, screen: Screen, diagnosis: &Diagnosis) -> Result<()> {
    let footprint = &diagnosis.map.snapshot.process.footprint;
    if footprint.windows.is_some() {
        return windows_footprint(out, screen, diagnosis);
    }
    let source = match diagnosis.map.snapshot.source {
        Source::Pagemap => "page table",
        _ => "smaps",
    };
    writeln!(out, "\n{}", screen.heading("FOOTPRINT"))?;
    let line = format!(
        "rss {}, pss {}, uss {}, swap {} (from {source}); anonymous {}, files {}, shared memory {} (from status)",
        size_or_dash(footprint.rss),
        size_or_dash(footprint.pss),
        size_or_dash(footprint.uss),
        size_or_dash(footprint.swap),
        size_or_dash(footprint.anon),
        size_or_dash(footprint.file),
        size_or_dash(footprint.shmem),
    );
    writeln!(out, "  {}", screen.wrap(&line, 2))?;
    let mut table = Table::new()
        .term("USAGE", 0)
        .number("REGIONS", 2)
        .number("SIZE", 1)
        .number("RSS", 0)
        .number("SWAP", 3);
    let rows = &diagnosis.map.summary.by_usage;
    let mut largest: Vec<_> = rows.iter().filter(|row| row.rss.is_some_and(|rss| rss.0 > 0)).collect();
    largest.sort_by_key(|row| std::cmp::Reverse(row.rss));
    for row in largest.into_iter().take(6) {
        let (rss, swap) = (size_or_dash(row.rss), size_or_dash(row.swap));
        table.row(vec![row.label.clone(), row.regions.to_string(), size(row.size), rss, swap]);
    }
    table.write(out, screen)
}

/// What a Windows process has, by usage: promised memory, wherever it is.
fn windows_footprint(out: &mut impl Write, screen: Screen, diagnosis: &Diagnosis) -> Result<()> {
    let map = &diagnosis.map;
    writeln!(out, "\n{}", screen.heading("FOOTPRINT"))?;
    writeln!(out, "  {}", screen.wrap(&words::footprint(&map.snapshot.process.footprint), 2))?;
    let free = &map.free;
    let line = format!(
        "{}-bit address space: {} in {} blocks; {} free in {} ranges, the largest {}",
        map.snapshot.space.bits,
        words::committed(map),
        count(map.summary.total.regions),
        size(free.total),
        count(free.ranges),
        size(free.largest)
    );
    writeln!(out, "  {}", screen.wrap(&line, 2))?;
    let mut table = Table::new()
        .term("USAGE", 0)
        .number("BLOCKS", 2)
        .number("SIZE", 0)
        .number("SHARE", 3)
        .number("LARGEST", 4);
    for row in map.summary.by_usage.iter().take(6) {
        table.row(vec![
            row.label.clone(),
            row.regions.to_string(),
            size(row.size),
            percent(row.share_of_mapped),
            size(row.largest),
        ]);
    }
    table.write(out, screen)
}

fn growth(out: &mut impl Write, screen: Screen, series: &Series, verdict: &Verdict) -> Result<()> {
    writeln!(out, "\n{}", screen.heading("GROWTH BY CLASS"))?;
    let mut table = Table::new()
        .term("CLASS", 0)
        .number("NOW", 1)
        .number("CHANGE", 0)
        .number("RATE", 0)
        .number("SHARE", 2)
        .text("", 3);
    for class in Class::ALL {
        let points = points(series, class);
        let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
        if last.1 <= 0.0 && first.1 <= 0.0 {
            continue;
        }
        let place = verdict.places.iter().flatten().find(|place| place.class == class);
        let values: Vec<f64> = points.iter().map(|point| point.1).collect();
        table.row(vec![
            words::class_label(class, verdict.signal == Signal::Commit).to_owned(),
            size_of(last.1),
            change(whole(last.1) - whole(first.1)),
            match (&verdict.places, place) {
                (_, Some(place)) => rate(place.rate.estimate),
                (Some(_), None) => "no trend".into(),
                (None, None) => "-".into(),
            },
            place.map(share).unwrap_or_default(),
            overview(&values, 16),
        ]);
    }
    table.write(out, screen)
}

fn share(place: &Place) -> String {
    if place.share > 0.0 { percent(place.share) } else { String::new() }
}

#[allow(clippy::cast_possible_truncation, reason = "sizes of memory fit")]
fn whole(bytes: f64) -> i64 {
    bytes as i64
}

fn size_of(bytes: f64) -> String {
    size(Bytes(whole(bytes).unsigned_abs()))
}

fn findings(out: &mut impl Write, screen: Screen, diagnosis: &Diagnosis) -> Result<()> {
    let Diagnosis { findings, map, watched, .. } = diagnosis;
    // On a dump's page they stand at the top, behind an empty line already.
    let gap = if watched.is_some() { "\n" } else { "" };
    writeln!(out, "{gap}{}", screen.heading("FINDINGS"))?;
    if findings.is_empty() {
        writeln!(out, "  {}", words::no_findings(watched.is_some()))?;
    }
    for finding in findings {
        let text = words::finding(finding, &map.snapshot, diagnosis.has_ended());
        let mark = match finding.severity {
            Severity::Critical => screen.bad("critical"),
            Severity::Warning => screen.doubtful("warning "),
            Severity::Info => screen.faint("info    "),
        };
        writeln!(out, "  {mark}  {}", screen.wrap(&text.title, 12))?;
        for line in &text.evidence {
            writeln!(out, "            {}", screen.wrap(line, 12))?;
        }
        writeln!(out, "            next: {}", text.next)?;
    }
    Ok(())
}
