//! A segment in a file, as a recorder makes it.

#![allow(unsafe_code, reason = "writes events as a recorder does")]

use std::fs::File;
use std::sync::atomic::Ordering::Relaxed;

use residue_recording::wire::{CAPACITY, Header, Layout, MAGIC, ModuleRow, Node, Ring, RingState, VERSION};
use residue_recording::{Event, Kind};
use tempfile::TempDir;

use crate::clock::Clock;
use crate::collect::{Ended, Estimate, Image, Known, Merge, Stream, recording};
use crate::segment::Segment;
use crate::shared::Mapping;

/// The recorder's side, and the collector's, of one segment with one process.
pub(super) struct Written {
    _folder: TempDir,
    memory: Mapping,
    layout: Layout,
    pub(super) segment: Segment,
    pub(super) streams: Vec<Option<Stream>>,
    pub(super) images: Vec<Option<Image>>,
    merge: Merge,
}

impl Written {
    pub(super) fn new(rings: u32, estimate: Estimate) -> Written {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("image-1-0");
        let layout = Layout::of(rings);
        let file = File::options().read(true).write(true).create_new(true).open(&path).expect("it is made");
        file.set_len(layout.size as u64).expect("it has its size");
        assert!(Segment::open(&path).expect("it is opened").is_none(), "it is not ready");
        let memory = Mapping::of(&file, layout.size).expect("it is mapped");
        let header: &Header = memory.get(0).expect("it is there");
        header.version.store(VERSION, Relaxed);
        header.rings.store(rings, Relaxed);
        header.rings_used.store(rings, Relaxed);
        header.magic.store(MAGIC, Relaxed);
        let segment = Segment::open(&path).expect("it is opened").expect("it is ready");
        let mut image = Image::new(estimate, &Clock::nanoseconds(), 0);
        let streams = (0..rings).map(|_| Some(Stream::new(0, image.thread(), 0))).collect();
        let (images, merge) = (vec![Some(image)], Merge::default());
        Written { _folder: folder, memory, layout, segment, streams, images, merge }
    }

    pub(super) fn ring(&self, number: u32) -> &Ring {
        self.memory.get(self.layout.rings + number as usize * size_of::<Ring>()).expect("it is there")
    }

    pub(super) fn header(&self) -> &Header {
        self.memory.get(0).expect("it is there")
    }

    /// Writes an event to a ring.
    pub(super) fn push(&self, ring: u32, event: Event) {
        let ring = self.ring(ring);
        ring.state.store(RingState::Taken as u32, Relaxed);
        let head = ring.head.load(Relaxed);
        assert!(head - ring.tail.load(Relaxed) < CAPACITY as u64, "there is room");
        let cell = &ring.events[usize::try_from(head).expect("small") % CAPACITY];
        // SAFETY: the cell is within the ring, and nobody reads it before the head has passed it.
        unsafe { cell.get().write(event) };
        ring.head.store(head + 1, Relaxed);
    }

    /// Fills a ring with whatever bytes.
    pub(super) fn damage(&self, ring: u32, events: impl Iterator<Item = [u64; 4]>) {
        for words in events {
            // SAFETY: both are 32 bytes of plain numbers.
            self.push(ring, unsafe { std::mem::transmute::<[u64; 4], Event>(words) });
        }
    }

    /// A node of the tree: its number, its caller, its code.
    pub(super) fn node(&self, number: u32, caller: u32, address: u64, module: u16) {
        let node: &Node =
            self.memory.get(self.layout.nodes + number as usize * size_of::<Node>()).expect("it is there");
        node.caller.store(caller, Relaxed);
        node.code.store(address | u64::from(module) << 48, Relaxed);
    }

    /// The first module, at an address.
    pub(super) fn module(&self, bias: u64) {
        let row: &ModuleRow = self.memory.get(self.layout.modules).expect("it is there");
        row.bias.store(bias, Relaxed);
        self.header().modules.store(1, Relaxed);
    }

    /// Reads what was written, up to a time.
    pub(super) fn read(&mut self, noted: u64) -> u64 {
        self.merge.read(&self.segment, &mut self.streams, &mut self.images, noted)
    }

    pub(super) fn image(&self) -> &Image {
        self.images[0].as_ref().expect("it was made")
    }

    pub(super) fn recording(&self) -> residue_model::Recording {
        let ended = Ended::default();
        recording(self.image(), &self.segment, &Known::default(), ended, &Clock::nanoseconds())
    }
}

pub(super) fn allocate(time: u64, address: u64, size: u64, stack: u32) -> Event {
    Event::new(Kind::Allocate, time, address, size, stack)
}

pub(super) fn free(time: u64, address: u64) -> Event {
    Event::new(Kind::Free, time, address, 0, 0)
}
