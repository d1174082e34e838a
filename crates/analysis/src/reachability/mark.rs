//! Follows pointers from word to block, until no new block is found.
//!
//! Most of the time goes into waiting for memory: a block is somewhere else than the one before, and so are its bits. So
//! blocks are scanned a batch at a time: first all of them are touched, so that the processor fetches them side by side,
//! then they are read.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::thread;

use residue_model::{Address, BlockId, Blocks, Pieces, Range};

use super::heuristics::Heuristics;
use super::marks::Marks;
use super::pool::{Pool, Todo};

/// What is looked for, and where.
pub(super) struct Marker<'a> {
    pub(super) pieces: &'a Pieces<'a>,
    pub(super) blocks: &'a Blocks,
    pub(super) heuristics: Heuristics,
    pub(super) tables: &'a [Range],
    /// Pointers may carry marks in their three lowest bits.
    pub(super) tagged: bool,
    /// Told how many bytes have been scanned since; breaks to give up.
    pub(super) scanned: &'a (dyn Fn(u64) -> ControlFlow<()> + Sync),
    /// Blocks that were found.
    pub(super) found: Marks,
    /// Blocks into which a pointer leads that is none to their start.
    pub(super) inside: Marks,
    lowest: u64,
    extent: u64,
}

/// Blocks are scanned in pieces of this size.
const SLICE: u64 = 64 * 1024;

/// So many blocks are on their way from memory at once.
const BATCH: usize = 16;

/// So many candidates are looked for at once.
const GROUP: usize = 32;

/// With fewer blocks to scan, a second thread is not worth waking.
const WORTH_SHARING: usize = 4096;

/// How a pointer into a block counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Only a pointer to the start finds it; others are remembered.
    Start,
    /// Any pointer finds it.
    Any,
}

impl<'a> Marker<'a> {
    pub(super) fn new(
        pieces: &'a Pieces<'a>,
        blocks: &'a Blocks,
        tables: &'a [Range],
        scanned: &'a (dyn Fn(u64) -> ControlFlow<()> + Sync),
    ) -> Marker<'a> {
        let extent = blocks.extent();
        Marker {
            pieces,
            blocks,
            heuristics: Heuristics::ALL,
            tables,
            tagged: false,
            scanned,
            found: Marks::new(blocks.places()),
            inside: Marks::new(blocks.places()),
            lowest: extent.start.0,
            extent: extent.size().0,
        }
    }

    /// Finds all that can be reached from words in memory and others, and gives how much was found: blocks and bytes.
    pub(super) fn reach(&self, ranges: &[Range], words: &[u64], certain: &[u64], threads: usize) -> Tally {
        let mut scan = Scan::new(self, threads == 1, Rule::Start);
        scan.candidates.extend(words.iter().filter(|&&word| self.may_point(word)));
        scan.resolve();
        for &word in certain {
            if let Some(found) = self.blocks.find_live(Address(word), &mut scan.hint) {
                scan.take(found.id, found.run);
            }
        }
        for &range in ranges {
            scan.todo.rests.push(range);
            self.drain(&mut scan, threads);
        }
        self.drain(&mut scan, threads);
        scan.tally
    }

    /// Finds what only pointers into blocks lead to, once all that starts lead to has been found.
    pub(super) fn reach_inside(&self, threads: usize) -> Tally {
        let mut scan = Scan::new(self, threads == 1, Rule::Any);
        for id in self.inside.beyond(&self.found) {
            scan.take(id, self.blocks.run_of(id));
            if scan.todo.blocks.len() >= BATCH {
                self.drain(&mut scan, threads);
            }
        }
        self.drain(&mut scan, threads);
        scan.tally
    }

    #[inline]
    fn may_point(&self, word: u64) -> bool {
        word.wrapping_sub(self.lowest) < self.extent
    }

    fn drain(&self, scan: &mut Scan<'_, 'a>, threads: usize) {
        while !scan.todo.is_empty() && scan.step().is_continue() {
            if threads > 1 && scan.todo.blocks.len() > WORTH_SHARING {
                let todo = std::mem::take(&mut scan.todo);
                scan.tally.join(self.share(todo, threads, scan.rule));
            }
        }
    }

    /// Scans with several threads until nothing is left.
    fn share(&self, todo: Todo, threads: usize, rule: Rule) -> Tally {
        let pool = Pool::new(todo, threads);
        let work = || {
            let mut scan = Scan::new(self, false, rule);
            while let Some(todo) = pool.take() {
                scan.todo = todo;
                while !scan.todo.is_empty() {
                    if scan.step().is_break() {
                        pool.give_up();
                        return scan.tally;
                    }
                    if pool.is_hungry() && scan.todo.blocks.len() > 2 * BATCH {
                        let half = scan.todo.blocks.len() / 2;
                        pool.give(Todo {
                            blocks: scan.todo.blocks.drain(..half).collect(),
                            rests: Vec::new(),
                        });
                    }
                }
            }
            scan.tally
        };
        let mut tally = Tally::default();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                tally.join(worker.join().expect("a scan does not panic"));
            }
        });
        tally
    }
}

/// How much was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) blocks: u64,
    pub(super) bytes: u64,
}

impl Tally {
    fn join(&mut self, other: Tally) {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
    }
}

/// One thread's part of the work.
struct Scan<'s, 'a> {
    marker: &'s Marker<'a>,
    alone: bool,
    rule: Rule,
    todo: Todo,
    /// Words that may be pointers.
    candidates: Vec<u64>,
    hint: u32,
    tally: Tally,
    /// Bytes scanned that nobody was told of.
    untold: u64,
}

/// How often somebody is told how far the scan is.
const TELL_EVERY: u64 = 1 << 22;

impl<'s, 'a> Scan<'s, 'a> {
    fn new(marker: &'s Marker<'a>, alone: bool, rule: Rule) -> Scan<'s, 'a> {
        Scan {
            marker,
            alone,
            rule,
            todo: Todo::default(),
            candidates: Vec::new(),
            hint: 0,
            tally: Tally::default(),
            untold: 0,
        }
    }

    /// Scans a few blocks, or one slice of a large one.
    fn step(&mut self) -> ControlFlow<()> {
        let Some(from) = self.todo.blocks.len().checked_sub(1).map(|last| last.saturating_sub(BATCH - 1))
        else {
            if let Some(rest) = self.todo.rests.pop() {
                self.scan_slice(rest);
                self.resolve();
            }
            return self.tell();
        };
        let mut slices = [&[][..]; BATCH];
        let mut count = 0;
        let mut touched = 0;
        for range in self.todo.blocks.drain(from..) {
            let held = self.marker.pieces.from(range.start);
            let size = usize::try_from(range.size().0).unwrap_or(usize::MAX);
            if range.size().0 > SLICE || held.len() < size || size == 0 {
                self.todo.rests.push(range);
                continue;
            }
            slices[count] = &held[..size];
            touched ^= held[0] ^ held[size - 1];
            count += 1;
        }
        black_box(touched);
        for slice in &slices[..count] {
            self.untold += slice.len() as u64;
            self.filter(slice);
        }
        self.resolve();
        self.tell()
    }

    fn tell(&mut self) -> ControlFlow<()> {
        if self.untold < TELL_EVERY {
            return ControlFlow::Continue(());
        }
        (self.marker.scanned)(std::mem::take(&mut self.untold))
    }

    /// Scans the start of a range, and leaves the rest for later.
    fn scan_slice(&mut self, range: Range) {
        let pieces = self.marker.pieces;
        // Regions of terabytes of which a page is held are met in the field.
        let Some((start, _)) = pieces.within(range).next() else { return };
        // A slice ends between two words, wherever it starts: the word on its edge would be in neither.
        let edge = Address(start.0.saturating_add(SLICE) & !7);
        let end = if edge > start { edge.min(range.end) } else { range.end };
        if end < range.end {
            self.todo.rests.push(Range { start: end, end: range.end });
        }
        for (start, bytes) in pieces.within(Range { start, end }) {
            let skipped = usize::try_from(start.0.next_multiple_of(8) - start.0).unwrap_or_default();
            self.untold += bytes.len() as u64;
            self.filter(bytes.get(skipped..).unwrap_or_default());
        }
    }

    /// Picks the words that lie where blocks are.
    #[inline]
    fn filter(&mut self, bytes: &[u8]) {
        let (lowest, extent) = (self.marker.lowest, self.marker.extent);
        for word in bytes.chunks_exact(8) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            if word.wrapping_sub(lowest) < extent {
                self.candidates.push(word);
            }
        }
    }

    /// Takes the blocks that the candidates point at.
    fn resolve(&mut self) {
        let candidates = std::mem::take(&mut self.candidates);
        for group in candidates.chunks(GROUP) {
            let mut touched = 0;
            for &word in group {
                let (bits, id) = self.marker.blocks.touch(Address(word), self.hint);
                touched ^= bits ^ self.marker.found.touch(id);
            }
            black_box(touched);
            for &word in group {
                self.point(word);
                if self.marker.tagged && word % 8 != 0 {
                    self.point(word & !7);
                }
            }
        }
        self.candidates = candidates;
        self.candidates.clear();
    }

    #[inline]
    fn point(&mut self, word: u64) {
        let marker = self.marker;
        let Some(found) = marker.blocks.find_live(Address(word), &mut self.hint) else { return };
        if found.is_start || self.rule == Rule::Any {
            self.take(found.id, found.run);
        } else if !marker.found.get(found.id) {
            // Another pointer into the same block may mean its start, though this one does not.
            let block = marker.blocks.bytes(found.run, found.id);
            let offset = word - block.start.0;
            if marker.heuristics.mean_start(marker.pieces, marker.tables, block, offset) {
                self.take(found.id, found.run);
            } else {
                marker.inside.set(found.id, self.alone);
            }
        }
    }

    #[inline]
    fn take(&mut self, id: BlockId, run: u32) {
        if self.marker.found.set(id, self.alone) {
            let range = self.marker.blocks.bytes(run, id);
            self.tally.blocks += 1;
            self.tally.bytes += range.size().0;
            self.todo.blocks.push(range);
        }
    }
}
