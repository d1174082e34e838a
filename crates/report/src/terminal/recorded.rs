use std::io::Write;
use std::time::Duration;

use residue_analysis::recorded::{MarkView, PathId, Recorded, Section, Shape, Site, quantile};
use residue_model::Bytes;

use super::sites::{SiteRow, rows};
use super::{Screen, gaps, overview};
use crate::units::{change, count, counted, duration, percent, size};
use crate::{Result, words};

/// How much of a recording is shown.
#[derive(Clone, Debug, Default)]
pub struct RecordedView {
    /// The file, as the next command is to name it.
    pub file: String,
    /// At most so many sites of a section.
    pub limit: usize,
    /// Whole call paths, and all that meet at a site.
    pub full: bool,
    /// Only this section.
    pub only: Option<Section>,
}

/// Characters of a picture of how something went over time.
const PICTURE: usize = 40;
/// Sites of a mark.
const OF_A_MARK: usize = 3;

/// Writes what a recording tells.
///
/// # Errors
/// When the output cannot be written.
pub fn recorded(
    out: &mut impl Write,
    screen: Screen,
    recorded: &Recorded,
    view: &RecordedView,
) -> Result<()> {
    head(out, screen, recorded)?;
    totals(out, screen, recorded)?;
    verdict(out, screen, recorded)?;
    if let Some(only) = view.only {
        section(out, screen, recorded, only, view)?;
    } else {
        for one in Section::ALL {
            section(out, screen, recorded, one, view)?;
        }
        marks(out, screen, recorded, view)?;
    }
    gaps(out, screen, &recorded.recording.gaps)?;
    next(out, screen, recorded, view)
}

/// What was recorded, when, and how well.
pub(super) fn head(out: &mut impl Write, screen: Screen, recorded: &Recorded) -> Result<()> {
    let recording = &recorded.recording;
    let program = &recording.program;
    writeln!(out, "{}", screen.heading(&words::recorded::program(program)))?;
    if program.command.len() > 1 {
        writeln!(out, "{}", screen.faint(&screen.wrap(&program.command.join(" "), 0)))?;
    }
    let mut about = vec![words::recorded::time(program)];
    if recorded.is_window {
        about = vec![format!("{} of the recording", duration(program.recorded.as_secs_f64()))];
    }
    about.push(words::recorded::exactness(recording));
    about.extend((!program.system.is_empty()).then(|| program.system.join(", ")));
    writeln!(out, "{}", screen.faint(&screen.wrap(&about.join("; "), 0)))?;
    Ok(())
}

fn totals(out: &mut impl Write, screen: Screen, recorded: &Recorded) -> Result<()> {
    let recording = &recorded.recording;
    let totals = &recording.totals;
    let mut lines = vec![
        ("peak", format!("{} {}", size(totals.peak), when(totals.peak_at))),
        ("at the end", at_the_end(recorded)),
        ("in all", in_all(recorded)),
    ];
    if totals.mapped_peak > Bytes::ZERO && !recorded.is_window {
        let line = format!(
            "{} by mmap of the program itself at the end, {} at most",
            size(totals.mapped),
            size(totals.mapped_peak)
        );
        lines.push(("mapped", line));
    }
    if let Some(chosen) = &recorded.chosen {
        let line = format!(
            "{} of {}; {} in {} not freed; {} at the peak",
            counted(chosen.allocations, "allocation"),
            size(chosen.allocated),
            size(chosen.live),
            counted(chosen.live_blocks, "block"),
            size(chosen.at_peak)
        );
        lines.push(("chosen", line));
    }
    writeln!(out)?;
    for (what, line) in lines {
        writeln!(out, "  {}  {}", screen.faint(&format!("{what:<10}")), screen.wrap(&line, 14))?;
    }
    let live: Vec<f64> = recording.timeline.totals.iter().map(|total| total.peak.0 as f64).collect();
    if live.len() > 1 {
        let width = screen.width.unwrap_or(120).saturating_sub(14).clamp(10, 2 * PICTURE);
        writeln!(out, "  {}  {}", screen.faint("over time "), overview(&live, width))?;
    }
    Ok(())
}

/// `after 11 s`, since the start.
fn when(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        return "at the start".into();
    }
    format!("after {}", duration(time.as_secs_f64()))
}

fn at_the_end(recorded: &Recorded) -> String {
    let totals = &recorded.recording.totals;
    let stands = format!("{} in {} not freed", size(totals.live), counted(totals.live_blocks, "block"));
    match recorded.lost() {
        Some((0, _)) => format!("{stands}, none of it lost: all can still be reached"),
        Some((blocks, bytes)) => {
            format!("{stands}; of these {} in {} lost", size(bytes), counted(blocks, "block"))
        }
        None => stands,
    }
}

fn in_all(recorded: &Recorded) -> String {
    let totals = &recorded.recording.totals;
    let mut parts =
        vec![format!("{} of {}", counted(totals.allocations, "allocation"), size(totals.allocated))];
    if !recorded.is_window && totals.allocations > 0 {
        let share = percent(totals.temporary as f64 / totals.allocations as f64);
        parts.push(format!("{share} of them temporary"));
    }
    parts.push(counted(recorded.sites.len() as u64, "site"));
    if totals.threads > 0 {
        parts.push(counted(u64::from(totals.threads), "thread"));
    }
    parts.join(", ")
}

fn verdict(out: &mut impl Write, screen: Screen, recorded: &Recorded) -> Result<()> {
    let text = screen.wrap(&words::recorded::verdict(recorded), 0);
    let is_unsure = recorded.is_blind()
        || recorded.sites.iter().any(|site| site.growth.shape == Shape::Growing && site.growth.net > 0);
    let text = match () {
        () if recorded.has_leak() => screen.bad(&text),
        () if is_unsure || recorded.recording.sampling.is_some() => screen.doubtful(&text),
        () => screen.good(&text),
    };
    writeln!(out, "\n{text}")?;
    Ok(())
}

fn section(
    out: &mut impl Write,
    screen: Screen,
    recorded: &Recorded,
    section: Section,
    view: &RecordedView,
) -> Result<()> {
    let sites = section.of(recorded);
    if sites.is_empty() {
        if view.only.is_some() {
            writeln!(out, "\n{}\n  none", screen.heading(words::recorded::section(section)))?;
        }
        return Ok(());
    }
    writeln!(out, "\n{}", screen.heading(words::recorded::section(section)))?;
    let shown: Vec<SiteRow> =
        sites.iter().take(view.limit).map(|site| row(recorded, section, site, view)).collect();
    rows(out, screen, titles(section), &shown)?;
    if sites.len() > view.limit {
        let left: u64 = sites[view.limit..].iter().map(|site| section.weight(site)).sum();
        let left = if section == Section::Temporary { counted(left, "block") } else { size(Bytes(left)) };
        let more = counted((sites.len() - view.limit) as u64, "more site");
        let line = format!("… and {more} with {left}: --limit, --sort {}", word(section));
        writeln!(out, "  {}", screen.faint(&screen.wrap(&line, 2)))?;
    }
    Ok(())
}

/// What `--sort` calls it.
fn word(section: Section) -> &'static str {
    match section {
        Section::Lost => "lost",
        Section::Growing => "growth",
        Section::Live => "live",
        Section::Peak => "peak",
        Section::Allocated => "allocated",
        Section::Temporary => "temporary",
        Section::Wasted => "wasted",
    }
}

fn titles(section: Section) -> &'static [&'static str] {
    match section {
        Section::Lost => &["BYTES", "BLOCKS"],
        Section::Growing => &["GREW BY", "TO"],
        Section::Live | Section::Peak | Section::Allocated => &["BYTES", "SHARE", "BLOCKS"],
        Section::Temporary => &["BLOCKS", "OF ITS", "LIVED"],
        Section::Wasted => &["BYTES"],
    }
}

fn row(recorded: &Recorded, section: Section, site: &Site, view: &RecordedView) -> SiteRow {
    let totals = &recorded.recording.totals;
    let sums = &site.sums;
    let share = |bytes: Bytes, of: Bytes| match words::recorded::kind(site.kind) {
        // What the program mapped itself is no part of what allocators hold.
        Some(kind) => kind.to_owned(),
        None => percent(bytes.share_of(of)),
    };
    let of_bytes = |bytes: Bytes, of: Bytes, blocks: u64| vec![size(bytes), share(bytes, of), count(blocks)];
    let mut below = Vec::new();
    let cells = match section {
        Section::Lost => {
            vec![size(sums.lost.unwrap_or_default()), count(sums.lost_blocks.unwrap_or_default())]
        }
        Section::Growing => {
            let held: Vec<f64> = recorded.held(site).into_iter().map(|bytes| bytes as f64).collect();
            below.push(overview(&held, PICTURE));
            below.push(words::recorded::growth(&site.growth));
            vec![change(site.growth.net), size(sums.peak)]
        }
        Section::Live => {
            below.extend(words::recorded::remains(site, &recorded.recording));
            below.extend(words::recorded::bounds(site));
            of_bytes(sums.live, totals.live, sums.live_blocks)
        }
        Section::Peak => of_bytes(sums.at_peak, totals.peak, sums.at_peak_blocks),
        Section::Allocated => of_bytes(sums.allocated, totals.allocated, sums.allocations),
        Section::Temporary => {
            let lived = quantile(&sums.lifetimes, 0.5).map_or_else(|| "-".into(), |us| duration(us / 1e6));
            vec![count(sums.temporary), percent(site.temporary_share().unwrap_or_default()), lived]
        }
        Section::Wasted => {
            below.push(words::recorded::waste(site));
            vec![size(site.slack_at_peak())]
        }
    };
    told(recorded, cells, below, site, section, view)
}

fn told(
    recorded: &Recorded,
    cells: Vec<String>,
    below: Vec<String>,
    site: &Site,
    section: Section,
    view: &RecordedView,
) -> SiteRow {
    let path = site.path(section.measure());
    let mut row = SiteRow { cells, below, ..SiteRow::of(recorded, path, view.full) };
    if let Some(kind) = words::recorded::kind(site.kind) {
        row.name = format!("{kind}: {}", row.name);
    }
    let others = site.paths.len() - 1;
    if view.full {
        let weight = |path: PathId| {
            site.paths.iter().find(|one| one.path == path).map_or(0, |one| one.weight(section.measure()))
        };
        for other in site.paths.iter().filter(|other| other.path != path && weight(other.path) > 0) {
            row.others.push(SiteRow::of(recorded, other.path, true));
        }
    } else if others > 0 {
        row.note = format!("and {}", counted(others as u64, "other path"));
    }
    row
}

fn marks(out: &mut impl Write, screen: Screen, recorded: &Recorded, view: &RecordedView) -> Result<()> {
    if recorded.marks.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", screen.heading("MARKS: WHAT EACH PHASE LEFT BEHIND"))?;
    for mark in &recorded.marks {
        writeln!(out, "  {}", screen.wrap(&phase(mark), 4))?;
        let sites = mark.sites.iter().filter(|site| site.net_blocks != 0 || site.net != 0);
        let shown: Vec<SiteRow> = sites
            .take(OF_A_MARK.max(if view.full { view.limit } else { 0 }))
            .map(|site| SiteRow {
                cells: vec![change(site.net), format!("{:+}", site.net_blocks)],
                ..SiteRow::of(recorded, site.path, view.full)
            })
            .collect();
        if !shown.is_empty() {
            rows(out, screen, &["BYTES", "BLOCKS"], &shown)?;
        }
    }
    Ok(())
}

fn phase(mark: &MarkView) -> String {
    let running = mark.begun.saturating_sub(mark.ended);
    let open = if running > 0 { format!(", {running} never ended") } else { String::new() };
    format!(
        "{}: {} in {}{open}; {} of {}, of which {} stayed",
        mark.name,
        counted(mark.begun, "time"),
        duration(mark.time.as_secs_f64()),
        counted(mark.allocations, "allocation"),
        size(mark.allocated),
        words::recorded::net(mark.net, mark.net_blocks)
    )
}

fn next(out: &mut impl Write, screen: Screen, recorded: &Recorded, view: &RecordedView) -> Result<()> {
    if view.full || recorded.sites.is_empty() {
        return Ok(());
    }
    let file = words::quoted(&view.file);
    let worst = [Section::Lost, Section::Growing, Section::Live, Section::Peak]
        .into_iter()
        .find(|section| view.only.is_none_or(|only| only == *section) && !section.of(recorded).is_empty());
    let Some(worst) = worst else { return Ok(()) };
    let line = format!("next: residue report {file} --sort {} --full", word(worst));
    writeln!(out, "\n{}", screen.wrap(&line, 0))?;
    Ok(())
}
