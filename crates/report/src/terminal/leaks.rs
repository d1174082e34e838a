use std::io::Write;

use residue_analysis::examined::{BlocksReport, LeakReport};
use residue_analysis::leaks::{Asked, ChangeKind, EarlierRecord, Record};
use residue_analysis::reachability::LeakKind;

use residue_model::{Gap, Heap};

use super::heap::head;
use super::table::Table;
use super::{Screen, gaps};
use crate::units::{change, count, counted, size};
use crate::{Result, words};

/// How much of a report is shown.
#[derive(Clone, Copy, Debug)]
pub struct LeakView<'a> {
    /// At most so many records.
    pub limit: usize,
    /// Every address of a record, not only the first ones.
    pub all_addresses: bool,
    /// Of records that were compared, only these.
    pub changes: &'a [ChangeKind],
    /// What the search was asked for.
    pub asked: &'a Asked,
    /// Records that only the earlier run has.
    pub gone: &'a [EarlierRecord],
}

/// Addresses of a record that are shown.
const ADDRESSES: usize = 3;

/// Roots that are listed.
const HOLDERS: usize = 8;

/// Writes who is lost, grouped into records, and what holds the rest.
///
/// # Errors
/// When the output cannot be written.
pub fn leaks(out: &mut impl Write, screen: Screen, report: &LeakReport, view: LeakView<'_>) -> Result<()> {
    head(out, screen, "Leaks", &report.seen)?;
    for line in words::walked(&report.seen) {
        writeln!(out, "{}", screen.wrap(&line, 2))?;
    }
    let verdict = words::leaks(report);
    let verdict = screen.wrap(&verdict, 0);
    let verdict = match report.totals {
        Some(_) if report.has_leak() => screen.bad(&verdict),
        Some(_) if report.seen.saw_everything() => screen.good(&verdict),
        _ => screen.doubtful(&verdict),
    };
    writeln!(out, "\n{verdict}")?;
    totals(out, screen, report)?;
    let shown: Vec<&Record> =
        report.records.iter().filter(|record| is_wanted(record, report, view)).collect();
    if !shown.is_empty() {
        records(out, screen, report, &shown, view)?;
    } else if report.is_compared && !report.records.is_empty() {
        writeln!(out, "\nno record is as asked for: all others are as they were")?;
    }
    if !view.gone.is_empty() {
        let count = view.gone.len() as u64;
        let are = if count == 1 { "is" } else { "are" };
        writeln!(out, "\n{} of the earlier run {are} gone", counted(count, "record"))?;
    }
    holders(out, screen, report)?;
    let of_heaps = report.seen.heaps.iter().flat_map(unseen);
    gaps(out, screen, &report.seen.gaps.iter().cloned().chain(of_heaps).collect::<Vec<_>>())?;
    next(out, screen, report, view.asked)
}

/// What of a heap was not walked: whatever is there may be lost, or hold what looks lost.
fn unseen(heap: &Heap) -> Vec<Gap> {
    let damage = heap.damage.iter().map(|damage| {
        Gap::new(
            format!("{} of {} behind {}", size(damage.unwalked), heap.allocator, damage.at),
            damage.what.clone(),
        )
    });
    heap.gaps.iter().cloned().chain(damage).collect()
}

fn is_wanted(record: &Record, report: &LeakReport, view: LeakView<'_>) -> bool {
    !report.is_compared || record.change.is_none_or(|change| view.changes.contains(&change.kind))
}

fn totals(out: &mut impl Write, screen: Screen, report: &LeakReport) -> Result<()> {
    let Some(totals) = report.totals else { return Ok(()) };
    let mut table = Table::new().without_header().term("KIND", 0).number("BYTES", 0).number("BLOCKS", 0);
    for (kind, amount) in totals {
        table.row(vec![words::leak_kind(kind).into(), size(amount.bytes), counted(amount.blocks, "block")]);
    }
    table.write(out, screen)
}

fn records(
    out: &mut impl Write,
    screen: Screen,
    report: &LeakReport,
    shown: &[&Record],
    view: LeakView<'_>,
) -> Result<()> {
    let title = if shown.len() == 1 {
        "1 RECORD".to_owned()
    } else {
        format!("{} RECORDS", count(shown.len() as u64))
    };
    writeln!(out, "\n{}", screen.heading(&title))?;
    let mut table = Table::new()
        .number("RECORD", 0)
        .term("KIND", 0)
        .number("BLOCKS", 0)
        .number("BYTES", 2)
        .number("RETAINED", 0);
    if report.is_compared {
        table = table.term("SINCE", 0).number("CHANGE", 0);
    }
    table = table.term("TYPE", 0).text("FOR EXAMPLE", 1);
    for record in shown.iter().take(view.limit) {
        let mut row = vec![
            record.number.to_string(),
            record.kind.key().into(),
            count(record.amount.blocks),
            size(record.amount.bytes),
            size(record.retained.bytes),
        ];
        if report.is_compared {
            let since = record.change;
            row.push(since.map_or("-", |since| change_word(since.kind)).into());
            row.push(since.map_or_else(|| "-".into(), |since| change(since.bytes)));
        }
        row.push(what(record));
        row.push(record.preview.clone().unwrap_or_default());
        table.row(row);
    }
    table.write(out, screen)?;
    if shown.len() > view.limit {
        let line = format!("  … and {} more records: --limit", shown.len() - view.limit);
        writeln!(out, "{}", screen.faint(&line))?;
    }
    writeln!(out)?;
    for record in shown.iter().take(view.limit) {
        addresses(out, screen, record, view.all_addresses)?;
    }
    Ok(())
}

/// Names of templates go on for lines.
fn short(name: &str) -> String {
    const LONGEST: usize = 44;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// What the blocks of a record are, each.
fn what(record: &Record) -> String {
    let each =
        record.size.map_or_else(|| "various sizes".to_owned(), |size| format!("{} bytes", count(size.0)));
    let ring = record.ring.map_or_else(String::new, |members| format!(", rings of {members}"));
    format!("{}, {each}{ring}", short(&record.what.name()))
}

fn addresses(out: &mut impl Write, screen: Screen, record: &Record, all: bool) -> Result<()> {
    let shown = if all { record.addresses.len() } else { ADDRESSES };
    let mut listed: Vec<String> = record.addresses.iter().take(shown).map(ToString::to_string).collect();
    if record.addresses.len() > shown {
        listed.push("…".into());
    }
    writeln!(out, "  {:>4}: {}", record.number, screen.wrap(&listed.join(" "), 8))?;
    Ok(())
}

fn change_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::New => "new",
        ChangeKind::Increased => "increased",
        ChangeKind::Changed => "changed",
        ChangeKind::Same => "same",
    }
}

fn holders(out: &mut impl Write, screen: Screen, report: &LeakReport) -> Result<()> {
    let mut holders: Vec<_> = report.holders.iter().filter(|(_, amount)| amount.blocks > 0).collect();
    if holders.is_empty() {
        return Ok(());
    }
    holders.sort_by_key(|(_, amount)| std::cmp::Reverse(amount.bytes));
    writeln!(out, "\n{}", screen.heading("WHAT HOLDS THE REACHABLE BLOCKS"))?;
    let mut table = Table::new().number("BLOCKS", 1).number("BYTES", 0).text("ROOT", 0);
    for (root, amount) in holders.iter().take(HOLDERS) {
        table.row(vec![count(amount.blocks), size(amount.bytes), words::root_name(root)]);
    }
    table.write(out, screen)?;
    if holders.len() > HOLDERS {
        writeln!(out, "{}", screen.faint(&format!("  … and {} more", holders.len() - HOLDERS)))?;
    }
    Ok(())
}

/// The options that number records as they are numbered here; nothing where they are the usual ones.
fn options(asked: &Asked) -> String {
    let usual = Asked::default();
    let mut options = String::new();
    let mut add = |option: &str, value: &str| options.extend([" ", option, value]);
    if asked.heuristics != usual.heuristics {
        add("--heuristics ", &words::heuristics(asked.heuristics).replace(' ', ""));
    }
    if asked.tagged {
        add("--tagged", "");
    }
    if LeakKind::ALL.iter().any(|kind| asked.kinds.contains(kind) != usual.kinds.contains(kind)) {
        let is_all = LeakKind::ALL.iter().all(|kind| asked.kinds.contains(kind));
        let kinds: Vec<&str> = asked.kinds.iter().map(|kind| kind.key()).collect();
        add("--kinds ", &if is_all { "all".to_owned() } else { kinds.join(",") });
    }
    if asked.min_size != usual.min_size {
        add("--min-size ", &asked.min_size.0.to_string());
    }
    options
}

fn next(out: &mut impl Write, screen: Screen, report: &LeakReport, asked: &Asked) -> Result<()> {
    let target = words::argument(&report.seen.snapshot);
    let Some(worst) = report.records.iter().find(|record| record.kind != LeakKind::Reachable) else {
        return Ok(());
    };
    let refs = match (worst.kind, worst.addresses.first()) {
        (LeakKind::Possible, Some(address)) => format!("residue refs {target} {address}"),
        (_, Some(address)) => format!("residue read {target} {address} 64"),
        _ => return Ok(()),
    };
    let line = format!("next: residue blocks {target} {}{}, or {refs}", worst.number, options(asked));
    writeln!(out, "\n{}", screen.wrap(&line, 0))?;
    Ok(())
}

/// Writes the blocks of a record.
///
/// # Errors
/// When the output cannot be written.
pub fn blocks(out: &mut impl Write, screen: Screen, report: &BlocksReport, limit: usize) -> Result<()> {
    let record = &report.record;
    let title = format!("Record {} of {}", record.number, words::target(&report.seen.snapshot));
    writeln!(out, "{}", screen.heading(&title))?;
    if let Some(stop) = &report.seen.stop {
        writeln!(out, "{}", screen.wrap(&words::stop(stop), 0))?;
    }
    let line = format!(
        "{}: {} in {}, {} retained; {}",
        words::leak_kind(record.kind),
        size(record.amount.bytes),
        counted(record.amount.blocks, "block"),
        size(record.retained.bytes),
        what(record)
    );
    writeln!(out, "{}\n", screen.wrap(&line, 2))?;
    let mut table = Table::new().number("ADDRESS", 0).number("SIZE", 0).text("FOR EXAMPLE", 0);
    for block in report.blocks.iter().take(limit) {
        table.row(vec![
            format!("{:x}", block.range.start.0),
            count(block.range.size().0),
            block.preview.clone().unwrap_or_default(),
        ]);
    }
    table.write(out, screen)?;
    if report.blocks.len() > limit {
        let line = format!("  … and {} more blocks: --limit", report.blocks.len() - limit);
        writeln!(out, "{}", screen.faint(&line))?;
    }
    gaps(out, screen, &report.seen.gaps)
}
