use std::io::Write;

use residue_analysis::examined::{RefReport, ToldReference};
use residue_analysis::reachability::Holder;

use super::heap::head;
use super::table::Table;
use super::{Screen, gaps};
use crate::units::count;
use crate::{Result, words};

/// Writes who points somewhere, and the chain that holds it when it was asked for.
///
/// # Errors
/// When the output cannot be written.
pub fn refs(out: &mut impl Write, screen: Screen, report: &RefReport, limit: usize) -> Result<()> {
    head(out, screen, "References", &report.seen)?;
    let target = report.target;
    let what = match (&report.block, &report.place) {
        (Some((block, what)), _) => {
            let state = if block.live { "live" } else { "free" };
            format!("a {state} block of {} bytes: {}", count(block.size().0), what.name())
        }
        (None, Some(place)) => place.clone(),
        (None, None) => "nothing that is mapped".into(),
    };
    let line = format!("to {} … {}: {what}", target.start, target.end);
    writeln!(out, "{}", screen.wrap(&line, 2))?;
    if report.interrupted {
        writeln!(out, "{}", screen.doubtful("interrupted: there may be more"))?;
    }
    if report.references.is_empty() {
        writeln!(out, "\nnobody points here")?;
    } else {
        let title = format!("{} POINTERS", count(report.references.len() as u64));
        writeln!(out, "\n{}", screen.heading(&title))?;
        let rows = report.references.iter().take(limit);
        table(rows, target.start.0).write(out, screen)?;
        if report.references.len() > limit {
            let line = format!("  … and {} more: --limit", report.references.len() - limit);
            writeln!(out, "{}", screen.faint(&line))?;
        }
    }
    match &report.chain {
        None => {}
        Some(chain) if chain.is_empty() => {
            writeln!(out, "\n{}", screen.bad("no chain of pointers leads here from any root"))?;
        }
        Some(chain) => {
            let title = if chain.len() == 1 {
                "HELD DIRECTLY".into()
            } else {
                format!("HELD BY A CHAIN OF {}", chain.len())
            };
            writeln!(out, "\n{}", screen.heading(&title))?;
            for told in chain {
                let line = format!("{} -> {}", place(told), told.reference.to);
                writeln!(out, "  {}", screen.wrap(&line, 4))?;
            }
        }
    }
    gaps(out, screen, &report.seen.gaps)
}

fn table<'a>(rows: impl Iterator<Item = &'a ToldReference>, start: u64) -> Table {
    let mut table = Table::new().number("AT", 0).number("POINTS TO", 0).term("", 0).text("IN", 0);
    for told in rows {
        let at = told.reference.at.map_or_else(|| "-".into(), |at| format!("{:x}", at.0));
        let offset = told.reference.to.0.wrapping_sub(start);
        let to = if told.reference.is_start { "start".into() } else { format!("inside +{offset:#x}") };
        table.row(vec![at, format!("{:x}", told.reference.to.0), to, place(told)]);
    }
    table
}

/// Where a word stands, with names.
fn place(told: &ToldReference) -> String {
    match (&told.reference.holder, told.reference.at) {
        (Holder::Block(block), Some(at)) => {
            let state = if block.live { "block" } else { "freed block" };
            let what = told.what.as_ref().map(|what| format!(", {}", what.name())).unwrap_or_default();
            let offset = at.0 - block.range.start.0.min(at.0);
            format!("{state} {} + {offset:#x} of {} bytes{what}", block.range.start, count(block.size().0))
        }
        (Holder::Root { kind, name, thread }, _) => {
            let root = words::root(*kind, name.as_deref(), *thread);
            let detail =
                told.symbol.clone().or_else(|| told.frame.as_ref().map(|frame| format!("frame of {frame}")));
            detail.map_or(root.clone(), |detail| format!("{detail}, {root}"))
        }
        (Holder::Dead, _) => "memory that is not in use: below a stack, or an allocator's own".into(),
        (Holder::Block(_), None) => "a block".into(),
    }
}
