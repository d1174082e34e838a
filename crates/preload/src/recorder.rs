//! What the hooks say of the calls that pass through them becomes events in the thread's ring.

use core::cell::Cell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use residue_recording::wire::{Event, Kind};

use crate::guard::{self, IN_ALLOCATOR, IN_RECORDER, OUTSIDE};
use crate::process::{self, Process, Recording};
use crate::real::{self, Real};
use crate::ring::{self, Writer};
use crate::tls::Local;
use crate::unwind::{self, Registers};
use crate::{clock, names, sampling, sys, threads};

/// So many events of signal handlers that interrupted the recorder can wait until it is done.
const NESTED: usize = 256;

/// Memory of a thread's own. All zeros is one that has not begun.
pub struct Thread {
    /// Which process it has its ring from: see [`Process::epoch`].
    epoch: u64,
    writer: Option<Writer>,
    nested: [Cell<Event>; NESTED],
    nested_count: AtomicU32,
    unwinder: unwind::Thread,
}

/// Who called a hook.
#[derive(Clone, Copy)]
pub struct Caller {
    /// Where the hook's return address stands.
    pub frame: *const u64,
    /// `rbp`, as the caller had it.
    pub base: u64,
}

impl Caller {
    fn registers(self) -> Registers {
        // SAFETY: the hook was called, so its return address stands there.
        let pc = unsafe { *self.frame };
        Registers { pc, sp: self.frame as u64 + 8, bp: self.base }
    }

    /// Where it goes on when the hook returns.
    pub fn code(self) -> usize {
        // SAFETY: as above.
        unsafe { *self.frame as usize }
    }
}

/// A call that is to be recorded, of a thread that was outside.
pub struct Call {
    local: &'static Local,
    recording: &'static Recording,
    caller: Caller,
}

/// What is to be done with a call.
pub enum Passing {
    /// It is recorded.
    Recorded(Call),
    /// It interrupted the recorder: what it did is kept until that is done.
    Kept(&'static Local),
    /// It is passed on and nothing is said of it.
    Unseen,
}

impl Passing {
    /// Judges a call.
    #[inline(always)]
    pub fn of(local: &'static Local, caller: Caller) -> Passing {
        let Some(recording) = process::recording(caller.code()) else {
            if process::is_off() {
                local.countdown.set(u64::MAX);
            }
            return Passing::Unseen;
        };
        match guard::place(local, caller.frame as usize) {
            OUTSIDE if ring::is_given_up(recording.control) => {
                drop_one(local);
                Passing::Unseen
            }
            OUTSIDE => {
                local.entered.store(caller.frame as usize, Relaxed);
                Passing::Recorded(Call { local, recording, caller })
            }
            IN_RECORDER => Passing::Kept(local),
            _ => Passing::Unseen,
        }
    }
}

impl Call {
    /// Whether all is recorded.
    #[inline(always)]
    pub fn is_exact(&self) -> bool {
        self.recording.interval == 0
    }

    /// Whether so many bytes are to be recorded: all are, or the sample falls into them.
    #[inline(always)]
    pub fn is_wanted(&self, size: usize) -> bool {
        if self.is_exact() {
            return true;
        }
        sampling::is_sampled(self.local, self.recording, size)
    }

    /// Whether the countdown is over, so that a sample falls into this call.
    pub fn is_over(&self) -> bool {
        self.local.countdown.get() == 0
    }

    /// How much of a block can be used, given by this function.
    pub fn usable(&self, by: &Real, block: *mut u8) -> usize {
        self.allocator(|| slack(by, block, 0)) as usize
    }

    /// Calls the allocator: what it calls in its turn is its own affair.
    #[inline(always)]
    pub fn allocator<T>(&self, call: impl FnOnce() -> T) -> T {
        guard::go(self.local, IN_ALLOCATOR);
        let answer = call();
        guard::go(self.local, OUTSIDE);
        answer
    }

    /// A block was given, or resized, by this function.
    #[inline(never)]
    pub fn given(&self, by: &Real, kind: Kind, block: *mut u8, size: usize, alignment: usize) {
        if block.is_null() {
            return;
        }
        // To tell the size, some allocators allocate.
        guard::go(self.local, IN_ALLOCATOR);
        let slack = slack(by, block, size);
        if !self.is_exact() && !sampling::remember(block as usize) {
            return guard::go(self.local, OUTSIDE);
        }
        self.write_with_stack(
            Event::new(kind, 0, block as u64, size as u64, 0).with(slack, alignment as u64),
        );
    }

    /// A block goes back.
    #[inline(always)]
    pub fn taken(&self, block: *mut u8) {
        self.plain(Kind::Free, block as usize, 0);
    }

    /// Something of which the stack is told.
    pub fn mapped(&self, kind: Kind, address: usize, size: usize) {
        self.write_with_stack(Event::new(kind, 0, address as u64, size as u64, 0));
    }

    /// Something of which no stack is told.
    #[inline(never)]
    pub fn plain(&self, kind: Kind, address: usize, size: usize) {
        guard::go(self.local, IN_RECORDER);
        self.write(Event::new(kind, clock::now(), address as u64, size as u64, 0));
        self.done();
    }

    /// The program says that a phase begins or ends.
    pub fn marked(&self, kind: Kind, name: &[u8]) {
        guard::go(self.local, IN_RECORDER);
        if let Some((start, length)) = names::place(self.recording.segment, name) {
            self.write(Event::new(kind, clock::now(), start.into(), length.into(), 0));
        }
        self.done();
    }

    #[inline(always)]
    fn write_with_stack(&self, event: Event) {
        guard::go(self.local, IN_RECORDER);
        let mut event = event;
        event.time = clock::now();
        if let Some((thread, process)) = self.thread() {
            // SAFETY: the caller of the hook has not returned.
            let captured = unsafe {
                thread.unwinder.capture(self.caller.registers(), &self.recording.segment, &process::RULES)
            };
            event.stack = captured.stack;
            match &mut thread.writer {
                Some(writer) => {
                    if captured.is_cut {
                        writer.count_cut();
                    }
                    writer.push(event);
                }
                None => self.write_shared(&process, event),
            }
        } else {
            self.write_alone(event);
        }
        self.done();
    }

    #[inline(always)]
    fn write(&self, event: Event) {
        match self.thread() {
            Some((Thread { writer: Some(writer), .. }, _)) => writer.push(event),
            Some((_, process)) => self.write_shared(&process, event),
            None => self.write_alone(event),
        }
    }

    /// The thread's own memory, fit for this process.
    #[inline(always)]
    fn thread(&self) -> Option<(&'static mut Thread, Process)> {
        let process = process::current(self.recording)?;
        // SAFETY: null or this thread's memory, which nobody else reaches; the guard keeps handlers out.
        match unsafe { self.local.thread.get().as_mut() } {
            Some(thread) if thread.epoch == process.epoch => Some((thread, process)),
            _ => self.begin(process),
        }
    }

    /// A thread's first event in this process.
    #[cold]
    #[inline(never)]
    fn begin(&self, process: Process) -> Option<(&'static mut Thread, Process)> {
        if self.local.has_left.get() {
            return None;
        }
        if self.local.thread.get().is_null() {
            self.local.thread.set(threads::memory()?);
        }
        // SAFETY: zeroed memory for a thread, or what this thread had before `fork`.
        let thread = unsafe { &mut *self.local.thread.get() };
        thread.epoch = process.epoch;
        thread.unwinder.forget();
        let id = sys::thread_id();
        thread.writer = Writer::take(self.recording.segment, self.recording.control, process.slot, id);
        if thread.writer.is_none() {
            self.recording.segment.header().processes[process.slot as usize].ringless.store(1, Relaxed);
        }
        threads::watch();
        Some((thread, process))
    }

    #[cold]
    #[inline(never)]
    fn write_alone(&self, event: Event) {
        if let Some(process) = process::current(self.recording) {
            self.write_shared(&process, event);
        }
    }

    #[cold]
    #[inline(never)]
    fn write_shared(&self, process: &Process, event: Event) {
        if !process.shared.with(self.recording, process, |writer| writer.push(event)) {
            self.recording.segment.header().processes[process.slot as usize].dropped.fetch_add(1, Relaxed);
        }
    }

    /// Out of the recorder, and whatever handlers have left behind meanwhile is written.
    #[inline(always)]
    fn done(&self) {
        guard::go(self.local, OUTSIDE);
        // SAFETY: as in `thread`.
        if let Some(thread) = unsafe { self.local.thread.get().as_ref() }
            && thread.nested_count.load(Relaxed) != 0
        {
            self.write_nested();
        }
    }

    #[cold]
    #[inline(never)]
    fn write_nested(&self) {
        guard::go(self.local, IN_RECORDER);
        let mut written = 0;
        while let Some((thread, _)) = self.thread() {
            // More may come while these are written.
            let count = thread.nested_count.load(Relaxed);
            if written >= count && thread.nested_count.compare_exchange(count, 0, Relaxed, Relaxed).is_ok() {
                break;
            }
            for place in written..count {
                match self.thread().and_then(|(thread, _)| thread.nested.get(place as usize)) {
                    Some(event) => self.write(event.get()),
                    None => self.count_dropped(),
                }
            }
            written = count;
        }
        guard::go(self.local, OUTSIDE);
    }

    fn count_dropped(&self) {
        if let Some(process) = process::current(self.recording) {
            self.recording.segment.header().processes[process.slot as usize].dropped.fetch_add(1, Relaxed);
        }
    }
}

/// Nobody takes events any more: those of a thread with a ring are counted.
#[cold]
fn drop_one(local: &Local) {
    // SAFETY: this thread's memory; it is outside of the recorder.
    if let Some(writer) = unsafe { local.thread.get().as_ref() }.and_then(|thread| thread.writer.as_ref()) {
        writer.drop_one();
    }
}

/// Keeps an event of a handler that interrupted the recorder.
#[cold]
pub fn keep(local: &Local, kind: Kind, address: usize, size: usize) {
    // SAFETY: this thread's memory; only cells and atomics of it are touched, while the recorder may be at the rest.
    let Some(thread) = (unsafe { local.thread.get().as_ref() }) else { return };
    let place = thread.nested_count.fetch_add(1, Relaxed) as usize;
    if let Some(cell) = thread.nested.get(place) {
        cell.set(Event::new(kind, clock::now(), address as u64, size as u64, 0));
    }
}

/// What the allocator gave beyond the size. Where several share the work (jemalloc has no `pvalloc`, and glibc's takes the
/// block from glibc's own heap) only the allocator's own functions surely give what it can tell the size of.
#[inline(always)]
fn slack(by: &Real, block: *const u8, size: usize) -> u64 {
    if !(by.is_allocators() && real::USABLE.is_allocators()) {
        return 0;
    }
    // SAFETY: the function has this form; the block is live.
    let usable = unsafe { real::USABLE.get::<real::Usable>().map_or(size, |usable| usable(block)) };
    usable.saturating_sub(size) as u64
}

impl Thread {
    /// Gives back what others can use. The thread writes no more of its own.
    pub fn leave(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.leave();
        }
    }

    /// A handler left the recorder by `longjmp`: what was being changed may be changed by half.
    pub fn was_left(&mut self) {
        self.unwinder.forget();
    }

    /// Whether its ring is of this process.
    pub fn is_of(&self, epoch: u64) -> bool {
        self.epoch == epoch
    }
}
