//! The questions about blocks: what heaps hold, who is lost, who points where.

use residue_analysis::examined::{
    BlocksReport, HeapReport, LeakReport, ListedBlock, RefReport, ToldReference,
};
use residue_analysis::holding::{HeapSums, Pins, sizes, types};
use residue_analysis::leaks::{EarlierRecord, RecordFilter, compare, records};
use residue_analysis::reachability::{
    Chain, Holder, LeakKind, Reachability, Reference, RootKind, Rules, chain_to_root, references,
};
use residue_model::{Address, Bytes, Range};
use residue_target::symbols::Frame;

use crate::examination::{View, attended, region_at};
use crate::search::threads;
use crate::{Examination, HeapProgress, Interrupt};

/// Which blocks a search for leaks tells of, and how it looks for pointers.
#[derive(Clone, Debug)]
pub struct LeakPlan {
    /// Kinds that records are made of.
    pub kinds: Vec<LeakKind>,
    /// Blocks smaller than this are left out of the records.
    pub min_size: Bytes,
    /// How pointers are looked for.
    pub rules: Rules,
    /// Records of an earlier run.
    pub since: Option<Vec<EarlierRecord>>,
}

impl Default for LeakPlan {
    fn default() -> LeakPlan {
        LeakPlan {
            kinds: vec![LeakKind::Definite, LeakKind::Possible],
            min_size: Bytes::ZERO,
            rules: Rules { workers: threads(), ..Rules::default() },
            since: None,
        }
    }
}

/// What the heaps of a target hold.
pub fn heaps(examination: &Examination<'_>, progress: &mut dyn FnMut(HeapProgress)) -> HeapReport {
    let seen = examination.circumstances(true);
    let sums = HeapSums::of(&seen.heaps);
    if !examination.has_heap() {
        return HeapReport { seen, ..HeapReport::default() };
    }
    progress(HeapProgress::Typing);
    let view = examination.view();
    let blocks = &examination.blocks;
    view.with_types(|told| HeapReport {
        sums,
        sizes: sizes(blocks),
        types: types(blocks, told),
        pins: Pins::of(blocks, &view.pieces, told),
        seen,
    })
}

/// Who of a target's blocks is lost.
pub fn leaks(
    examination: &Examination<'_>,
    plan: &LeakPlan,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(HeapProgress),
) -> LeakReport {
    let mut report = LeakReport {
        seen: examination.circumstances(true),
        heuristics: Some(plan.rules.heuristics),
        is_compared: plan.since.is_some(),
        ..LeakReport::default()
    };
    if !examination.has_heap() {
        return report;
    }
    let view = examination.view();
    let scene = view.scene();
    let found = attended(interrupt, progress, |scanned| Reachability::of(&scene, plan.rules, scanned));
    report.interrupted = found.interrupted;
    if found.interrupted {
        return report;
    }
    progress(HeapProgress::Typing);
    report.totals = Some(LeakKind::ALL.map(|kind| (kind, found.total(kind, &examination.blocks))));
    let filter = RecordFilter { kinds: &plan.kinds, min_size: plan.min_size };
    report.records = view.with_types(|told| records(&found, &examination.blocks, told, filter));
    if let Some(earlier) = &plan.since {
        compare(&mut report.records, earlier);
    }
    report.holders = found.holders;
    report
}

/// The blocks of one record of a report; none when it has no such record.
pub fn blocks_of(examination: &Examination<'_>, report: &LeakReport, number: u32) -> Option<BlocksReport> {
    let record = report.records.iter().find(|record| record.number == number)?.clone();
    let view = examination.view();
    let blocks = view.with_types(|told| {
        let listed = |&address: &Address| {
            let block = examination.blocks.at(address)?;
            Some(ListedBlock { range: block.range, preview: told.preview(block.range) })
        };
        record.addresses.iter().filter_map(listed).collect()
    });
    Some(BlocksReport { seen: report.seen.clone(), record, blocks })
}

/// Who points at a block, or into a range where a length is given; with the chain that holds it, when asked for.
pub fn refs(
    examination: &Examination<'_>,
    address: Address,
    length: Option<Bytes>,
    to_root: bool,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(HeapProgress),
) -> RefReport {
    let seen = examination.circumstances(false);
    let view = examination.view();
    let scene = view.scene();
    let block = examination.blocks.at(address);
    let whole = match (length, block) {
        (Some(length), _) => {
            Range { start: address, end: Address(address.0.saturating_add(length.0.max(1))) }
        }
        (None, Some(block)) => block.range,
        (None, None) => Range { start: address, end: Address(address.0.saturating_add(1)) },
    };
    let frames = Frames::of(&view);
    let (found, chain) = attended(interrupt, progress, |scanned| {
        let roots = scene.roots();
        let mut tell = |more| scanned(more);
        let found = references(&scene, &roots, whole, &mut tell);
        let start = block.filter(|block| to_root && block.live);
        let chain = start.map(|block| chain_to_root(&scene, &roots, block, &mut tell));
        (found, chain)
    });
    let chain = match chain {
        Some(Chain::Held(chain)) => Some(chain),
        Some(Chain::Lost) => Some(Vec::new()),
        Some(Chain::GivenUp) | None => None,
    };
    let interrupted = interrupt.is_set();
    let tell = |reference: Reference| told(examination, &view, &frames, reference);
    RefReport {
        target: whole,
        block: block.map(|block| (block, view.with_types(|told| told.of(block.range)))),
        place: place(examination, &seen.snapshot, address),
        references: found.into_iter().map(tell).collect(),
        chain: chain.map(|chain| chain.into_iter().map(tell).collect()),
        interrupted,
        seen,
    }
}

/// What stands at an address that is in no block.
fn place(
    examination: &Examination<'_>,
    snapshot: &residue_model::Snapshot,
    address: Address,
) -> Option<String> {
    if let Some(symbol) = examination.modules.symbol_at(address) {
        return Some(symbol.to_string());
    }
    let region = region_at(snapshot, address)?;
    Some(region.name.as_deref().map_or_else(|| region.usage.label().to_owned(), str::to_owned))
}

/// The frames of the threads' stacks, as far as they can be followed.
struct Frames(Vec<(u32, Vec<Frame>)>);

impl Frames {
    fn of(view: &View<'_>) -> Frames {
        let of = view.examination();
        let memory = view.files();
        let follow = |thread: &residue_model::Thread| {
            (thread.tid, of.modules.frames(&thread.registers, memory.memory))
        };
        Frames(of.threads().iter().filter(|thread| !thread.registers.is_empty()).map(follow).collect())
    }

    /// The function in whose part of a stack an address lies.
    fn at(&self, address: Address) -> Option<String> {
        let mut frames = self.0.iter().flat_map(|(_, frames)| frames);
        let frame = frames.find(|frame| frame.stack.contains(address))?;
        Some(frame.symbol.as_ref().map_or_else(|| frame.pc.to_string(), ToString::to_string))
    }
}

fn told(
    examination: &Examination<'_>,
    view: &View<'_>,
    frames: &Frames,
    reference: Reference,
) -> ToldReference {
    let symbol = match (&reference.holder, reference.at) {
        (Holder::Root { kind: RootKind::Module, .. }, Some(at)) => {
            examination.modules.symbol_at(at).map(|symbol| symbol.to_string())
        }
        _ => None,
    };
    let frame = match (&reference.holder, reference.at) {
        (Holder::Root { kind: RootKind::Stack, .. }, Some(at)) => frames.at(at),
        _ => None,
    };
    let what = match &reference.holder {
        Holder::Block(block) => Some(view.with_types(|told| told.of(block.range))),
        _ => None,
    };
    ToldReference { reference, symbol, frame, what }
}
