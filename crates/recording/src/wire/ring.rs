use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64};

use super::Event;

/// So many events fit: 512 KiB. A power of two.
pub const CAPACITY: usize = 16_384;

/// The states of [`Ring::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RingState {
    /// Nobody's. A thread takes it by compare and exchange.
    Free = 0,
    /// A thread writes to it.
    Taken = 1,
    /// Its thread has ended, or has said that it wants it no more: the collector reads the rest, then frees it.
    Left = 2,
}

/// The events of a thread: it alone writes, the collector alone reads.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Ring {
    /// A [`RingState`].
    pub state: AtomicU32,
    /// The index of the process that the thread belongs to.
    pub process: AtomicU32,
    /// The kernel's id of the thread.
    pub thread: AtomicU32,
    /// Goes up each time that the ring is taken: another thread's events follow.
    pub taken: AtomicU32,
    /// Events that found no room, and were not waited for.
    pub dropped: AtomicU64,
    /// Stacks that were not followed to their end.
    pub cut_stacks: AtomicU64,
    /// How often the thread waited for room, and for how long: time stamps.
    pub waits: AtomicU64,
    /// See `waits`.
    pub waited: AtomicU64,
    apart_1: [u64; 2],
    /// How many events were ever written. The writer's; it publishes with release.
    pub head: AtomicU64,
    apart_2: [u64; 7],
    /// How many events were ever read. The reader's.
    pub tail: AtomicU64,
    /// A futex: not 0 while the writer waits for room; the reader sets it to 0 and wakes it.
    pub waiting: AtomicU32,
    apart_3: [u32; 13],
    /// The events, each at its number modulo the capacity.
    pub events: [UnsafeCell<Event>; CAPACITY],
}

const _: () = {
    assert!(core::mem::offset_of!(Ring, head) == 64);
    assert!(core::mem::offset_of!(Ring, tail) == 128);
    assert!(core::mem::offset_of!(Ring, events) == 192);
};
