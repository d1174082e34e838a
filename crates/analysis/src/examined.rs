//! What came of examining the heaps of a target: one answer a command, for whoever shows it.

use residue_model::{Block, Gap, Heap, Range, Recognised, Snapshot, Stop};

use crate::holding::{HeapSums, Pins, SizeRow, TypeSums};
use crate::leaks::Record;
use crate::reachability::{Amount, Heuristics, LeakKind, Reference, Root};
use crate::types::BlockType;

/// How the target was looked at.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Who it is, with regions that know what they are for.
    pub snapshot: Snapshot,
    /// What it cost a running process; none of a dump.
    pub stop: Option<Stop>,
    /// It ran on while it was read: what is seen together may never have been so.
    pub is_fuzzy: bool,
    /// The heaps that were walked; their blocks are not here.
    pub heaps: Vec<Heap>,
    /// Allocators and runtimes that are there.
    pub recognised: Vec<Recognised>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}

impl Circumstances {
    /// Allocators whose blocks nobody looked at, though the process uses them.
    pub fn unwalked(&self) -> impl Iterator<Item = &Recognised> {
        self.recognised.iter().filter(|other| !other.walked && !other.holds.is_empty())
    }

    /// Whether everything was seen that the absence of leaks rests on.
    pub fn saw_everything(&self) -> bool {
        let is_exact =
            |heap: &Heap| heap.verified() == residue_model::Verified::Exact && heap.gaps.is_empty();
        !self.is_fuzzy
            && !self.heaps.is_empty()
            && self.heaps.iter().all(is_exact)
            && self.unwalked().next().is_none()
            && self.gaps.is_empty()
    }
}

/// What the heaps hold.
#[derive(Clone, Debug, Default)]
pub struct HeapReport {
    /// How it was looked at.
    pub seen: Circumstances,
    /// All heaps together.
    pub sums: HeapSums,
    /// Live blocks by size.
    pub sizes: Vec<SizeRow>,
    /// Live blocks by type.
    pub types: TypeSums,
    /// What pins pages that are nearly free.
    pub pins: Pins,
}

/// Who is lost.
#[derive(Clone, Debug, Default)]
pub struct LeakReport {
    /// How it was looked at.
    pub seen: Circumstances,
    /// Which pointers into blocks counted.
    pub heuristics: Option<Heuristics>,
    /// Blocks and bytes of each kind; none when there was no heap to look at.
    pub totals: Option<[(LeakKind, Amount); 4]>,
    /// Blocks that are alike, the worst first.
    pub records: Vec<Record>,
    /// What holds the reachable blocks.
    pub holders: Vec<(Root, Amount)>,
    /// It was compared with an earlier run.
    pub is_compared: bool,
    /// Ended early: what was not reached by then counts for nothing.
    pub interrupted: bool,
}

impl LeakReport {
    /// How much is of a kind; nothing when nobody looked.
    pub fn total(&self, kind: LeakKind) -> Option<Amount> {
        self.totals?.into_iter().find(|(other, _)| *other == kind).map(|(_, amount)| amount)
    }

    /// Whether something is lost for certain.
    pub fn has_leak(&self) -> bool {
        self.total(LeakKind::Definite).is_some_and(|amount| amount.blocks > 0)
    }
}

/// The blocks of one record.
#[derive(Clone, Debug)]
pub struct BlocksReport {
    /// How it was looked at.
    pub seen: Circumstances,
    /// The record.
    pub record: Record,
    /// Its blocks, in order of address.
    pub blocks: Vec<ListedBlock>,
}

/// One block of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBlock {
    /// What the program may use.
    pub range: Range,
    /// The first text in it.
    pub preview: Option<String>,
}

/// Who points somewhere.
#[derive(Clone, Debug, Default)]
pub struct RefReport {
    /// How it was looked at.
    pub seen: Circumstances,
    /// What was asked for: the block of an address, or a range.
    pub target: Range,
    /// The block that it lies in, and its type.
    pub block: Option<(Block, BlockType)>,
    /// What stands there, when it is no block.
    pub place: Option<String>,
    /// Words that point into it.
    pub references: Vec<ToldReference>,
    /// The shortest chain from a root, when it was asked for and the search came to its end: empty when there is none.
    pub chain: Option<Vec<ToldReference>>,
    /// Ended early: there may be more.
    pub interrupted: bool,
}

/// A word that points somewhere, with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldReference {
    /// The word and what holds it.
    pub reference: Reference,
    /// The variable that it stands in, as `g_cache+0x10 in redis-server`.
    pub symbol: Option<String>,
    /// The function in whose part of the stack it stands.
    pub frame: Option<String>,
    /// The type of the block that it stands in.
    pub what: Option<BlockType>,
}
