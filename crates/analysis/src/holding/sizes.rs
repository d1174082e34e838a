use std::collections::HashMap;

use residue_model::{Block, Blocks, Bytes};

use crate::reachability::Amount;
use crate::types::{BlockType, Types as Typing};

/// Live blocks of one usable size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRow {
    /// What the program may use of each.
    pub size: Bytes,
    /// How many there are, and how much that is.
    pub amount: Amount,
}

/// Live blocks by their usable size, the largest sum first.
pub fn sizes(blocks: &Blocks) -> Vec<SizeRow> {
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for block in blocks.live() {
        *counts.entry(block.size().0).or_default() += 1;
    }
    let row = |(size, count): (u64, u64)| SizeRow {
        size: Bytes(size),
        amount: Amount { blocks: count, bytes: Bytes(size * count) },
    };
    let mut rows: Vec<SizeRow> = counts.into_iter().map(row).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.amount.bytes), row.size));
    rows
}

/// Live blocks of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRow {
    /// What they are.
    pub what: BlockType,
    /// How many there are, and how much that is.
    pub amount: Amount,
    /// A text that stands in one of them.
    pub preview: Option<String>,
}

/// Live blocks by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types {
    /// The largest sum first.
    pub rows: Vec<TypeRow>,
    /// One block of so many was looked at, and stands for the others; 1 when all were.
    pub every: u64,
}

/// To look at more blocks than this takes long and tells nothing new.
const MOST_LOOKED_AT: u64 = 500_000;

/// Tells live blocks by their type. Of many, an even part is looked at.
pub fn types(blocks: &Blocks, typing: &mut Typing<'_>) -> Types {
    let every = blocks.count().div_ceil(MOST_LOOKED_AT).max(1);
    let mut rows: HashMap<BlockType, TypeRow> = HashMap::new();
    for (index, block) in (0..).zip(blocks.live()) {
        // A large block is never left to chance.
        let is_large = block.size() >= LARGE;
        if !is_large && index % every != 0 {
            continue;
        }
        add(&mut rows, typing, block, if is_large { 1 } else { every });
    }
    let mut rows: Vec<TypeRow> = rows.into_values().collect();
    rows.sort_by(|one, other| {
        other.amount.bytes.cmp(&one.amount.bytes).then_with(|| one.what.cmp(&other.what))
    });
    Types { rows, every }
}

const LARGE: Bytes = Bytes::kib(64);

fn add(rows: &mut HashMap<BlockType, TypeRow>, typing: &mut Typing<'_>, block: Block, weight: u64) {
    let what = typing.of(block.range);
    let row = rows.entry(what).or_insert_with_key(|what| TypeRow {
        what: what.clone(),
        amount: Amount::default(),
        preview: None,
    });
    row.amount.blocks += weight;
    row.amount.bytes += Bytes(block.size().0 * weight);
    if row.preview.is_none() {
        row.preview = typing.preview(block.range);
    }
}
