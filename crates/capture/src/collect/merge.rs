#![allow(unsafe_code, reason = "asks the processor to fetch memory early")]

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{Ordering, fence};

use residue_recording::wire::{CAPACITY, Ring};
use residue_recording::{Event, Kind};

use super::image::{Image, Thread};
use crate::futex;
use crate::segment::{Segment, event};

/// So many events are read before their writer is told that there is room again.
const PORTION: u64 = 1024;
/// Memory takes some hundred cycles to come, and an event takes some tens to count.
const AHEAD: u64 = 8;
/// No clock of a core is so much ahead of ours: what claims to be was damaged. Some seconds.
const FARTHEST: u64 = 1 << 33;

/// A ring while one thread has it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// The process of its segment that it belongs to.
    pub(crate) process: usize,
    pub(crate) thread: Thread,
    /// The next event to be read, and the first one that is not there yet.
    pub(crate) next: u64,
    head: u64,
    told: u64,
    /// No event is earlier than the one before it.
    time: u64,
}

impl Stream {
    /// From the first event that was not read.
    pub(crate) fn new(process: usize, thread: Thread, next: u64) -> Stream {
        Stream { process, thread, next, told: next, ..Stream::default() }
    }

    /// When its next event was.
    fn due(&self, event: &Event, noted: u64) -> u64 {
        let time = if event.time > noted.saturating_add(FARTHEST) { noted } else { event.time };
        time.max(self.time)
    }

    /// Tells the writer what room there is.
    fn tell(&mut self, ring: &Ring) {
        self.told = self.next;
        ring.tail.store(self.next, Ordering::Release);
        // Either the writer sees the room, or we see that it waits.
        fence(Ordering::SeqCst);
        if ring.waiting.load(Ordering::Relaxed) != 0 && ring.waiting.swap(0, Ordering::SeqCst) != 0 {
            futex::wake(&ring.waiting);
        }
    }
}

/// Reads the rings of a segment in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    due: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Merge {
    /// Reads all events up to a time that was noted before. Gives how many there were.
    pub(crate) fn read(
        &mut self,
        segment: &Segment,
        streams: &mut [Option<Stream>],
        images: &mut [Option<Image>],
        noted: u64,
    ) -> u64 {
        self.due.clear();
        for (number, slot) in (0..).zip(streams.iter_mut()) {
            if let (Some(stream), Some(ring)) = (slot, segment.ring(number)) {
                self.see(number, stream, ring, images, noted);
            }
        }
        let mut count = 0;
        while let Some(Reverse((time, number))) = self.due.pop() {
            if time > noted {
                break;
            }
            let limit = self.due.peek().map_or(noted, |Reverse((next, _))| noted.min(*next));
            let (Some(Some(stream)), Some(ring)) = (streams.get_mut(number as usize), segment.ring(number))
            else {
                continue;
            };
            let Some(Some(image)) = images.get_mut(stream.process) else { continue };
            let before = stream.next;
            if let Some(next) = run(stream, ring, image, noted, limit) {
                self.due.push(Reverse((next, number)));
            }
            count += stream.next - before;
        }
        for (number, slot) in (0..).zip(streams.iter_mut()) {
            if let (Some(stream), Some(ring)) = (slot, segment.ring(number))
                && stream.told != stream.next
            {
                stream.tell(ring);
            }
        }
        count
    }

    /// Looks how many events a ring has.
    fn see(
        &mut self,
        number: u32,
        stream: &mut Stream,
        ring: &Ring,
        images: &mut [Option<Image>],
        noted: u64,
    ) {
        stream.head = ring.head.load(Ordering::Acquire);
        let there = stream.head.wrapping_sub(stream.next);
        if there > CAPACITY as u64 {
            // Nobody can have written so many: the numbers were damaged.
            stream.next = stream.head;
            if let Some(Some(image)) = images.get_mut(stream.process) {
                image.counted.damaged += 1;
            }
        } else if there > 0 {
            self.due.push(Reverse((stream.due(&event(ring, stream.next), noted), number)));
        }
    }
}

/// Reads events of one ring while they are not later than a limit. Gives the time of the one after.
fn run(stream: &mut Stream, ring: &Ring, image: &mut Image, noted: u64, limit: u64) -> Option<u64> {
    while stream.next != stream.head {
        let mut event = event(ring, stream.next);
        event.time = stream.due(&event, noted);
        if event.time > limit {
            return Some(event.time);
        }
        let ahead = stream.next.wrapping_add(AHEAD);
        if stream.head.wrapping_sub(ahead) < CAPACITY as u64 {
            let later = crate::segment::event(ring, ahead);
            if matches!(later.kind(), Some(Kind::Allocate | Kind::Free)) {
                image.live.fetch(later.address());
            }
        }
        stream.time = event.time;
        image.apply(&mut stream.thread, &event);
        stream.next = stream.next.wrapping_add(1);
        if stream.next.wrapping_sub(stream.told) >= PORTION {
            stream.tell(ring);
        }
    }
    None
}

/// Has the processor fetch what will be looked at soon.
#[inline]
pub(super) fn fetch<T>(value: &T) {
    // SAFETY: it is a hint, about memory that stands.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
}
