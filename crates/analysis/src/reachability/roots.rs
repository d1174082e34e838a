//! Where a program keeps its pointers outside of blocks.

use std::sync::Arc;

use residue_model::{Address, Blocks, Range, Region, Thread, Usage};
use serde::Serialize;

use super::stacks;

/// Something outside of blocks that holds pointers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// The path of its module, or the name of its region.
    pub name: Option<Arc<str>>,
    /// Its thread.
    pub thread: Option<u32>,
    /// Where its pointers stand.
    pub ranges: Vec<Range>,
    /// Pointers that stand in no memory: of registers.
    pub words: Vec<u64>,
    /// Pointers that are known to mean the start of the block that they point into.
    pub certain: Vec<u64>,
}

/// What a root is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RootKind {
    /// The writable data of a program or library.
    Module,
    /// The stack of a thread, and its thread-local storage.
    Stack,
    /// Registers of a thread.
    Registers,
    /// Memory that the program mapped itself.
    #[default]
    Mapping,
    /// Memory that other processes can write too.
    Shared,
}

impl RootKind {
    /// The name in documents.
    pub fn key(self) -> &'static str {
        match self {
            RootKind::Registers => "registers",
            RootKind::Stack => "stack",
            RootKind::Module => "module",
            RootKind::Mapping => "mapping",
            RootKind::Shared => "shared",
        }
    }
}

/// All roots of a target: data, stacks, registers, and last what was mapped: what several hold is told of the first.
///
/// Left out is what belongs to allocators: `claimed`, in order of address, and all blocks. `is_zero` says whether a page
/// holds nothing.
pub fn roots(
    regions: &[Region],
    threads: &[Thread],
    blocks: &Blocks,
    claimed: &[Range],
    is_zero: &dyn Fn(Range) -> bool,
) -> Vec<Root> {
    let dead = stacks::dead(regions, threads, is_zero);
    let mut left_out: Vec<Range> = blocks.runs().iter().map(residue_model::Run::range).collect();
    left_out.extend_from_slice(claimed);
    left_out.extend(dead);
    let left_out = joined(left_out);
    let mut roots: Vec<Root> = threads.iter().map(|thread| registers(thread, blocks)).collect();
    for region in regions.iter().filter(|region| holds_pointers(region)) {
        let ranges = without(region.range, &left_out);
        if ranges.is_empty() {
            continue;
        }
        let mut root = of_region(region, regions, threads);
        if let Some(same) = roots.iter_mut().find(|other| is_same(other, &root)) {
            same.ranges.extend(ranges);
        } else {
            root.ranges = ranges;
            roots.push(root);
        }
    }
    roots.sort_by_key(order);
    roots
}

/// Whatever several roots lead to is told of the first: the program, then libraries as they were loaded, which is from the
/// top of the address space down, so that the runtime that holds everything comes before the plug-in that uses it.
fn order(root: &Root) -> (RootKind, bool, std::cmp::Reverse<Address>) {
    const LIBRARIES: Address = Address(0x7000_0000_0000);
    let start = root.ranges.first().map(|range| range.start).unwrap_or_default();
    (root.kind, start >= LIBRARIES, std::cmp::Reverse(start))
}

/// What a program may write, or could once: what a linker fills in and protects then, and memory of its own that it
/// made read-only.
fn holds_pointers(region: &Region) -> bool {
    let protection = region.protection;
    let was_written = region.is_private_anonymous() || !protection.execute && region.usage == Usage::Rodata;
    protection.write || protection.read && was_written
}

/// The size of the header of a chunk of glibc.
const HEAD: u64 = 16;

fn registers(thread: &Thread, blocks: &Blocks) -> Root {
    let mut certain = Vec::new();
    // Whatever block a stack stands in is in use, though nothing may point at its start.
    certain.extend(thread.stack_pointer.map(|pointer| pointer.0));
    let inside = |word: u64| blocks.at(Address(word)).is_some();
    certain.retain(|&word| inside(word));
    // In the middle of `free`, glibc knows a block by the header in front of it alone.
    let behind_head = thread.registers.iter().filter_map(|word| word.checked_add(HEAD));
    certain
        .extend(behind_head.filter(|&word| {
            blocks.at(Address(word)).is_some_and(|block| block.range.start == Address(word))
        }));
    Root {
        kind: RootKind::Registers,
        thread: Some(thread.tid),
        words: thread.registers.clone(),
        certain,
        ..Root::default()
    }
}

fn of_region(region: &Region, regions: &[Region], threads: &[Thread]) -> Root {
    let has = |address: Option<Address>| address.is_some_and(|address| region.range.contains(address));
    let thread = match region.usage {
        Usage::MainStack => threads.iter().find(|thread| thread.is_main),
        _ => threads.iter().find(|thread| has(thread.thread_pointer) || has(thread.stack_pointer)),
    };
    let is_module = matches!(region.usage, Usage::Data | Usage::Bss | Usage::Rodata);
    let kind = match region.usage {
        Usage::MainStack | Usage::ThreadStack => RootKind::Stack,
        _ if is_module => RootKind::Module,
        _ if region.protection.shared => RootKind::Shared,
        _ if thread.is_some() => RootKind::Stack,
        _ => RootKind::Mapping,
    };
    // What begins as zeros has no name of its own; its module is told by where its allocation begins.
    let first =
        || Region::find(regions, region.allocation_base).and_then(|index| regions[index].name.clone());
    let name = region.name.clone().or_else(|| first().filter(|_| is_module));
    let thread = thread.filter(|_| kind == RootKind::Stack).map(|thread| thread.tid);
    Root { kind, name, thread, ..Root::default() }
}

/// Parts of one module, or of one thread's stack, are one root.
fn is_same(one: &Root, other: &Root) -> bool {
    one.kind == other.kind
        && match one.kind {
            RootKind::Stack => one.thread.is_some() && one.thread == other.thread,
            _ => one.name.is_some() && one.name == other.name,
        }
}

/// Ranges in order of address, those that overlap or touch made one.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// The parts of a range that none of others take, which stand in order of address and do not overlap.
pub(super) fn without(range: Range, others: &[Range]) -> Vec<Range> {
    let mut parts = Vec::new();
    let mut at = range.start;
    let first = others.partition_point(|other| other.end <= range.start);
    for other in others[first..].iter().take_while(|other| other.start < range.end) {
        if let Some(taken) = other.overlap(range) {
            parts.extend(Range::new(at, taken.start).filter(|part| part.start < part.end));
            at = at.max(taken.end);
        }
    }
    parts.extend(Range::new(at, range.end).filter(|part| part.start < part.end));
    parts
}
