use std::collections::HashMap;
use std::time::Duration;

use residue_model::Gap;
use residue_model::recording::AllocationKind;
use residue_recording::wire::NODES;
use residue_recording::{Event, Kind};

use super::estimate::{Estimate, Weight};
use super::live::{Block, Live};
use super::mappings::Mappings;
use super::marks::{Marks, Open};
use super::site::{Family, Site};
use super::timeline::Timeline;
use crate::Lost;
use crate::clock::Clock;

/// Blocks that are freed sooner than that are short-lived.
pub(crate) const SHORT: Duration = Duration::from_millis(1);
/// No allocator gives more: what claims to be larger was damaged.
const LARGEST: u64 = 1 << 47;
/// Mappings are whole pages.
const PAGE: u64 = 4096;
/// Every block has this alignment: asking for it is asking for nothing.
const COMMON_ALIGNMENT: u64 = 16;

/// A program image that is recorded: what its events added up to so far.
#[derive(Debug)]
pub(crate) struct Image {
    estimate: Estimate,
    ticks_per_microsecond: f64,
    short: u64,
    pub(crate) live: Live,
    pub(crate) mappings: Mappings,
    pub(crate) sites: Vec<Site>,
    /// The site of a stack on the heap, plus one.
    heap_sites: Vec<u32>,
    other_sites: HashMap<(u32, AllocationKind), u32>,
    pub(crate) heap: Family,
    pub(crate) mapped: Family,
    pub(crate) timeline: Timeline,
    pub(crate) marks: Marks,
    /// When it began, and the last time that is known: time stamps.
    pub(crate) started: u64,
    pub(crate) now: u64,
    pub(crate) counted: Counted,
    /// What nobody could reach at its end, by the number of the site: blocks and bytes. None: nobody looked.
    pub(crate) lost: Option<HashMap<u32, (u64, u64)>>,
    /// Why there may be more of it, or less.
    pub(crate) lost_gaps: Vec<Gap>,
}

/// What is counted beside the sites.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) events: u64,
    pub(crate) unknown_frees: u64,
    /// Blocks given where one stood of which no end was seen.
    pub(crate) overwritten: u64,
    /// Events that make no sense.
    pub(crate) damaged: u64,
    pub(crate) threads: u32,
    pub(crate) dropped: u64,
    pub(crate) cut_stacks: u64,
    /// Ticks that threads waited for the collector.
    pub(crate) waited: u64,
}

/// A thread of it, between two events.
#[derive(Debug, Default)]
pub(crate) struct Thread {
    number: u32,
    /// The block that its last event gave.
    last: u64,
    moving: Moving,
    open: Vec<Open>,
}

/// A `realloc` that has begun.
#[derive(Clone, Copy, Debug, Default)]
enum Moving {
    #[default]
    Nothing,
    /// A block of which nothing is known.
    Stranger,
    Known(Block),
}

impl Image {
    pub(crate) fn new(estimate: Estimate, clock: &Clock, started: u64) -> Image {
        Image {
            estimate,
            ticks_per_microsecond: clock.ticks(Duration::from_secs(1)) as f64 / 1e6,
            short: clock.ticks(SHORT),
            live: Live::default(),
            mappings: Mappings::default(),
            sites: Vec::new(),
            heap_sites: Vec::new(),
            other_sites: HashMap::new(),
            heap: Family::default(),
            mapped: Family::default(),
            timeline: Timeline::from(started),
            marks: Marks::default(),
            started,
            now: started,
            counted: Counted::default(),
            lost: None,
            lost_gaps: Vec::new(),
        }
    }

    /// Takes down which blocks nobody can reach.
    pub(crate) fn lose(&mut self, lost: Lost) {
        let mut sums: HashMap<u32, (u64, u64)> = HashMap::new();
        for block in self.live.blocks() {
            let place = lost.blocks.partition_point(|range| range.end.0 <= block.address);
            if lost.blocks.get(place).is_some_and(|range| range.start.0 <= block.address) {
                let (blocks, bytes) = sums.entry(block.site).or_default();
                *blocks += 1;
                *bytes += block.size;
            }
        }
        self.lost = Some(sums);
        self.lost_gaps = lost.gaps;
    }

    pub(crate) fn estimate(&self) -> Estimate {
        self.estimate
    }

    /// A thread that was not seen before.
    pub(crate) fn thread(&mut self) -> Thread {
        self.counted.threads += 1;
        Thread { number: self.counted.threads - 1, ..Thread::default() }
    }

    /// A thread has ended, perhaps in the midst of a `realloc`: its block stands as it was then.
    pub(crate) fn end_thread(&mut self, thread: &mut Thread) {
        if let Moving::Known(block) = std::mem::take(&mut thread.moving) {
            self.keep(block);
        }
    }

    /// It is that time at least.
    pub(crate) fn advance(&mut self, time: u64) {
        self.now = self.now.max(time);
        if self.now >= self.timeline.end {
            self.timeline.advance(self.now, &self.heap, &mut self.sites);
        }
    }

    /// Something happened in a thread, not before what happened so far.
    #[inline]
    pub(crate) fn apply(&mut self, thread: &mut Thread, event: &Event) {
        self.counted.events += 1;
        self.advance(event.time);
        let Some(kind) = event.kind().filter(|_| event.size <= LARGEST) else {
            self.counted.damaged += 1;
            return;
        };
        let moving = std::mem::take(&mut thread.moving);
        let last = std::mem::take(&mut thread.last);
        if let Moving::Known(block) = moving {
            if kind == Kind::ReallocateFailed {
                self.keep(block);
                return;
            }
            self.release(thread, block, false);
        } else if matches!(moving, Moving::Stranger) && kind != Kind::ReallocateFailed {
            self.counted.unknown_frees += 1;
        }
        match kind {
            Kind::Allocate | Kind::ReallocateEnd => {
                self.give(thread, event, kind == Kind::ReallocateEnd);
                thread.last = event.address();
            }
            Kind::Free => match self.live.remove(event.address()) {
                Some(block) => self.release(thread, block, last == block.address),
                None => self.counted.unknown_frees += 1,
            },
            Kind::ReallocateBegin => {
                thread.moving = self.live.remove(event.address()).map_or(Moving::Stranger, Moving::Known);
            }
            Kind::ReallocateFailed => {}
            Kind::Map => self.map(thread, event, AllocationKind::Mapping),
            Kind::BreakUp => self.map(thread, event, AllocationKind::Break),
            Kind::Unmap | Kind::BreakDown => self.unmap(thread, event),
            Kind::MarkBegin => self.marks.begin(name(event), self.now, &mut thread.open),
            Kind::MarkEnd => self.marks.end(name(event), self.now, &mut thread.open),
        }
    }

    /// A block of the heap was given.
    #[inline]
    fn give(&mut self, thread: &Thread, event: &Event, is_reallocation: bool) {
        if event.address() == 0 {
            self.counted.damaged += 1;
            return;
        }
        let (size, time) = (event.size, self.now);
        let number = self.heap_site(event.stack);
        let block = Block { address: event.address(), size, time, site: number };
        if let Some(old) = self.live.insert(block) {
            self.counted.overwritten += 1;
            self.release(thread, old, false);
        }
        let weight = self.estimate.weigh(size);
        let here = &mut self.sites[number as usize];
        if is_reallocation {
            here.reallocations += weight.blocks;
        }
        if event.alignment() > COMMON_ALIGNMENT {
            here.aligned += weight.blocks;
            here.largest_alignment = here.largest_alignment.max(event.alignment());
        }
        self.heap.give(here, &weight, time);
        note(here, thread, &weight, size, event.slack());
        let current = &mut self.timeline.current;
        current.allocations += weight.blocks;
        current.allocated = current.allocated.saturating_add(weight.bytes);
        current.peak = current.peak.max(self.heap.live);
        self.timeline.touch(number, here);
        if !thread.open.is_empty() {
            self.marks.given(&thread.open, number, weight.blocks, weight.bytes);
        }
    }

    /// A block of the heap is gone.
    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and is not negative"
    )]
    fn release(&mut self, thread: &Thread, block: Block, is_temporary: bool) {
        let weight = self.estimate.weigh(block.size);
        let site = &mut self.sites[block.site as usize];
        let life = self.now.saturating_sub(block.time);
        site.frees += weight.blocks;
        site.temporary += if is_temporary { weight.blocks } else { 0 };
        site.short_lived += if life < self.short { weight.blocks } else { 0 };
        site.lifetimes.add((life as f64 / self.ticks_per_microsecond) as u64, weight.blocks);
        site.variance[2] = (site.variance[2] - weight.variance[1]).max(0.0);
        self.heap.take(site, weight.blocks, weight.bytes);
        self.timeline.touch(block.site, site);
        if !thread.open.is_empty() {
            self.marks.taken(&thread.open, block.site, weight.blocks, weight.bytes);
        }
    }

    /// A block that was about to be moved stands where it stood.
    fn keep(&mut self, block: Block) {
        if let Some(other) = self.live.insert(block) {
            self.counted.overwritten += 1;
            self.release(&Thread::default(), other, false);
        }
    }

    /// The program mapped memory, or moved its break up.
    fn map(&mut self, thread: &Thread, event: &Event, kind: AllocationKind) {
        let Some((start, end)) = pages(event) else {
            self.counted.damaged += 1;
            return;
        };
        // A mapping at a fixed place takes that of what stood there.
        self.take_pages(thread, start, end);
        let number = self.other_site(event.stack, kind);
        self.mappings.map(start, end, number, self.now);
        let weight = self.estimate.certain(1, end - start);
        let site = &mut self.sites[number as usize];
        self.mapped.give(site, &weight, self.now);
        note(site, thread, &weight, event.size, 0);
        self.timeline.touch(number, site);
        if !thread.open.is_empty() {
            self.marks.given(&thread.open, number, weight.blocks, weight.bytes);
        }
    }

    fn unmap(&mut self, thread: &Thread, event: &Event) {
        match pages(event) {
            Some((start, end)) => self.take_pages(thread, start, end),
            None => self.counted.damaged += 1,
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and is not negative"
    )]
    fn take_pages(&mut self, thread: &Thread, start: u64, end: u64) {
        let Image {
            mappings,
            sites,
            mapped,
            timeline,
            marks,
            estimate,
            now,
            ticks_per_microsecond,
            short,
            ..
        } = self;
        mappings.unmap(start, end, |gone| {
            let site = &mut sites[gone.site as usize];
            let weight = estimate.certain(gone.is_all.into(), gone.bytes);
            if gone.is_all {
                let life = now.saturating_sub(gone.time);
                site.frees += weight.blocks;
                site.short_lived += if life < *short { weight.blocks } else { 0 };
                site.lifetimes.add((life as f64 / *ticks_per_microsecond) as u64, weight.blocks);
            }
            mapped.take(site, weight.blocks, weight.bytes);
            timeline.touch(gone.site, site);
            if !thread.open.is_empty() {
                marks.taken(&thread.open, gone.site, weight.blocks, weight.bytes);
            }
        });
    }

    #[inline]
    fn heap_site(&mut self, stack: u32) -> u32 {
        let stack = known(stack);
        match self.heap_sites.get(stack as usize) {
            Some(&number) if number != 0 => number - 1,
            _ => self.new_heap_site(stack),
        }
    }

    #[cold]
    fn new_heap_site(&mut self, stack: u32) -> u32 {
        let number = self.new_site(stack, AllocationKind::Heap);
        let at = stack as usize;
        if at >= self.heap_sites.len() {
            self.heap_sites.resize((at + 1).next_power_of_two(), 0);
        }
        self.heap_sites[at] = number + 1;
        number
    }

    fn other_site(&mut self, stack: u32, kind: AllocationKind) -> u32 {
        let stack = known(stack);
        if let Some(&number) = self.other_sites.get(&(stack, kind)) {
            return number;
        }
        let number = self.new_site(stack, kind);
        self.other_sites.insert((stack, kind), number);
        number
    }

    fn new_site(&mut self, stack: u32, kind: AllocationKind) -> u32 {
        self.sites.push(Site::new(stack, kind));
        u32::try_from(self.sites.len() - 1).expect("three a node, and nodes are a million")
    }
}

/// Stacks that are no nodes are not known.
#[inline]
fn known(stack: u32) -> u32 {
    if (stack as usize) < NODES { stack } else { 0 }
}

/// What is noted of each allocation.
#[inline]
fn note(here: &mut Site, thread: &Thread, weight: &Weight, size: u64, slack: u64) {
    here.allocations += weight.blocks;
    here.allocated = here.allocated.saturating_add(weight.bytes);
    let usable = if slack == 0 {
        weight.bytes
    } else {
        weight.bytes.saturating_add(weight.blocks.saturating_mul(slack))
    };
    here.usable = here.usable.saturating_add(usable);
    here.smallest = here.smallest.min(size);
    here.largest = here.largest.max(size);
    here.sizes.add(size, weight.blocks);
    here.threads |= 1 << (thread.number % 64);
    here.slot_allocations += weight.blocks;
    here.slot_allocated = here.slot_allocated.saturating_add(weight.bytes);
    if weight.variance[0] > 0.0 {
        here.variance[0] += weight.variance[0];
        here.variance[1] += weight.variance[1];
        here.variance[2] += weight.variance[1];
    }
}

/// The whole pages that a range is in.
fn pages(event: &Event) -> Option<(u64, u64)> {
    let start = event.address() / PAGE * PAGE;
    let end = event.address().checked_add(event.size)?.checked_next_multiple_of(PAGE)?;
    (start < end).then_some((start, end))
}

/// Where a name stands, and its length.
#[allow(clippy::cast_possible_truncation, reason = "what does not fit is the name of nothing")]
fn name(event: &Event) -> (u32, u32) {
    (event.address() as u32, event.size as u32)
}
