//! A probe that programs call: it captures the caller's stack and has the compiler's runtime look at the same.
//!
//! It may be called by signal handlers that struck anywhere, so it allocates nothing.

#![allow(dead_code, reason = "each test uses its part")]

use std::alloc::{Layout, alloc_zeroed};
use std::arch::naked_asm;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{LazyLock, Mutex};

use residue_preload::segment::Segment;
use residue_preload::unwind::{Captured, Registers, Rules, Thread};
use residue_recording::wire;

pub static RULES: Rules = Rules::new();
pub static SEGMENT: LazyLock<Segment> = LazyLock::new(|| {
    let segment = segment();
    RULES.start(&segment);
    segment
});

const MOST: usize = 20_000;
const ADDRESS: u64 = (1 << 48) - 1;

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
    static STATE: Cell<*mut State> = const { Cell::new(null_mut()) };
}

/// What a thread of a test needs: it is made at the first probe, which no signal handler does.
struct State {
    thread: &'static mut Thread,
    ours: [u64; MOST],
    theirs: [u64; MOST],
}

/// Empties the tree, which is small for all the stacks that there are. This thread begins anew; no other may be left that
/// looked.
pub fn forget() {
    STATE.set(null_mut());
    SEGMENT.header().nodes.store(0, Relaxed);
    SEGMENT.index().iter().for_each(|slot| slot.store(0, Relaxed));
    for node in SEGMENT.nodes() {
        node.code.store(0, Relaxed);
        node.caller.store(0, Relaxed);
    }
    RULES.unloaded();
}

/// A new segment, of memory that is never given back.
pub fn segment() -> Segment {
    let size = wire::Layout::of(1).size;
    unsafe { Segment::at(NonNull::new(zeroed(size)).expect("memory"), 1) }
}

pub fn thread() -> &'static mut Thread {
    unsafe { &mut *zeroed(size_of::<Thread>()).cast::<Thread>() }
}

fn zeroed(size: usize) -> *mut u8 {
    unsafe { alloc_zeroed(Layout::from_size_align(size, 4096).expect("a size")) }
}

/// What probes found since it was taken last.
#[derive(Debug, Default)]
pub struct Report {
    pub same: u64,
    pub frames: u64,
    pub different: u64,
    /// The same as far as they went, and said to be cut; the runtime saw more.
    pub shorter: u64,
    pub cut: u64,
    pub first: String,
}

static SAME: AtomicU64 = AtomicU64::new(0);
static FRAMES: AtomicU64 = AtomicU64::new(0);
static DIFFERENT: AtomicU64 = AtomicU64::new(0);
static SHORTER: AtomicU64 = AtomicU64::new(0);
static CUT: AtomicU64 = AtomicU64::new(0);
static HAS_FIRST: AtomicBool = AtomicBool::new(false);
static FIRST: Mutex<(Vec<u64>, Vec<u64>, bool)> = Mutex::new((Vec::new(), Vec::new(), false));

impl Report {
    pub fn take() -> Report {
        let first = match HAS_FIRST.swap(false, Relaxed) {
            true => format!("{:x?}", *FIRST.lock().expect("no panic")),
            false => String::new(),
        };
        let take = |count: &AtomicU64| count.swap(0, Relaxed);
        Report {
            same: take(&SAME),
            frames: take(&FRAMES),
            different: take(&DIFFERENT),
            shorter: take(&SHORTER),
            cut: take(&CUT),
            first,
        }
    }

    /// All stacks were the same, of so many at least.
    pub fn assert_same(&self, least: u64, what: &str) {
        let frames = self.frames as f64 / self.same as f64;
        eprintln!("{what}: {} stacks of {frames:.1} frames, {} shorter", self.same, self.shorter);
        assert_eq!((self.different, self.cut), (0, 0), "{what}, ours and the runtime's: {}", self.first);
        assert!(self.same >= least, "{what}: {self:?}, and {least} expected");
    }
}

/// Calls a closure with where its caller stands.
#[inline(never)]
pub fn call_with_registers(mut look: &mut dyn FnMut(Registers)) {
    unsafe { registers_for((&raw mut look).cast()) };
    std::hint::black_box(look);
}

/// Calls a closure, told by a pointer to a reference to it, with where its caller stands.
#[unsafe(naked)]
pub unsafe extern "C-unwind" fn registers_for(look: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "mov rsi, [rsp]",
        "lea rdx, [rsp + 8]",
        "mov rcx, rbp",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        sym looked
    )
}

unsafe extern "C-unwind" fn looked(look: *mut c_void, pc: u64, sp: u64, bp: u64) {
    let look = unsafe { &mut *look.cast::<&mut dyn FnMut(Registers)>() };
    look(Registers { pc, sp, bp });
}

/// Looks at the stack of its caller, and compares.
#[unsafe(naked)]
pub unsafe extern "C" fn probe() {
    naked_asm!(
        ".cfi_startproc",
        "mov rdi, [rsp]",
        "lea rsi, [rsp + 8]",
        "mov rdx, rbp",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        sym probed
    )
}

unsafe extern "C" fn probed(pc: u64, sp: u64, bp: u64) {
    if BUSY.replace(true) {
        return;
    }
    if STATE.get().is_null() {
        let state = zeroed(size_of::<State>()).cast::<State>();
        unsafe { (&raw mut (*state).thread).write(thread()) };
        STATE.set(state);
    }
    compare(unsafe { &mut *STATE.get() }, Registers { pc, sp, bp });
    BUSY.set(false);
}

fn compare(state: &mut State, registers: Registers) {
    let captured = unsafe { state.thread.capture(registers, &SEGMENT, &RULES) };
    let ours = frames(&SEGMENT, captured, &mut state.ours);
    let theirs = theirs(registers, &mut state.theirs);
    if ours == theirs {
        SAME.fetch_add(1, Relaxed);
        FRAMES.fetch_add(ours.len() as u64, Relaxed);
        CUT.fetch_add(captured.is_cut.into(), Relaxed);
    } else if captured.is_cut && theirs.starts_with(ours) {
        SHORTER.fetch_add(1, Relaxed);
    } else {
        DIFFERENT.fetch_add(1, Relaxed);
        if !HAS_FIRST.swap(true, Relaxed) {
            *FIRST.lock().expect("no panic") = (ours.to_vec(), theirs.to_vec(), captured.is_cut);
        }
    }
}

/// The return addresses of a stack, the innermost first.
pub fn frames<'a>(segment: &Segment, captured: Captured, buffer: &'a mut [u64]) -> &'a [u64] {
    let (mut node, mut count) = (captured.stack, 0);
    while node != 0 && count < buffer.len() {
        let row = &segment.nodes()[node as usize];
        buffer[count] = row.code.load(Relaxed) & ADDRESS;
        node = row.caller.load(Relaxed);
        count += 1;
    }
    &buffer[..count]
}

struct Walk<'a> {
    buffer: &'a mut [u64],
    count: usize,
    innermost: u64,
}

/// What the compiler's runtime says: as return addresses, one byte behind where a signal struck.
pub fn theirs(registers: Registers, buffer: &mut [u64]) -> &[u64] {
    let mut walk = Walk { buffer, count: 0, innermost: registers.pc };
    unsafe { _Unwind_Backtrace(note, (&raw mut walk).cast()) };
    let Walk { buffer, count, .. } = walk;
    &buffer[..count]
}

unsafe extern "C" fn note(context: *mut c_void, walk: *mut c_void) -> c_int {
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    let mut is_struck = 0;
    let pc = unsafe { _Unwind_GetIPInfo(context, &mut is_struck) };
    let is_frame = pc != 0 && (walk.count > 0 || pc == walk.innermost);
    if is_frame && walk.count < walk.buffer.len() {
        walk.buffer[walk.count] = pc + u64::from(is_struck != 0);
        walk.count += 1;
    }
    0
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        note: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, is_struck: *mut c_int) -> u64;
}
