//! Where a thread is: outside, in the allocator, or in the recorder.
//!
//! A signal can interrupt the recorder in the middle, and its handler can allocate; an allocator can call itself by its
//! public name. Such a nested call must not enter the recorder again.

use core::sync::atomic::{Ordering, Ordering::Relaxed, compiler_fence};

use crate::sys;
use crate::tls::Local;

/// The thread does what is its own.
pub const OUTSIDE: u8 = 0;
/// It is in the allocator: what that calls is no allocation of the program's.
pub const IN_ALLOCATOR: u8 = 1;
/// It is in the recorder.
pub const IN_RECORDER: u8 = 2;

/// So far above the stack pointer of the call that it is in may the stack pointer of a thread be that has left it by `longjmp`.
const LEAP: usize = 8 << 20;

/// Says where the thread is from now on.
#[inline(always)]
pub fn go(local: &Local, place: u8) {
    // A handler runs on the same thread: it is enough that the compiler keeps the order.
    compiler_fence(Ordering::SeqCst);
    local.place.store(place, Relaxed);
    compiler_fence(Ordering::SeqCst);
}

/// Where the thread is that makes a call with this stack pointer.
#[inline(always)]
pub fn place(local: &Local, stack_pointer: usize) -> u8 {
    match local.place.load(Relaxed) {
        OUTSIDE => OUTSIDE,
        place => settled(local, place, stack_pointer),
    }
}

/// A handler that leaves the recorder or the allocator by `longjmp` leaves the mark behind. The call that made it was
/// deeper in the stack than any frame that still is.
#[cold]
fn settled(local: &Local, place: u8, stack_pointer: usize) -> u8 {
    let above = stack_pointer.wrapping_sub(local.entered.load(Relaxed));
    if above >= LEAP || sys::is_on_signal_stack() {
        return place;
    }
    // SAFETY: this thread's memory, which what held it has left for good.
    if let Some(thread) = unsafe { local.thread.get().as_mut() } {
        thread.was_left();
    }
    go(local, OUTSIDE);
    OUTSIDE
}
