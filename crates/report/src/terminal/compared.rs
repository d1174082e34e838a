use std::io::Write;

use residue_analysis::recorded::{Comparison, Measure, Recorded, SiteChange, SiteChangeKind};
use residue_model::Bytes;

use super::recorded::{RecordedView, head};
use super::sites::{SiteRow, rows};
use super::{Screen, gaps};
use crate::units::{change, counted, duration, size};
use crate::{Result, words};

/// Writes what changed from an earlier recording to a later one, site by site.
///
/// # Errors
/// When the output cannot be written.
pub fn compared(
    out: &mut impl Write,
    screen: Screen,
    sides: [&Recorded; 2],
    comparison: &Comparison,
    view: &RecordedView,
) -> Result<()> {
    let [earlier, later] = sides;
    head(out, screen, later)?;
    writeln!(out, "\n{}", screen.wrap(&since(earlier), 0))?;
    sums(out, sides)?;
    let [before, after] = comparison.seconds;
    if before.max(after) > 1.5 * before.min(after) {
        let line = format!(
            "one took {}, the other {}: what stands need not be comparable; what is asked for is told a second",
            duration(before),
            duration(after)
        );
        writeln!(out, "{}", screen.doubtful(&screen.wrap(&line, 0)))?;
    }
    let changed: Vec<&SiteChange> =
        comparison.rows.iter().filter(|row| row.kind() != SiteChangeKind::Same).collect();
    if changed.is_empty() {
        writeln!(out, "\nno site holds more or less at the end")?;
    } else {
        writeln!(out, "\n{}", screen.heading("SITES THAT HOLD MORE OR LESS AT THE END"))?;
        let shown: Vec<SiteRow> =
            changed.iter().take(view.limit).map(|row| line(sides, row, view.full)).collect();
        rows(out, screen, &["BYTES", "BLOCKS", "ASKED A SECOND"], &shown)?;
        if changed.len() > view.limit {
            let more = counted((changed.len() - view.limit) as u64, "more site");
            writeln!(out, "{}", screen.faint(&format!("  … and {more}: --limit")))?;
        }
    }
    gaps(out, screen, &later.recording.gaps)
}

fn since(earlier: &Recorded) -> String {
    let program = &earlier.recording.program;
    format!("compared with {}: {}", words::recorded::program(program), words::recorded::time(program))
}

fn sums(out: &mut impl Write, [earlier, later]: [&Recorded; 2]) -> Result<()> {
    let (before, after) = (&earlier.recording.totals, &later.recording.totals);
    let difference = |before: Bytes, after: Bytes| change(after.signed_since(before));
    for (what, before, after) in [("peak", before.peak, after.peak), ("at the end", before.live, after.live)]
    {
        let change = difference(before, after);
        writeln!(out, "  {what:<10}  {} → {}  ({change})", size(before), size(after))?;
    }
    Ok(())
}

fn line(sides: [&Recorded; 2], change_of: &SiteChange, full: bool) -> SiteRow {
    let later = change_of.later.map(|index| (sides[1], &sides[1].sites[index]));
    let Some((recorded, site)) = later.or(change_of.earlier.map(|index| (sides[0], &sides[0].sites[index])))
    else {
        return SiteRow::default();
    };
    let mut below = Vec::new();
    match change_of.kind() {
        SiteChangeKind::New => below.push("new".to_owned()),
        SiteChangeKind::Gone => below.push("gone".to_owned()),
        _ => {}
    }
    if change_of.later.is_some() && site.growth.shape.grows() {
        below.push(words::recorded::shape(site.growth.shape).to_owned());
    }
    #[allow(clippy::cast_possible_truncation, reason = "for people; saturates")]
    let rate = change(change_of.allocated_rate as i64);
    SiteRow {
        cells: vec![change(change_of.live), format!("{:+}", change_of.live_blocks), rate],
        below: if below.is_empty() { below } else { vec![below.join(", ")] },
        ..SiteRow::of(recorded, site.path(Measure::Live), full)
    }
}
