//! Blocks of one kind and one type are one record: a leak has a thousand blocks and one cause.

use std::collections::HashMap;

use residue_model::{Address, BlockId, Blocks, Bytes};
use serde::Serialize;

use crate::reachability::{Amount, LeakKind, Reachability};
use crate::types::{BlockType, Types};

/// Blocks that are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place among all records, from 1 on.
    pub number: u32,
    /// How they are held.
    pub kind: LeakKind,
    /// What they are.
    pub what: BlockType,
    /// The usable size of each; none when sizes differ.
    pub size: Option<Bytes>,
    /// How many, and how much.
    pub amount: Amount,
    /// What came back with them, they counted.
    pub retained: Amount,
    /// How many blocks are in each ring, when they are rings.
    pub ring: Option<u32>,
    /// The first text found in one of them.
    pub preview: Option<String>,
    /// Where they stand, in order.
    pub addresses: Vec<Address>,
    /// How it compares with an earlier run.
    pub change: Option<RecordChange>,
}

/// How a record compares with the one of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RecordChange {
    /// Which way.
    pub kind: ChangeKind,
    /// More blocks than there were, or fewer.
    pub blocks: i64,
    /// More bytes than there were, or fewer.
    pub bytes: i64,
}

/// Which way a record changed, in the words of memcheck's `leak_check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// There was none.
    New,
    /// It has more bytes than before.
    Increased,
    /// It has fewer bytes, or other numbers of blocks.
    Changed,
    /// It is as it was.
    Same,
}

/// A record of an earlier run, as a document keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierRecord {
    /// [`LeakKind::key`].
    pub kind: String,
    /// [`BlockType::name`].
    pub name: String,
    /// The size of each block.
    pub size: Option<u64>,
    /// Blocks in each ring.
    pub ring: Option<u32>,
    /// How many blocks.
    pub blocks: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl EarlierRecord {
    /// What a later run needs to know of a record.
    pub fn of(record: &Record) -> EarlierRecord {
        EarlierRecord {
            kind: record.kind.key().to_owned(),
            name: record.what.name().into_owned(),
            size: record.size.map(|size| size.0),
            ring: record.ring,
            blocks: record.amount.blocks,
            bytes: record.amount.bytes.0,
        }
    }
}

/// Which records are wanted.
#[derive(Clone, Copy, Debug)]
pub struct RecordFilter<'a> {
    /// Kinds that are wanted.
    pub kinds: &'a [LeakKind],
    /// Blocks smaller than this are left out.
    pub min_size: Bytes,
}

/// What makes blocks one record.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: LeakKind,
    ring: Option<u32>,
    what: BlockType,
    /// Sizes of text differ from block to block, whatever its cause.
    size: Option<u64>,
}

/// Groups what was found into records, the most retained first.
pub fn records(
    reachability: &Reachability,
    blocks: &Blocks,
    types: &mut Types<'_>,
    filter: RecordFilter<'_>,
) -> Vec<Record> {
    let mut groups =
        Groups { of: HashMap::new(), records: Vec::new(), blocks, types, min_size: filter.min_size };
    let wants = |kind: LeakKind| filter.kinds.contains(&kind);
    let lost = &reachability.lost;
    for block in &lost.blocks {
        let kind = if block.is_definite { LeakKind::Definite } else { LeakKind::Indirect };
        if !wants(kind) {
            continue;
        }
        let whole = lost.losses[block.loss as usize];
        let ring = (block.is_definite && whole.members > 1).then_some(whole.members);
        let retained = if block.is_definite && whole.first == block.id {
            Amount { blocks: whole.retained_blocks, bytes: whole.retained_bytes }
        } else {
            Amount::default()
        };
        groups.take(kind, block.id, ring, retained);
    }
    if wants(LeakKind::Possible) {
        for &id in &reachability.possible_blocks {
            groups.take(LeakKind::Possible, id, None, Amount::default());
        }
    }
    if wants(LeakKind::Reachable) {
        let is_other = |id: &BlockId| {
            reachability.possible_blocks.binary_search(id).is_ok()
                || lost.blocks.binary_search_by_key(id, |block| block.id).is_ok()
        };
        for block in blocks.live().filter(|block| !is_other(&block.id)) {
            groups.take(LeakKind::Reachable, block.id, None, Amount::default());
        }
    }
    let mut records = groups.records;
    for record in &mut records {
        if record.kind != LeakKind::Definite {
            record.retained = record.amount;
        }
    }
    records.sort_by(|one, other| {
        let order = |record: &Record| (record.kind, std::cmp::Reverse(record.retained.bytes));
        order(one).cmp(&order(other)).then_with(|| one.addresses.first().cmp(&other.addresses.first()))
    });
    for (number, record) in (1..).zip(&mut records) {
        record.number = number;
    }
    records
}

struct Groups<'g, 'a> {
    of: HashMap<Key, usize>,
    records: Vec<Record>,
    blocks: &'g Blocks,
    types: &'g mut Types<'a>,
    min_size: Bytes,
}

impl Groups<'_, '_> {
    fn take(&mut self, kind: LeakKind, id: BlockId, ring: Option<u32>, retained: Amount) {
        let block = self.blocks.block(id);
        if block.size() < self.min_size && retained.bytes < self.min_size {
            return;
        }
        let what = self.types.of(block.range);
        let varies = matches!(&what, BlockType::Content(content) if content.is_text());
        let key = Key { kind, ring, what, size: (!varies).then_some(block.size().0) };
        let index = *self.of.entry(key.clone()).or_insert_with(|| {
            self.records.push(Record {
                number: 0,
                kind,
                what: key.what,
                size: Some(block.size()),
                amount: Amount::default(),
                retained: Amount::default(),
                ring,
                preview: None,
                addresses: Vec::new(),
                change: None,
            });
            self.records.len() - 1
        });
        let record = &mut self.records[index];
        record.amount.add(block.size());
        record.retained.blocks += retained.blocks;
        record.retained.bytes += retained.bytes;
        record.size = record.size.filter(|&size| size == block.size());
        record.addresses.push(block.range.start);
        if record.preview.is_none() && record.addresses.len() <= LOOKED_INTO {
            record.preview = self.types.preview(block.range);
        }
    }
}

/// Blocks of a record that are looked into for a text to show.
const LOOKED_INTO: usize = 8;

/// Says of each record how it compares with an earlier run.
pub fn compare(records: &mut [Record], earlier: &[EarlierRecord]) {
    let earlier: HashMap<_, _> = earlier
        .iter()
        .map(|record| ((record.kind.as_str(), record.name.as_str(), record.size, record.ring), record))
        .collect();
    for record in records {
        let name = record.what.name();
        let size = record.size.map(|size| size.0);
        let before = earlier.get(&(record.kind.key(), name.as_ref(), size, record.ring));
        let difference = |now: u64, before: u64| now.cast_signed().wrapping_sub(before.cast_signed());
        let (blocks, bytes) = before.map_or((0, 0), |before| (before.blocks, before.bytes));
        let change = RecordChange {
            kind: ChangeKind::New,
            blocks: difference(record.amount.blocks, blocks),
            bytes: difference(record.amount.bytes.0, bytes),
        };
        let kind = match before {
            None => ChangeKind::New,
            Some(_) if change.bytes > 0 => ChangeKind::Increased,
            Some(_) if change.bytes < 0 || change.blocks != 0 => ChangeKind::Changed,
            Some(_) => ChangeKind::Same,
        };
        record.change = Some(RecordChange { kind, ..change });
    }
}
