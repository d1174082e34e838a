//! The process: whether it is recorded, and where to.

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};

use residue_recording::wire::{Control, FOLLOW_CHILDREN, Header, ProcessSlot, ProcessState};

use crate::recorder::Thread;
use crate::ring::ring_doorbell;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::unwind::Rules;
use crate::{clock, real, sampling, session, sys, threads};

/// Nothing was done yet.
const NEW: u8 = 0;
/// A thread is at it.
const STARTING: u8 = 1;
/// Calls are recorded.
const ON: u8 = 2;
/// They are passed on.
const OFF: u8 = 3;

/// So often a process looks for a row when all are taken.
const SLOT_TRIES: u32 = 20;
/// Nanoseconds between them.
const SLOT_WAIT: u32 = 5_000_000;

static STATE: AtomicU8 = AtomicU8::new(NEW);
/// Whether a thread's memory was last used in this process, not before a `fork`.
pub fn is_of_now(thread: &Thread) -> bool {
    thread.is_of(OWN.epoch.load(Acquire))
}

/// Whether a call of `free` must be looked at, whatever its address.
static LOOKS_AT_ALL: AtomicBool = AtomicBool::new(true);
static RECORDING: Global<Option<Recording>> = Global(UnsafeCell::new(None));
/// What is known of the code.
pub static RULES: Rules = Rules::new();
/// What a child made by `fork` must not have: the kernel makes zeros of it there.
static OWN: Own = Own {
    epoch: AtomicU64::new(0),
    slot: AtomicU32::new(0),
    is_beginning: AtomicU32::new(0),
    shared: Shared::new(),
};

struct Global<T>(UnsafeCell<T>);

// SAFETY: written by the one thread that starts, before it says that all may read.
unsafe impl<T> Sync for Global<T> {}

/// A process's own page.
#[repr(C, align(4096))]
struct Own {
    /// Which process this is, unlike any other with this memory. 0: not known yet.
    epoch: AtomicU64,
    slot: AtomicU32,
    is_beginning: AtomicU32,
    shared: Shared,
}

/// What stays as it is while a program runs, in its children too.
#[derive(Clone, Copy, Debug)]
pub struct Recording {
    /// Where to.
    pub segment: Segment,
    /// What the collector says.
    pub control: &'static Control,
    /// Bytes from one sampled byte to the next; 0: all are recorded.
    pub interval: u64,
}

/// A process that is recorded.
#[derive(Clone, Copy)]
pub struct Process {
    /// Unlike that of any other process with this memory.
    pub epoch: u64,
    /// Its row in the segment.
    pub slot: u32,
    /// Where its threads write that have no ring of their own.
    pub shared: &'static Shared,
}

/// The recording that this process is part of, which code at an address asks for; `None`: its calls are passed on.
#[inline(always)]
pub fn recording(asking: usize) -> Option<&'static Recording> {
    if STATE.load(Acquire) == ON { known() } else { start(Some(asking)) }
}

#[inline(always)]
fn known() -> Option<&'static Recording> {
    // SAFETY: it was written before the state became `ON`, and nobody writes again.
    unsafe { (*RECORDING.0.get()).as_ref() }
}

/// This process, which may be a child that has not yet said so.
#[inline(always)]
pub fn current(recording: &Recording) -> Option<Process> {
    let epoch = OWN.epoch.load(Acquire);
    if epoch == 0 {
        return begin(recording, false);
    }
    Some(Process { epoch, slot: OWN.slot.load(Relaxed), shared: &OWN.shared })
}

/// The recording, and this process's row in its segment, where something was recorded of it.
pub fn recorded() -> Option<(&'static Recording, &'static ProcessSlot)> {
    let is_on = STATE.load(Acquire) == ON && OWN.epoch.load(Acquire) != 0;
    let recording = known().filter(|_| is_on)?;
    Some((recording, recording.segment.header().processes.get(OWN.slot.load(Relaxed) as usize)?))
}

/// Whether a call of `free` must be looked at, whatever its address.
#[inline(always)]
pub fn looks_at_all() -> bool {
    LOOKS_AT_ALL.load(Relaxed)
}

/// Starts recording, once; `None` while it cannot be done yet, is being done, or will not be.
#[cold]
#[inline(never)]
pub fn start(asking: Option<usize>) -> Option<&'static Recording> {
    if STATE.load(Relaxed) != NEW {
        return None;
    }
    let environment = session::environment(asking)?;
    if STATE.compare_exchange(NEW, STARTING, AcqRel, Acquire).is_err() {
        return None;
    }
    let recording = session::open(environment);
    // SAFETY: the one thread that starts; nobody reads before the state says so.
    unsafe { *RECORDING.0.get() = recording };
    let Some(recording) = known().filter(|recording| is_ready(recording)) else {
        stop();
        return None;
    };
    if recording.control.flags.load(Relaxed) & FOLLOW_CHILDREN == 0 {
        session::hide(environment);
    }
    STATE.store(ON, Release);
    Some(recording)
}

fn is_ready(recording: &Recording) -> bool {
    let own = &raw const OWN;
    let is_wiped = sys::advise(own.cast_mut().cast(), size_of::<Own>(), sys::ADVICE_WIPE_ON_FORK).is_ok();
    if !is_wiped || begin(recording, true).is_none() {
        return false;
    }
    if !real::malloc_is_ours() {
        recording.segment.header().trouble.fetch_or(Header::OTHER_MALLOC, Relaxed);
    }
    threads::prepare();
    RULES.start(&recording.segment);
    if recording.interval != 0 {
        LOOKS_AT_ALL.store(false, Relaxed);
        return sampling::prepare();
    }
    true
}

/// Passes all on from now on.
#[cold]
pub fn stop() {
    STATE.store(OFF, Release);
    LOOKS_AT_ALL.store(false, Relaxed);
}

/// Prepares for that no system call may be made any more.
pub fn bind() {
    if STATE.load(Acquire) == ON
        && let Some(recording) = known()
        && let Some(process) = current(recording)
    {
        process.shared.prepare(recording, &process);
    }
    sys::bind();
    RULES.forbid_calls();
}

/// Whether all is passed on for good.
pub fn is_off() -> bool {
    STATE.load(Relaxed) == OFF
}

/// Takes a row for this process: the program's first, or a child of one that is recorded.
#[cold]
#[inline(never)]
fn begin(recording: &Recording, is_first: bool) -> Option<Process> {
    if !is_first && recording.control.flags.load(Relaxed) & FOLLOW_CHILDREN == 0 {
        stop();
        return None;
    }
    if OWN.is_beginning.swap(1, AcqRel) != 0 {
        return None;
    }
    let Some(slot) = slot(recording) else {
        recording.control.refused.fetch_add(1, Relaxed);
        stop();
        return None;
    };
    if !is_first {
        RULES.forked();
    }
    OWN.slot.store(slot, Relaxed);
    let epoch = clock::now() | 1;
    OWN.epoch.store(epoch, Release);
    if !is_first {
        RULES.forked();
    }
    ring_doorbell(recording.control);
    Some(Process { epoch, slot, shared: &OWN.shared })
}

/// A row, which the collector may first have to free: of processes that have ended, it is the last to know.
fn slot(recording: &Recording) -> Option<u32> {
    (0..SLOT_TRIES).find_map(|_| {
        take_slot(recording).or_else(|| {
            ring_doorbell(recording.control);
            let _ = sys::wait(&OWN.is_beginning, 1, SLOT_WAIT);
            None
        })
    })
}

fn take_slot(recording: &Recording) -> Option<u32> {
    let processes = &recording.segment.header().processes;
    let (free, taken) = (ProcessState::Free as u32, ProcessState::Taken as u32);
    let slot = processes.iter().position(|process| {
        process.state.load(Relaxed) == free
            && process.state.compare_exchange(free, taken, AcqRel, Relaxed).is_ok()
    })?;
    let process = &processes[slot];
    process.pid.store(sys::process_id(), Relaxed);
    process.parent.store(sys::parent_id(), Relaxed);
    process.ringless.store(0, Relaxed);
    process.dropped.store(0, Relaxed);
    process.started.store(clock::now(), Relaxed);
    process.state.store(ProcessState::Running as u32, Release);
    Some(slot as u32)
}

/// The base of a segment, from what the kernel gave.
pub fn segment_at(base: *mut u8, rings: u32) -> Option<Segment> {
    // SAFETY: who calls has just mapped it, and never unmaps it.
    NonNull::new(base).map(|base| unsafe { Segment::at(base, rings) })
}
