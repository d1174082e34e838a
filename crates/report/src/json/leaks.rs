use std::io::{Read, Write};

use residue_analysis::examined::{BlocksReport, LeakReport};
use residue_analysis::leaks::{Asked, EarlierRecord, EarlierRun, Record, RecordChange};
use residue_analysis::reachability::{Amount, Heuristics, LeakKind, Root, RootKind};
use residue_model::{Address, Bytes, Recognised};
use serde::{Deserialize, Serialize};

use super::heap::{HeapRow, stopped};
use super::{Target, write};
use crate::{Error, Result, words};

/// The schema of who is lost.
const LEAKS: &str = "residue.leaks/1";

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a field of its own in the document")]
struct LeaksBody<'a> {
    heaps: Vec<HeapRow<'a>>,
    recognised: &'a [Recognised],
    checked: bool,
    complete: bool,
    totals: Option<Totals>,
    leaks: Vec<RecordRow<'a>>,
    gone: Vec<GoneRow<'a>>,
    roots: Vec<RootRow<'a>>,
    kinds: &'a [LeakKind],
    min_size: Bytes,
    heuristics: Option<String>,
    tagged: bool,
    stopped_ms: Option<f64>,
    estimated_ms: Option<f64>,
    fuzzy: bool,
    interrupted: bool,
}

#[derive(Serialize)]
struct Totals {
    definite: Amount,
    indirect: Amount,
    possible: Amount,
    reachable: Amount,
}

#[derive(Serialize)]
struct RecordRow<'a> {
    record: u32,
    kind: LeakKind,
    blocks: u64,
    bytes: Bytes,
    retained_blocks: u64,
    retained_bytes: Bytes,
    cycle: bool,
    members: Option<u32>,
    #[serde(rename = "type")]
    what: String,
    size: Option<Bytes>,
    preview: Option<&'a str>,
    since: Option<RecordChange>,
    addresses: &'a [Address],
}

/// A record that only the earlier run has.
#[derive(Serialize)]
struct GoneRow<'a> {
    kind: &'a str,
    blocks: u64,
    bytes: u64,
    members: Option<u32>,
    #[serde(rename = "type")]
    what: &'a str,
    size: Option<u64>,
}

impl<'a> GoneRow<'a> {
    fn of(record: &'a EarlierRecord) -> GoneRow<'a> {
        GoneRow {
            kind: &record.kind,
            blocks: record.blocks,
            bytes: record.bytes,
            members: record.ring,
            what: &record.name,
            size: record.size,
        }
    }
}

#[derive(Serialize)]
struct RootRow<'a> {
    kind: RootKind,
    name: Option<&'a str>,
    thread: Option<u32>,
    blocks: u64,
    bytes: Bytes,
}

impl<'a> RootRow<'a> {
    fn of((root, amount): &'a (Root, Amount)) -> RootRow<'a> {
        RootRow {
            kind: root.kind,
            name: root.name.as_deref(),
            thread: root.thread,
            blocks: amount.blocks,
            bytes: amount.bytes,
        }
    }
}

impl<'a> RecordRow<'a> {
    fn of(record: &'a Record, addresses: usize) -> RecordRow<'a> {
        RecordRow {
            record: record.number,
            kind: record.kind,
            blocks: record.amount.blocks,
            bytes: record.amount.bytes,
            retained_blocks: record.retained.blocks,
            retained_bytes: record.retained.bytes,
            cycle: record.ring.is_some(),
            members: record.ring,
            what: record.what.name().into_owned(),
            size: record.size,
            preview: record.preview.as_deref(),
            since: record.change,
            addresses: &record.addresses[..record.addresses.len().min(addresses)],
        }
    }
}

/// Writes `residue.leaks/1`, with what is gone since an earlier run, and at most so many addresses a record.
///
/// # Errors
/// When the output cannot be written.
pub fn leaks(
    out: &mut impl Write,
    report: &LeakReport,
    asked: &Asked,
    gone: &[EarlierRecord],
    addresses: usize,
) -> Result<()> {
    let seen = &report.seen;
    let total = |kind| report.total(kind).unwrap_or_default();
    let body = LeaksBody {
        heaps: HeapRow::all(seen),
        recognised: &seen.recognised,
        checked: report.totals.is_some(),
        complete: report.totals.is_some() && seen.saw_everything(),
        totals: report.totals.map(|_| Totals {
            definite: total(LeakKind::Definite),
            indirect: total(LeakKind::Indirect),
            possible: total(LeakKind::Possible),
            reachable: total(LeakKind::Reachable),
        }),
        leaks: report.records.iter().map(|record| RecordRow::of(record, addresses)).collect(),
        gone: gone.iter().map(GoneRow::of).collect(),
        roots: report.holders.iter().filter(|(_, amount)| amount.blocks > 0).map(RootRow::of).collect(),
        kinds: &asked.kinds,
        min_size: asked.min_size,
        heuristics: report.heuristics.map(words::heuristics),
        tagged: asked.tagged,
        stopped_ms: stopped(seen),
        estimated_ms: seen.stop.map(|stop| stop.estimated.as_secs_f64() * 1000.0),
        fuzzy: seen.is_fuzzy,
        interrupted: report.interrupted,
    };
    write(out, LEAKS, Target::of(&seen.snapshot), &seen.gaps, body)
}

/// The part of `residue.leaks/1` that a later run is compared with.
#[derive(Deserialize)]
struct EarlierDocument {
    checked: Option<bool>,
    #[serde(flatten)]
    asked: EarlierAsked,
    leaks: Vec<EarlierRow>,
}

/// What the run was asked for; the first documents did not say.
#[derive(Deserialize)]
struct EarlierAsked {
    kinds: Option<Vec<String>>,
    min_size: Option<u64>,
    heuristics: Option<String>,
    tagged: Option<bool>,
}

impl EarlierAsked {
    /// What it was asked for, where all of it is said.
    fn asked(&self) -> Result<Option<Asked>> {
        let (Some(kinds), Some(min_size), Some(heuristics), Some(tagged)) =
            (&self.kinds, self.min_size, &self.heuristics, self.tagged)
        else {
            return Ok(None);
        };
        let kind = |word: &String| LeakKind::ALL.into_iter().find(|kind| kind.key() == word);
        let kinds: Option<Vec<LeakKind>> = kinds.iter().map(kind).collect();
        let kinds = kinds.ok_or_else(|| refuse("it has kinds of loss that are not known"))?;
        let heuristics =
            Heuristics::parse(heuristics).ok_or_else(|| refuse("it has heuristics that are not known"))?;
        Ok(Some(Asked { kinds, min_size: Bytes(min_size), heuristics, tagged }))
    }
}

fn refuse(what: &str) -> Error {
    Error::Document { schema: LEAKS, what: what.into() }
}

#[derive(Deserialize)]
struct EarlierRow {
    kind: String,
    #[serde(rename = "type")]
    what: String,
    size: Option<u64>,
    members: Option<u32>,
    blocks: u64,
    bytes: u64,
}

/// Reads the run that a saved `residue.leaks/1` tells of.
///
/// # Errors
/// When it is not one, or nothing was searched in that run: against it, all losses would look new.
pub fn read_leaks(from: impl Read) -> Result<EarlierRun> {
    let document: EarlierDocument = super::saved(from, LEAKS)?;
    if document.checked == Some(false) {
        return Err(refuse("nothing was searched for leaks in that run (checked: false)"));
    }
    let asked = document.asked.asked()?;
    Ok(EarlierRun { asked, records: document.leaks.into_iter().map(EarlierRow::record).collect() })
}

impl EarlierRow {
    fn record(self) -> EarlierRecord {
        EarlierRecord {
            kind: self.kind,
            name: self.what,
            size: self.size,
            ring: self.members,
            blocks: self.blocks,
            bytes: self.bytes,
        }
    }
}

#[derive(Serialize)]
struct BlocksBody<'a> {
    #[serde(flatten)]
    record: RecordRow<'a>,
    list: Vec<BlockRow<'a>>,
    stopped_ms: Option<f64>,
}

#[derive(Serialize)]
struct BlockRow<'a> {
    address: Address,
    size: Bytes,
    preview: Option<&'a str>,
}

/// Writes `residue.blocks/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn blocks(out: &mut impl Write, report: &BlocksReport) -> Result<()> {
    let list = report.blocks.iter().map(|block| BlockRow {
        address: block.range.start,
        size: block.range.size(),
        preview: block.preview.as_deref(),
    });
    let body = BlocksBody {
        record: RecordRow::of(&report.record, 0),
        list: list.collect(),
        stopped_ms: stopped(&report.seen),
    };
    write(out, "residue.blocks/1", Target::of(&report.seen.snapshot), &report.seen.gaps, body)
}
