//! Threads that begin and end.
//!
//! Thread-local memory has no destructor here. The C library's keys have: the last of its rounds gives the ring back.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use core::sync::atomic::{AtomicPtr, AtomicU32};

use crate::recorder::Thread;
use crate::{guard, process, real, sys, tls};

/// Destructors run in so many rounds; what is set again in one runs in the next.
const ROUNDS: usize = 4;
/// No key was made.
const NONE: u32 = u32::MAX;

static KEY: AtomicU32 = AtomicU32::new(NONE);
/// Memory that ended threads have left, for the next.
static LEFT: [AtomicPtr<Thread>; 16] = [const { AtomicPtr::new(ptr::null_mut()) }; 16];

/// Has the C library tell when threads end. At the start, when keys are cheap.
pub fn prepare() {
    // SAFETY: both have this form.
    let make = unsafe { real::MAKE_KEY.get::<real::MakeKey>() };
    let mut key = NONE;
    // SAFETY: `ended` is never unloaded.
    if make.is_some_and(|make| unsafe { make(&raw mut key, ended) } == 0) {
        KEY.store(key, Relaxed);
    }
}

/// Has it tell when this thread ends.
pub fn watch() {
    set(1);
}

fn set(round: usize) {
    let key = KEY.load(Relaxed);
    // SAFETY: the function has this form; the key was made.
    if key != NONE
        && let Some(set) = unsafe { real::SET_SPECIFIC.get::<real::SetSpecific>() }
    {
        // SAFETY: as above; the value is a number.
        unsafe { set(key, ptr::without_provenance(round)) };
    }
}

unsafe extern "C" fn ended(round: *mut c_void) {
    let round = round.addr();
    if round < ROUNDS {
        return set(round + 1);
    }
    let local = tls::local();
    guard::go(local, guard::IN_RECORDER);
    local.has_left.set(true);
    let memory = local.thread.replace(ptr::null_mut());
    // SAFETY: null or this thread's memory, which it does not use any more.
    if let Some(thread) = unsafe { memory.as_mut() } {
        if process::is_of_now(thread) {
            thread.leave();
        }
        give_back(memory);
    }
    guard::go(local, guard::OUTSIDE);
}

/// Memory for a thread: what another has left, or new.
pub fn memory() -> Option<*mut Thread> {
    let left = LEFT.iter().map(|place| place.swap(ptr::null_mut(), Acquire)).find(|memory| !memory.is_null());
    left.or_else(|| sys::map(size_of::<Thread>()).ok().map(<*mut u8>::cast))
}

fn give_back(memory: *mut Thread) {
    let is_kept = LEFT.iter().any(|place| {
        place.load(Relaxed).is_null()
            && place.compare_exchange(ptr::null_mut(), memory, AcqRel, Relaxed).is_ok()
    });
    if !is_kept {
        // SAFETY: it was mapped for the thread that leaves it.
        unsafe { sys::unmap(memory.cast(), size_of::<Thread>()) };
    }
}
