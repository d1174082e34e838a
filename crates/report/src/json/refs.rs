use std::io::Write;

use residue_analysis::examined::{RefReport, ToldReference};
use residue_analysis::reachability::Holder;
use residue_model::{Address, Range};
use serde::Serialize;

use super::heap::stopped;
use super::{Target, write};
use crate::{Result, words};

#[derive(Serialize)]
struct RefsBody<'a> {
    range: Range,
    block: Option<RefBlock>,
    place: Option<&'a str>,
    references: Vec<RefRow<'a>>,
    chain: Option<Vec<RefRow<'a>>>,
    stopped_ms: Option<f64>,
    interrupted: bool,
}

#[derive(Serialize)]
struct RefBlock {
    #[serde(flatten)]
    range: Range,
    live: bool,
    #[serde(rename = "type")]
    what: String,
}

#[derive(Serialize)]
struct RefRow<'a> {
    at: Option<Address>,
    to: Address,
    is_start: bool,
    holder: &'static str,
    block: Option<Range>,
    offset: Option<u64>,
    live: bool,
    root: Option<String>,
    symbol: Option<&'a str>,
    frame: Option<&'a str>,
    #[serde(rename = "type")]
    what: Option<String>,
}

impl<'a> RefRow<'a> {
    fn of(told: &'a ToldReference) -> RefRow<'a> {
        let reference = &told.reference;
        let (holder, block, root) = match &reference.holder {
            Holder::Block(block) => ("block", Some(block.range), None),
            Holder::Root { kind, name, thread } => {
                (kind.key(), None, Some(words::root(*kind, name.as_deref(), *thread)))
            }
            Holder::Dead => ("dead", None, None),
        };
        let offset = block.zip(reference.at).map(|(block, at)| at.0.saturating_sub(block.start.0));
        RefRow {
            at: reference.at,
            to: reference.to,
            is_start: reference.is_start,
            holder,
            block,
            offset,
            live: reference.holder.is_live(),
            root,
            symbol: told.symbol.as_deref(),
            frame: told.frame.as_deref(),
            what: told.what.as_ref().map(|what| what.name().into_owned()),
        }
    }
}

/// Writes `residue.refs/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn refs(out: &mut impl Write, report: &RefReport) -> Result<()> {
    let body = RefsBody {
        range: report.target,
        block: report.block.as_ref().map(|(block, what)| RefBlock {
            range: block.range,
            live: block.live,
            what: what.name().into_owned(),
        }),
        place: report.place.as_deref(),
        references: report.references.iter().map(RefRow::of).collect(),
        chain: report.chain.as_ref().map(|chain| chain.iter().map(RefRow::of).collect()),
        stopped_ms: stopped(&report.seen),
        interrupted: report.interrupted,
    };
    write(out, "residue.refs/1", Target::of(&report.seen.snapshot), &report.seen.gaps, body)
}
