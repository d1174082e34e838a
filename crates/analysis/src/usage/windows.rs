//! Usage on Windows, in WinDbg's terms.
//!
//! Source: `TEB`, `PEB`, `NT_TIB`, `HEAP_SEGMENT` in the public symbols of ntdll; offsets are the same since Windows 7.

use std::collections::HashSet;

use residue_model::{Address, Bytes, Memory, Pages, Range, Region, Snapshot, Thread, Usage};

pub(super) fn classify(snapshot: &mut Snapshot, memory: &dyn Memory) {
    let Snapshot { regions, threads, machine, space, .. } = snapshot;
    let is_wide = matches!(machine.cpu.as_deref(), Some("x86-64" | "aarch64"));
    let native = Layout { memory, offsets: if is_wide { &WIDE } else { &NARROW } };
    let is_wow64 = is_wide && space.bits == 32;
    for region in regions.iter_mut() {
        region.usage = by_type(region);
    }
    let mut heaps = HashSet::new();
    let mut seen = HashSet::new();
    for thread in threads.iter() {
        // In a damaged dump thousands of threads may share one block.
        if thread.control_block.is_some() && !seen.insert(thread.control_block) {
            continue;
        }
        let usage = if is_wow64 { Usage::Stack64 } else { Usage::Stack };
        mark_thread(regions, thread, &native, usage, &mut heaps);
        if is_wow64 && let Some(teb) = native.narrow_teb(thread) {
            let thread = Thread { control_block: Some(teb), stack_pointer: None, ..thread.clone() };
            let layout = Layout { memory, offsets: &NARROW };
            mark_thread(regions, &thread, &layout, Usage::Stack32, &mut heaps);
        }
    }
    mark_heaps(regions, &native, &heaps);
    if is_wow64 {
        mark_heaps(regions, &Layout { memory, offsets: &NARROW }, &heaps);
    }
}

fn by_type(region: &Region) -> Usage {
    match region.pages.and_then(|pages| pages.kind) {
        Some(Pages::IMAGE) => Usage::Image,
        Some(Pages::MAPPED) => Usage::FileMapping,
        _ => Usage::Unclaimed,
    }
}

/// Where things stand in the blocks of 32- and 64-bit programs.
struct Offsets {
    word: usize,
    teb_stack_base: u64,
    teb_self: u64,
    teb_peb: u64,
    teb_stack_reserve: u64,
    peb_heap: u64,
    peb_heap_count: u64,
    peb_heaps: u64,
    segment_signature: u64,
    segment_heap: u64,
}

const WIDE: Offsets = Offsets {
    word: 8,
    teb_stack_base: 0x08,
    teb_self: 0x30,
    teb_peb: 0x60,
    teb_stack_reserve: 0x1478,
    peb_heap: 0x30,
    peb_heap_count: 0xe8,
    peb_heaps: 0xf0,
    segment_signature: 0x10,
    segment_heap: 0x28,
};

const NARROW: Offsets = Offsets {
    word: 4,
    teb_stack_base: 0x04,
    teb_self: 0x18,
    teb_peb: 0x30,
    teb_stack_reserve: 0xe0c,
    peb_heap: 0x18,
    peb_heap_count: 0x88,
    peb_heaps: 0x90,
    segment_signature: 0x08,
    segment_heap: 0x18,
};

/// `_HEAP_SEGMENT.SegmentSignature` of the NT heap, and the signature that the segment heap has at the same place.
const NT_HEAP: u64 = 0xffee_ffee;
const SEGMENT_HEAP: u64 = 0xddee_ddee;

/// No process has more heaps than this; a larger count is a damaged block.
const MOST_HEAPS: u64 = 4096;

/// More threads than this on one stack are damage, and nobody reads them.
const MOST_THREADS: usize = 16;

struct Layout<'a> {
    memory: &'a dyn Memory,
    offsets: &'static Offsets,
}

impl Layout<'_> {
    fn number(&self, base: Address, offset: u64, size: usize) -> Option<u64> {
        let mut raw = [0; 8];
        let address = Address(base.0.checked_add(offset)?);
        (self.memory.read(address, &mut raw[..size]) == size).then(|| u64::from_le_bytes(raw))
    }

    fn word(&self, base: Address, offset: u64) -> Option<Address> {
        self.number(base, offset, self.offsets.word).map(Address).filter(|address| address.0 != 0)
    }

    /// A TEB points at itself: anything else at that address is none.
    fn is_teb(&self, teb: Address) -> bool {
        self.word(teb, self.offsets.teb_self) == Some(teb)
    }

    /// All address space of a thread's stack, its reserve and guard too.
    fn stack(&self, teb: Address) -> Option<Range> {
        let start = self.word(teb, self.offsets.teb_stack_reserve)?;
        let range = Range::new(start, self.word(teb, self.offsets.teb_stack_base)?)?;
        (range.size() > Bytes::ZERO && range.size() <= Bytes::gib(1)).then_some(range)
    }

    fn peb(&self, teb: Address) -> Option<Address> {
        self.word(teb, self.offsets.teb_peb)
    }

    fn heaps(&self, peb: Address, into: &mut HashSet<Address>) {
        into.extend(self.word(peb, self.offsets.peb_heap));
        let count = self.number(peb, self.offsets.peb_heap_count, 4).filter(|&count| count <= MOST_HEAPS);
        let Some(list) = self.word(peb, self.offsets.peb_heaps) else { return };
        for index in 0..count.unwrap_or_default() {
            into.extend(self.word(list, index * self.offsets.word as u64));
        }
    }

    /// The 32-bit block of a thread of a 32-bit program on 64-bit Windows: the 64-bit block says how far off it is, and
    /// before Windows 10 where it is.
    fn narrow_teb(&self, thread: &Thread) -> Option<Address> {
        const DISTANCE: u64 = 0x180c;
        let teb = thread.control_block?;
        let distance = self.number(teb, DISTANCE, 4).and_then(|raw| u32::try_from(raw).ok());
        let by_distance = distance.and_then(|raw| teb.0.checked_add_signed(i64::from(raw.cast_signed())));
        let candidates =
            [by_distance.map(Address), self.word(teb, 0), Some(Address(teb.0.wrapping_add(0x2000)))];
        let narrow = Layout { memory: self.memory, offsets: &NARROW };
        candidates.into_iter().flatten().find(|&address| address != teb && narrow.is_teb(address))
    }
}

fn mark_thread(
    regions: &mut [Region],
    thread: &Thread,
    layout: &Layout<'_>,
    stack: Usage,
    heaps: &mut HashSet<Address>,
) {
    let teb = thread.control_block;
    let range = teb.filter(|&teb| layout.is_teb(teb)).and_then(|teb| layout.stack(teb));
    let range = range.or_else(|| allocation_of(regions, thread.stack_pointer?));
    for region in range.map(|range| within(regions, range)).into_iter().flatten() {
        if region.usage == Usage::Unclaimed || region.usage == stack {
            region.usage = stack;
            if region.threads.len() < MOST_THREADS {
                region.threads.push(thread.tid);
            }
        }
    }
    let Some(teb) = teb else { return };
    if let Some(peb) = layout.peb(teb) {
        mark(regions, peb, Usage::Peb);
        layout.heaps(peb, heaps);
    }
    mark(regions, teb, Usage::Teb);
}

fn mark(regions: &mut [Region], address: Address, usage: Usage) {
    let Some(index) = Region::find(regions, address) else { return };
    if matches!(regions[index].usage, Usage::Unclaimed | Usage::Peb) {
        regions[index].usage = usage;
    }
}

/// The regions of a range, which may stand in several blocks.
fn within(regions: &mut [Region], range: Range) -> impl Iterator<Item = &mut Region> {
    let first = regions.partition_point(|region| region.range.end <= range.start);
    regions[first..].iter_mut().take_while(move |region| region.range.start < range.end)
}

/// Everything that was reserved together with the memory at an address.
fn allocation_of(regions: &[Region], address: Address) -> Option<Range> {
    let base = regions[Region::find(regions, address)?].allocation_base;
    let first = regions.partition_point(|region| region.range.end <= base);
    let last = regions[first..].iter().take_while(|region| region.allocation_base == base).last()?;
    Range::new(base, last.range.end)
}

/// Marks the heaps that the PEB lists, and the segments by which they grew: each names its heap.
fn mark_heaps(regions: &mut [Region], layout: &Layout<'_>, heaps: &HashSet<Address>) {
    let mut asked = None;
    let mut is_heap = false;
    for region in regions.iter_mut().filter(|region| region.usage == Usage::Unclaimed) {
        let base = region.allocation_base;
        if asked != Some(base) {
            asked = Some(base);
            is_heap = heaps.contains(&base) || is_segment(layout, base, heaps);
        }
        if is_heap {
            region.usage = Usage::NtHeap;
        }
    }
}

fn is_segment(layout: &Layout<'_>, base: Address, heaps: &HashSet<Address>) -> bool {
    let signature = layout.number(base, layout.offsets.segment_signature, 4);
    match signature {
        Some(NT_HEAP) => {
            // Wine signs its heaps so too, and leaves the rest empty.
            let heap = layout.word(base, layout.offsets.segment_heap);
            heap.is_none_or(|heap| heap == base || heaps.contains(&heap))
        }
        Some(SEGMENT_HEAP) => true,
        _ => false,
    }
}
