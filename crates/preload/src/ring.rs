//! The writer's side of a ring.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU64, AtomicUsize, fence};

use residue_recording::wire::{CAPACITY, Control, Event, Ring, RingState};

use crate::clock;
use crate::segment::Segment;
use crate::sys::{self, Errno};

/// What stands for a thread where several write, one at a time.
pub const SEVERAL: u32 = 0;
/// So many events are written before the writer looks up from its work.
const STRETCH: u64 = 2048;
/// Where there was no memory for events, so many are dropped before it is asked for again.
const DRY: u32 = 10_000;
/// So many events ahead is their memory asked for.
const AHEAD: u64 = 16;
/// A wait for the collector takes no longer than this at a time: nanoseconds.
const WAIT: u32 = 10_000_000;
/// So many waits without a heartbeat, 2 s, and nobody is waited for any more.
const PATIENCE: u32 = 200;
/// Instead of a wait when no system call is allowed: that takes some milliseconds.
const SPINS: u32 = 100_000;

/// The heartbeat, plus one, at which the collector was given up. 0: it was not.
static GIVEN_UP: AtomicU64 = AtomicU64::new(0);

/// Writes to a ring, of which it alone is the writer.
#[derive(Debug)]
pub struct Writer {
    ring: &'static Ring,
    control: &'static Control,
    /// How many were written: what the ring's head says, kept near.
    head: u64,
    /// Up to here there is room that needs no look.
    limit: u64,
    /// So many events are dropped before memory is asked for again, since there was none.
    dry: u32,
}

impl Writer {
    /// Takes a ring for a thread, or for [several](SEVERAL), of a process of the segment. None: none is free. Some are left for those
    /// that serve several.
    pub fn take(segment: Segment, control: &'static Control, process: u32, thread: u32) -> Option<Writer> {
        let rings = segment.rings();
        let served = if thread == SEVERAL { rings.len() } else { rings.len() - (rings.len() / 8).max(1) };
        let (number, ring) = taken(segment, &rings[..served])?;
        ring.process.store(process, Relaxed);
        ring.thread.store(thread, Relaxed);
        ring.taken.fetch_add(1, Release);
        segment.header().rings_used.fetch_max(number as u32 + 1, AcqRel);
        let head = ring.head.load(Acquire);
        Some(Writer { ring, control, head, limit: head, dry: 0 })
    }

    /// Writes an event, waits for room, or counts it as dropped.
    #[inline(always)]
    pub fn push(&mut self, event: Event) {
        if self.head >= self.limit && !self.make_room() {
            self.ring.dropped.fetch_add(1, Relaxed);
            return;
        }
        let place = self.ring.events[self.head as usize % CAPACITY].get();
        // SAFETY: this ring's only writer; the reader does not look behind the head.
        unsafe { place.write(event) };
        self.fetch_ahead();
        self.head += 1;
        self.ring.head.store(self.head, Release);
    }

    /// The reader's processor has the lines that come next: they are asked for before they are needed.
    #[inline(always)]
    fn fetch_ahead(&self) {
        let ahead = self.ring.events[(self.head + AHEAD) as usize % CAPACITY].get();
        // SAFETY: a hint, which touches nothing, and does nothing where it is not known.
        unsafe { core::arch::asm!("prefetchw [{}]", in(reg) ahead, options(nostack, preserves_flags)) };
    }

    /// An event is not written.
    pub fn drop_one(&self) {
        self.ring.dropped.fetch_add(1, Relaxed);
    }

    /// A stack was not followed to its end.
    pub fn count_cut(&self) {
        self.ring.cut_stacks.fetch_add(1, Relaxed);
    }

    /// Nothing more is written.
    pub fn leave(self) {
        self.ring.state.store(RingState::Left as u32, Release);
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self) -> bool {
        if self.control.stopped.load(Relaxed) != 0 {
            return false;
        }
        let mut waiting = self.head.saturating_sub(self.ring.tail.load(Acquire));
        if waiting >= CAPACITY as u64 / 2 {
            ring_doorbell(self.control);
        }
        if waiting >= CAPACITY as u64 {
            if !self.wait() {
                return false;
            }
            waiting = self.head.saturating_sub(self.ring.tail.load(Acquire));
        }
        let stretch = STRETCH.min(CAPACITY as u64 - waiting);
        let stretch = stretch.min(CAPACITY as u64 - self.head % CAPACITY as u64);
        if self.head < CAPACITY as u64 && !self.has_memory(stretch) {
            return false;
        }
        self.limit = self.head + stretch;
        true
    }

    /// The first time round, the memory may not be there: the folder's file system may be full.
    fn has_memory(&mut self, stretch: u64) -> bool {
        if self.dry > 0 {
            self.dry -= 1;
            return false;
        }
        let first = self.ring.events[self.head as usize % CAPACITY].get();
        let has_memory = sys::populate(first.cast(), stretch as usize * size_of::<Event>());
        self.dry = if has_memory { 0 } else { DRY };
        has_memory
    }

    /// Waits for room as long as the collector lives.
    fn wait(&self) -> bool {
        let mut heartbeat = self.control.heartbeat.load(Relaxed);
        if is_given_up(self.control) {
            return false;
        }
        let began = clock::now();
        let is_room = self.wait_while(&mut heartbeat);
        if !is_room {
            GIVEN_UP.store(heartbeat + 1, Relaxed);
        }
        self.ring.waits.fetch_add(1, Relaxed);
        self.ring.waited.fetch_add(clock::now().wrapping_sub(began), Relaxed);
        is_room
    }

    fn wait_while(&self, heartbeat: &mut u64) -> bool {
        let mut missed = 0;
        while missed < PATIENCE {
            self.ring.waiting.store(1, Relaxed);
            // The reader moves the tail, then looks at `waiting`.
            fence(core::sync::atomic::Ordering::SeqCst);
            if self.head.saturating_sub(self.ring.tail.load(Acquire)) < CAPACITY as u64 {
                self.ring.waiting.store(0, Relaxed);
                return true;
            }
            if self.control.stopped.load(Relaxed) != 0 {
                return false;
            }
            ring_doorbell(self.control);
            let is_late = match sys::wait(&self.ring.waiting, 1, WAIT) {
                Err(Errno::NOT_MADE) => {
                    (0..SPINS).for_each(|_| core::hint::spin_loop());
                    true
                }
                answer => answer == Err(Errno::TIMED_OUT),
            };
            let beat = self.control.heartbeat.load(Relaxed);
            if beat != *heartbeat {
                (*heartbeat, missed) = (beat, 0);
            } else if is_late {
                missed += 1;
            }
        }
        false
    }
}

/// How many rings may be touched: the rest is out of reach, so that `mlockall` finds nothing there to lock.
static REACHED: AtomicUsize = AtomicUsize::new(0);

fn is_reached(number: usize, ring: &Ring) -> bool {
    if number < REACHED.load(Acquire) {
        return true;
    }
    let ring: *const Ring = ring;
    let is_reached = sys::allow(ring.cast_mut().cast(), size_of::<Ring>(), true);
    if is_reached {
        REACHED.fetch_max(number + 1, AcqRel);
    }
    is_reached
}

/// Takes the first ring that is free.
fn taken(segment: Segment, rings: &'static [Ring]) -> Option<(usize, &'static Ring)> {
    for (number, ring) in rings.iter().enumerate() {
        // The memory of one that nobody ever took may not be there, and then there is none for the next.
        let is_new = number >= segment.header().rings_used.load(Acquire) as usize;
        let is_there = || !is_new || sys::populate((&raw const *ring).cast_mut().cast(), 1);
        if !is_reached(number, ring) || !is_there() {
            return None;
        }
        let (free, taken) = (RingState::Free as u32, RingState::Taken as u32);
        if ring.state.load(Relaxed) == free
            && ring.state.compare_exchange(free, taken, AcqRel, Relaxed).is_ok()
        {
            return Some((number, ring));
        }
    }
    None
}

/// Whether the collector was given up, and has not moved since: nothing is to be written then.
#[inline(always)]
pub fn is_given_up(control: &Control) -> bool {
    let given_up = GIVEN_UP.load(Relaxed);
    given_up != 0 && stands(given_up, control)
}

#[cold]
fn stands(given_up: u64, control: &Control) -> bool {
    let stands = control.heartbeat.load(Relaxed) + 1 == given_up;
    if !stands {
        GIVEN_UP.store(0, Relaxed);
    }
    stands
}

/// Says to the collector that there is something to do.
pub fn ring_doorbell(control: &Control) {
    control.doorbell.fetch_add(1, AcqRel);
    if control.asleep.load(Acquire) != 0 {
        sys::wake(&control.doorbell);
    }
}
