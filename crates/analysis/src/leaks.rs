//! Blocks of one kind and one type are one record: a leak has a thousand blocks and one cause.

use std::collections::{HashMap, HashSet};

use residue_model::{Address, Block, BlockId, Blocks, Bytes};
use serde::Serialize;

use crate::reachability::{Amount, Heuristics, LeakKind, Lost, LostBlock, Reachability};
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

/// What a search was asked for, as far as it decides which records there are and how they are numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Kinds that records are made of.
    pub kinds: Vec<LeakKind>,
    /// Blocks smaller than this are left out.
    pub min_size: Bytes,
    /// Which pointers into blocks count.
    pub heuristics: Heuristics,
    /// Words with marks count as pointers.
    pub tagged: bool,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            kinds: vec![LeakKind::Definite, LeakKind::Possible],
            min_size: Bytes::ZERO,
            heuristics: Heuristics::ALL,
            tagged: false,
        }
    }
}

/// An earlier run that a later one is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierRun {
    /// What it was asked for; none when its document does not tell.
    pub asked: Option<Asked>,
    /// What it found.
    pub records: Vec<EarlierRecord>,
}

impl EarlierRun {
    /// What a later run needs to know of this one.
    pub fn of(asked: &Asked, records: &[Record]) -> EarlierRun {
        EarlierRun { asked: Some(asked.clone()), records: records.iter().map(EarlierRecord::of).collect() }
    }

    /// Takes back what was said of records whose kind the earlier run was not asked for: nobody knows of these.
    pub fn forget_unasked(&self, records: &mut [Record]) {
        let asked = self.asked.clone().unwrap_or_default();
        for record in records.iter_mut().filter(|record| !asked.kinds.contains(&record.kind)) {
            record.change = None;
        }
    }

    /// Records of kinds that both runs were asked for, of which the later one has none.
    pub fn gone(&self, asked: &Asked, records: &[Record]) -> Vec<EarlierRecord> {
        if self.asked.is_none() {
            return Vec::new();
        }
        let known = Known::of(&self.records);
        let found: HashSet<usize> = records.iter().filter_map(|record| known.find(record)).collect();
        let is_asked = |earlier: &EarlierRecord| asked.kinds.iter().any(|kind| kind.key() == earlier.kind);
        let is_gone =
            |&(index, earlier): &(usize, &EarlierRecord)| !found.contains(&index) && is_asked(earlier);
        self.records.iter().enumerate().filter(is_gone).map(|(_, earlier)| earlier.clone()).collect()
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
    /// Sizes of text differ from block to block, whatever its cause, and so do those of a ring's members.
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
    if wants(LeakKind::Definite) {
        groups.take_losses(lost);
    }
    if wants(LeakKind::Indirect) {
        for block in lost.blocks.iter().filter(|block| !block.is_definite) {
            groups.take(LeakKind::Indirect, block.id);
        }
    }
    if wants(LeakKind::Possible) {
        for &id in &reachability.possible_blocks {
            groups.take(LeakKind::Possible, id);
        }
    }
    if wants(LeakKind::Reachable) {
        let is_other = |id: &BlockId| {
            reachability.possible_blocks.binary_search(id).is_ok()
                || lost.blocks.binary_search_by_key(id, |block| block.id).is_ok()
        };
        for block in blocks.live().filter(|block| !is_other(&block.id)) {
            groups.take(LeakKind::Reachable, block.id);
        }
    }
    let mut records = groups.records;
    for record in &mut records {
        // Members of rings come ring by ring.
        record.addresses.sort_unstable();
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
    fn take(&mut self, kind: LeakKind, id: BlockId) {
        let block = self.blocks.block(id);
        if block.size() >= self.min_size {
            let record = self.record(kind, None, block);
            self.add(record, block);
        }
    }

    /// Takes what was lost by itself. A ring is one loss, whatever its members are: its largest tells what it is.
    fn take_losses(&mut self, lost: &Lost) {
        let mut members: Vec<&LostBlock> = lost.blocks.iter().filter(|block| block.is_definite).collect();
        members.sort_by_key(|member| (member.loss, member.id));
        for members in members.chunk_by(|one, other| one.loss == other.loss) {
            let whole = lost.losses[members[0].loss as usize];
            let blocks: Vec<Block> = members.iter().map(|member| self.blocks.block(member.id)).collect();
            let Some(&largest) = blocks.iter().rev().max_by_key(|block| block.size()) else { continue };
            if whole.retained_bytes < self.min_size {
                continue;
            }
            let record =
                self.record(LeakKind::Definite, (whole.members > 1).then_some(whole.members), largest);
            for block in blocks {
                self.add(record, block);
            }
            let retained = &mut self.records[record].retained;
            retained.blocks += whole.retained_blocks;
            retained.bytes += whole.retained_bytes;
        }
    }

    /// Which record a block belongs to; a new one when there is none like it.
    fn record(&mut self, kind: LeakKind, ring: Option<u32>, block: Block) -> usize {
        let what = self.types.of(block.range);
        let size = (!varies(&what, ring)).then_some(block.size().0);
        let key = Key { kind, ring, what, size };
        *self.of.entry(key).or_insert_with_key(|key| {
            self.records.push(Record {
                number: 0,
                kind,
                what: key.what.clone(),
                size: Some(block.size()),
                amount: Amount::default(),
                retained: Amount::default(),
                ring,
                preview: None,
                addresses: Vec::new(),
                change: None,
            });
            self.records.len() - 1
        })
    }

    fn add(&mut self, record: usize, block: Block) {
        let record = &mut self.records[record];
        record.amount.add(block.size());
        record.size = record.size.filter(|&size| size == block.size());
        record.addresses.push(block.range.start);
        if record.preview.is_none() && record.addresses.len() <= LOOKED_INTO {
            record.preview = self.types.preview(block.range);
        }
    }
}

/// Whether blocks of a type are of one cause though their sizes differ.
fn varies(what: &BlockType, ring: Option<u32>) -> bool {
    ring.is_some() || matches!(what, BlockType::Content(content) if content.is_text())
}

/// Blocks of a record that are looked into for a text to show.
const LOOKED_INTO: usize = 8;

/// Places of earlier records, by what tells one from another but for its size.
struct Known<'e> {
    earlier: &'e [EarlierRecord],
    of: HashMap<(&'e str, &'e str, Option<u32>), Vec<usize>>,
}

impl<'e> Known<'e> {
    fn of(earlier: &'e [EarlierRecord]) -> Known<'e> {
        let mut of: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, record) in earlier.iter().enumerate() {
            of.entry((record.kind.as_str(), record.name.as_str(), record.ring)).or_default().push(index);
        }
        Known { earlier, of }
    }

    /// The place of the earlier record that a later one goes on.
    fn find(&self, record: &Record) -> Option<usize> {
        let name = record.what.name();
        let alike = self.of.get(&(record.kind.key(), name.as_ref(), record.ring))?;
        // Where sizes vary there is one record, which has a size as long as all its blocks happen to be of one.
        let is_it = |&&index: &&usize| {
            varies(&record.what, record.ring) || self.earlier[index].size == record.size.map(|size| size.0)
        };
        alike.iter().find(is_it).copied()
    }
}

/// Says of each record how it compares with an earlier run.
pub fn compare(records: &mut [Record], earlier: &[EarlierRecord]) {
    let known = Known::of(earlier);
    for record in records {
        let before = known.find(record).map(|index| &earlier[index]);
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

#[cfg(test)]
mod tests;
