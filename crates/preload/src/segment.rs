//! The segment as a recorder sees it: memory that it maps once and never gives back.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32};

use crate::sys;
use residue_recording::wire::{Header, INDEX_SLOTS, Layout, ModuleRow, NODES, Node, Ring};

const LAYOUT: Layout = Layout::of(0);
/// So often a lock that another thread holds is tried again. Who holds it copies a path and no more, but may have lost the
/// processor: after the first tries ours is offered.
const TRIES: u32 = 512;
const QUICK_TRIES: u32 = 256;

/// A mapped segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    base: NonNull<u8>,
    rings: u32,
}

// SAFETY: all that it gives are atomics, and rings, whose events are reached only by unsafe code.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// The segment that is mapped at an address, with so many rings.
    ///
    /// # Safety
    /// `Layout::of(rings).size` bytes are mapped there for reading and writing, from a page on, and stay so while the
    /// program runs.
    pub const unsafe fn at(base: NonNull<u8>, rings: u32) -> Segment {
        Segment { base, rings }
    }

    /// How it begins.
    pub fn header(&self) -> &'static Header {
        // SAFETY: `at` was promised that this is mapped for good; any bits are valid.
        unsafe { self.base.cast().as_ref() }
    }

    /// The rows of modules, filled or not.
    pub fn modules(&self) -> &'static [ModuleRow] {
        self.part(LAYOUT.modules, LAYOUT.most_modules)
    }

    /// The rows that are filled: the first is module 1.
    pub fn filled_modules(&self) -> &'static [ModuleRow] {
        let filled = self.header().modules.load(Acquire) as usize;
        self.modules().get(..filled).unwrap_or_default()
    }

    /// The paths and names.
    pub fn texts(&self) -> &'static [AtomicU8] {
        self.part(LAYOUT.texts, LAYOUT.most_texts)
    }

    /// A text of so many bytes; empty when there is none such.
    pub fn text(&self, start: u32, length: u32) -> &'static [AtomicU8] {
        let (start, length) = (start as usize, length as usize);
        self.texts().get(start..start.saturating_add(length)).unwrap_or_default()
    }

    /// The index over the nodes.
    pub fn index(&self) -> &'static [AtomicU32] {
        self.part(LAYOUT.index, INDEX_SLOTS)
    }

    /// The tree of stacks.
    pub fn nodes(&self) -> &'static [Node] {
        self.part(LAYOUT.nodes, NODES)
    }

    /// The rings.
    pub fn rings(&self) -> &'static [Ring] {
        self.part(LAYOUT.rings, self.rings as usize)
    }

    /// The right to add modules and texts; None when others hold on to it.
    pub fn lock(&self) -> Option<Held> {
        let lock = &self.header().lock;
        for tries in 0..TRIES {
            if lock.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
                return Some(Held { segment: *self });
            }
            if tries < QUICK_TRIES { core::hint::spin_loop() } else { sys::give_way() }
        }
        None
    }

    fn part<T>(&self, at: usize, count: usize) -> &'static [T] {
        // SAFETY: the layout has so many of them there, aligned; any bits are valid.
        unsafe { core::slice::from_raw_parts(self.base.add(at).cast().as_ptr(), count) }
    }
}

/// The right to add modules and texts to a segment, until it is dropped.
#[derive(Debug)]
pub struct Held {
    segment: Segment,
}

impl Held {
    /// Adds a text: its place among the texts. None, and said in the header, when they are full.
    pub fn add_text(&self, text: &[u8]) -> Option<(u32, u32)> {
        let header = self.segment.header();
        let start = header.texts.load(Relaxed);
        let room = self.segment.texts().get(start as usize..).and_then(|room| room.get(..text.len()));
        // The file system that it is in may be full, and the kernel ends who touches what is not there.
        let Some(room) = room.filter(|room| sys::populate(room.as_ptr().cast_mut().cast(), room.len()))
        else {
            header.trouble.fetch_or(Header::FULL, Relaxed);
            return None;
        };
        for (byte, place) in text.iter().zip(room) {
            place.store(*byte, Relaxed);
        }
        let length = u32::try_from(text.len()).ok()?;
        header.texts.store(start + length, Release);
        Some((start, length))
    }

    /// Adds a module by filling a row: its number. None, and said in the header, when there is no row left.
    pub fn add_module(&self, fill: impl FnOnce(&ModuleRow)) -> Option<u16> {
        let header = self.segment.header();
        let taken = header.modules.load(Relaxed);
        let row = self.segment.modules().get(taken as usize);
        let is_there =
            |row: &&ModuleRow| sys::populate((&raw const **row).cast_mut().cast(), size_of::<ModuleRow>());
        let Some(row) = row.filter(is_there) else {
            header.trouble.fetch_or(Header::FULL, Relaxed);
            return None;
        };
        fill(row);
        header.modules.store(taken + 1, Release);
        u16::try_from(taken + 1).ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.segment.header().lock.store(0, Release);
    }
}
