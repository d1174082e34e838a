use std::borrow::Cow;
use std::io::Write;

use residue_analysis::examined::{Circumstances, HeapReport};
use residue_analysis::holding::{HeapState, Pin, SizeRow, TypeRow};
use residue_model::{
    Address, Arena, Bytes, Damage, Gap, Heap, Identity, Mallinfo, Parameter, Recognised, Verified,
};
use serde::Serialize;

use super::{Target, write};
use crate::Result;

/// A heap without its blocks.
#[derive(Serialize)]
pub(super) struct HeapRow<'a> {
    allocator: &'a str,
    layout: &'a str,
    verified: &'static str,
    unexplained_bytes: u64,
    arenas: &'a [Arena],
    mallinfo: Option<Mallinfo>,
    parameters: &'a [Parameter],
    identities: &'a [Identity],
    damage: &'a [Damage],
    gaps: &'a [Gap],
}

impl<'a> HeapRow<'a> {
    pub(super) fn all(seen: &'a Circumstances) -> Vec<HeapRow<'a>> {
        seen.heaps.iter().map(HeapRow::of).collect()
    }

    fn of(heap: &'a Heap) -> HeapRow<'a> {
        let (verified, unexplained_bytes) = match heap.verified() {
            Verified::Exact => ("exact", 0),
            Verified::Partial { unexplained } => ("partial", unexplained.0),
        };
        HeapRow {
            allocator: &heap.allocator,
            layout: &heap.layout,
            verified,
            unexplained_bytes,
            arenas: &heap.arenas,
            mallinfo: heap.mallinfo,
            parameters: &heap.parameters,
            identities: &heap.identities,
            damage: &heap.damage,
            gaps: &heap.gaps,
        }
    }
}

#[derive(Serialize)]
struct HeapBody<'a> {
    heaps: Vec<HeapRow<'a>>,
    recognised: &'a [Recognised],
    state: Option<HeapState>,
    sums: Sums,
    sizes: Vec<SizeOut>,
    types: Vec<TypeOut<'a>>,
    types_every: u64,
    pins: PinsOut<'a>,
    stopped_ms: Option<f64>,
    estimated_ms: Option<f64>,
    fuzzy: bool,
}

#[derive(Serialize)]
struct Sums {
    system_bytes: Bytes,
    live_bytes: Bytes,
    live_blocks: u64,
    free_bytes: Bytes,
    own_bytes: Bytes,
    trim_gain: Bytes,
}

#[derive(Serialize)]
struct SizeOut {
    size: Bytes,
    blocks: u64,
    bytes: Bytes,
}

#[derive(Serialize)]
struct TypeOut<'a> {
    #[serde(rename = "type")]
    what: Cow<'a, str>,
    blocks: u64,
    bytes: Bytes,
    preview: Option<&'a str>,
}

#[derive(Serialize)]
struct PinsOut<'a> {
    pages: u64,
    free_bytes: Bytes,
    live_bytes: Bytes,
    by: Vec<PinOut<'a>>,
}

#[derive(Serialize)]
struct PinOut<'a> {
    #[serde(rename = "type")]
    what: Cow<'a, str>,
    size: Bytes,
    blocks: u64,
    pages: u64,
    first: Address,
}

impl<'a> TypeOut<'a> {
    fn of(row: &'a TypeRow) -> TypeOut<'a> {
        let preview = row.preview.as_deref();
        TypeOut { what: row.what.name(), blocks: row.amount.blocks, bytes: row.amount.bytes, preview }
    }
}

impl<'a> PinOut<'a> {
    fn of(row: &'a Pin) -> PinOut<'a> {
        PinOut {
            what: row.what.name(),
            size: row.size,
            blocks: row.blocks,
            pages: row.pages,
            first: row.first,
        }
    }
}

/// Writes `residue.heap/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn heap(out: &mut impl Write, report: &HeapReport) -> Result<()> {
    let seen = &report.seen;
    let size = |row: &SizeRow| SizeOut { size: row.size, blocks: row.amount.blocks, bytes: row.amount.bytes };
    let body = HeapBody {
        heaps: HeapRow::all(seen),
        recognised: &seen.recognised,
        state: (!seen.heaps.is_empty()).then(|| report.sums.state()),
        sums: Sums {
            system_bytes: report.sums.system,
            live_bytes: report.sums.live,
            live_blocks: report.sums.live_blocks,
            free_bytes: report.sums.free,
            own_bytes: report.sums.own,
            trim_gain: report.sums.trim_gain,
        },
        sizes: report.sizes.iter().map(size).collect(),
        types: report.types.rows.iter().map(TypeOut::of).collect(),
        types_every: report.types.every,
        pins: PinsOut {
            pages: report.pins.pages,
            free_bytes: report.pins.free,
            live_bytes: report.pins.live,
            by: report.pins.rows.iter().map(PinOut::of).collect(),
        },
        stopped_ms: stopped(seen),
        estimated_ms: seen.stop.map(|stop| stop.estimated.as_secs_f64() * 1000.0),
        fuzzy: seen.is_fuzzy,
    };
    write(out, "residue.heap/1", Target::of(&seen.snapshot), &seen.gaps, body)
}

/// How long the target stood still, in milliseconds; none of a dump.
pub(super) fn stopped(seen: &Circumstances) -> Option<f64> {
    seen.stop.map(|stop| stop.measured.as_secs_f64() * 1000.0)
}
