//! Images of memory from a stranger, and what holds of every walk of one.
//!
//! An image is written as records: a region (tag 0: start, pages, flags), a piece of memory that is held (tag 1: start, length,
//! bytes), or a register of the one thread (tag 2: a word, the first two the thread pointer and the stack pointer). Numbers
//! stand with the lowest byte first. `fixtures/heaps` has real ones, with what a walk does not look at left out.

use std::ops::ControlFlow;

use residue_analysis::reachability::{Reachability, Rules, Scene};
use residue_heap::{Image, walk};
use residue_model::{Address, Blocks, Heap, NoMemory, Pieces, Protection, Range, Region, Run, Thread, Usage};

const PAGE: u64 = 4096;

/// What a stranger says of memory.
#[derive(Debug, Default)]
struct Written<'a> {
    regions: Vec<Region>,
    pieces: Vec<(Address, &'a [u8])>,
    registers: Vec<u64>,
}

impl<'a> Written<'a> {
    fn of(mut bytes: &'a [u8]) -> Written<'a> {
        let mut written = Written::default();
        while let Some(tag) = number::<1>(&mut bytes) {
            let Some(start) = number::<8>(&mut bytes) else { break };
            match tag {
                0 => written.region(start, number::<4>(&mut bytes), number::<1>(&mut bytes)),
                1 => {
                    let length = number::<2>(&mut bytes).unwrap_or_default() as usize;
                    let (piece, rest) = bytes.split_at(length.min(bytes.len()));
                    written.pieces.push((Address(start), piece));
                    bytes = rest;
                }
                _ => written.registers.push(start),
            }
        }
        written.put_in_order();
        written
    }

    fn region(&mut self, start: u64, pages: Option<u64>, flags: Option<u64>) {
        let (start, flags) = (start / PAGE * PAGE, flags.unwrap_or_default());
        let end = start.saturating_add(pages.unwrap_or_default() * PAGE);
        let Some(range) = Range::new(Address(start), Address(end)).filter(|range| range.size().0 > 0) else {
            return;
        };
        let bit = |bit: u32| flags >> bit & 1 != 0;
        let protection = Protection { read: true, write: bit(0), execute: bit(1), shared: bit(2) };
        let named = |name: &str| Some(name.into());
        let (name, usage, inode) = match flags >> 4 {
            1 => (named("[heap]"), Usage::Heap, 0),
            2 => (named("[stack]"), Usage::MainStack, 0),
            3 => (named("/lib/libc.so.6"), Usage::Data, 1),
            4 => (None, Usage::Bss, 0),
            5 => (named("/lib/libc.so.6"), Usage::Rodata, 1),
            _ => (None, Usage::Unknown, 0),
        };
        self.regions.push(Region { range, protection, name, usage, inode, ..Region::default() });
    }

    /// As every target gives them: in order, without overlap, and memory only where a region is.
    fn put_in_order(&mut self) {
        self.regions.sort_by_key(|region| region.range.start);
        let mut end = Address(0);
        self.regions.retain(|region| {
            let is_behind = region.range.start >= end;
            end = end.max(region.range.end);
            is_behind
        });
        self.pieces.sort_by_key(|(start, _)| *start);
        let mut end = 0;
        let regions = &self.regions;
        self.pieces.retain_mut(|(start, bytes)| {
            let Some(index) = Region::find(regions, *start) else { return false };
            let room = (regions[index].range.end.0 - start.0).min(bytes.len() as u64);
            *bytes = &bytes[..room as usize];
            let is_behind = start.0 >= end && room > 0;
            end = end.max(start.0 + room);
            is_behind
        });
    }

    fn thread(&self) -> Thread {
        let register = |index: usize| self.registers.get(index).map(|&word| Address(word));
        Thread {
            is_main: true,
            thread_pointer: register(0),
            stack_pointer: register(1),
            registers: self.registers.clone(),
            ..Thread::default()
        }
    }
}

/// The next number of so many bytes; none behind the end.
fn number<const BYTES: usize>(bytes: &mut &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk::<BYTES>()?;
    *bytes = rest;
    let mut word = [0; 8];
    word[..BYTES].copy_from_slice(head);
    Some(u64::from_le_bytes(word))
}

/// Walks the image and follows its pointers.
pub fn check(bytes: &[u8]) {
    let written = Written::of(bytes);
    let threads = [written.thread()];
    let pieces = Pieces(written.pieces);
    let image = Image { pieces: &pieces, regions: &written.regions, threads: &threads, rest: &NoMemory };
    let walked = walk(&image);
    let (mut claimed, mut runs): (Vec<Range>, Vec<Run>) = (Vec::new(), Vec::new());
    for heap in walked.heaps {
        holds_together(&heap);
        claimed.extend(&heap.metadata);
        runs.extend(heap.blocks.into_runs());
    }
    claimed.sort_by_key(|range| range.start);
    let (blocks, _) = Blocks::new(runs);
    let scene = Scene {
        pieces: &pieces,
        regions: &written.regions,
        threads: &threads,
        blocks: &blocks,
        claimed: &claimed,
    };
    let found = Reachability::of(&scene, Rules::default(), &|_| ControlFlow::Continue(()));
    let lost = found.lost.blocks.len() as u64;
    assert_eq!(found.reachable.blocks + found.possible.blocks + lost, blocks.live().count() as u64);
}

/// Blocks are in order and do not overlap.
fn holds_together(heap: &Heap) {
    let mut end = Address(0);
    for block in heap.blocks.live() {
        assert!(block.range.start >= end && block.range.end >= block.range.start, "{block:?} overlaps");
        end = block.range.end;
    }
    let _ = heap.verified();
}
