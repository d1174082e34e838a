//! musl's mallocng, from 1.2.1 on: groups of slots, described by metas that stand far from them.
//!
//! The context is found in the data of libc or of a static program, all groups by the pages of metas that it lists. What
//! is taken, masks in the metas say; what was asked for, the header of each block. Each group names its meta and each
//! block its group, so that nothing is believed that is not said twice. Source: musl `src/malloc/mallocng/`.

mod areas;
mod context;
mod groups;
mod locate;
mod meta;
mod proof;
mod slot;
mod window;

use residue_model::{Address, Arena, ArenaKind, Blocks, Bytes, Gap, Heap, Range, Recognised, Run};

use crate::{HeapWalker, Image, Walked};
use areas::Areas;
use context::Context;
use groups::{Groups, Tally};
use meta::{PAGE, SINGLE};
use proof::Proof;

/// Walks the heap of musl.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mallocng;

impl HeapWalker for Mallocng {
    fn walk(&self, image: &Image<'_>) -> Walked {
        let mut walked = Walked::default();
        for context in locate::contexts(image) {
            let areas = Areas::of(&context, image);
            // A copy of the context or the words of another program: it lists pages, but no group confirms it.
            let confirmed = areas.metas.iter().any(|meta| image.word(meta.group) == Some(meta.at));
            if confirmed && (areas.pages.last() == Some(&context.last_area) || !areas.gaps.is_empty()) {
                walked.recognised.push(recognised(&context));
                walked.heaps.push(heap(&context, areas, image));
            }
        }
        walked
    }
}

fn recognised(context: &Context) -> Recognised {
    Recognised {
        name: "musl mallocng".to_owned(),
        version: None,
        evidence: format!(
            "its context stands at {:#x}, and every page of metas repeats its secret",
            context.at
        ),
        walked: true,
        holds: Vec::new(),
    }
}

/// Reads all groups: those of slots into one arena, blocks that were mapped alone into another.
fn heap(context: &Context, mut areas: Areas, image: &Image<'_>) -> Heap {
    let mut shared = Groups::new(image, &areas);
    let mut shared_runs = Vec::new();
    let mut alone = Groups::new(image, &areas);
    let mut alone_runs = Vec::new();
    for (index, meta) in areas.metas.iter().enumerate() {
        if meta.class == SINGLE {
            alone_runs.extend(alone.read(index));
        } else {
            shared_runs.extend(shared.read(index));
        }
    }
    let (shared, alone) = (shared.finish(), alone.tally);
    let parts = [
        arena(Address(context.at), ArenaKind::Main, &shared, &shared_runs),
        arena(first(&alone_runs), ArenaKind::Mapped, &alone, &alone_runs),
    ];
    let runs = shared_runs.into_iter().chain(alone_runs).map(|(range, blocks)| Run::listed(range, blocks));
    let (blocks, refused) = Blocks::new(runs.collect());
    let proof = Proof::of(context, &areas, shared, alone);
    let mut gaps = std::mem::take(&mut areas.gaps);
    gaps.extend(proof.gap);
    gaps.extend(refused.iter().map(|run| {
        let what = format!("blocks of musl at {}", run.range().start);
        Gap::new(what, "two groups claim the same memory: it changed while it was read, or is damaged")
    }));
    Heap {
        allocator: "musl mallocng".to_owned(),
        layout: "1.2.1 ... 1.2.6".to_owned(),
        arenas: parts
            .into_iter()
            .filter(|arena| arena.kind == ArenaKind::Main || arena.live_blocks > 0)
            .collect(),
        blocks,
        identities: proof.identities,
        damage: proof.damage,
        metadata: metadata(context, &areas),
        gaps,
        ..Heap::default()
    }
}

fn first(runs: &[(Range, Vec<Range>)]) -> Address {
    runs.iter().map(|(range, _)| range.start).min().unwrap_or_default()
}

fn arena(address: Address, kind: ArenaKind, tally: &Tally, runs: &[(Range, Vec<Range>)]) -> Arena {
    let mut extents: Vec<Range> = runs.iter().map(|(range, _)| *range).collect();
    extents.sort_by_key(|range| range.start);
    Arena {
        address,
        kind,
        system_bytes: extents.iter().map(|range| range.size()).sum(),
        live_bytes: Bytes(tally.live.1),
        live_blocks: tally.live.0,
        free_bytes: Bytes(tally.free.1),
        free_blocks: tally.free.0,
        own_bytes: Bytes(tally.own),
        largest_free: Bytes(tally.largest_free),
        extents,
        ..Arena::default()
    }
}

fn metadata(context: &Context, areas: &Areas) -> Vec<Range> {
    let range =
        |start: u64, size: u64| Range { start: Address(start), end: Address(start.saturating_add(size)) };
    let mut metadata: Vec<Range> = areas.pages.iter().map(|&page| range(page, PAGE)).collect();
    metadata.push(range(context.at, context.size));
    metadata.sort_by_key(|range| range.start);
    metadata
}
