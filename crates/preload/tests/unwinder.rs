//! What becomes of stacks that are unlike others.

mod libraries;
mod stacks;

use std::arch::global_asm;
use std::ffi::{c_int, c_long, c_void};
use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;

use libraries::Library;
use residue_preload::segment::Segment;
use residue_preload::unwind::{Captured, Registers, Rules, Thread};
use residue_recording::wire::{Header, NODES};
use stacks::{call_with_registers, frames, segment, theirs, thread};

const ADDRESS: u64 = (1 << 48) - 1;

/// A recorder's state of its own.
struct Recorder {
    segment: Segment,
    rules: Rules,
    thread: &'static mut Thread,
    buffer: Vec<u64>,
}

impl Recorder {
    fn new() -> Recorder {
        let recorder =
            Recorder { segment: segment(), rules: Rules::new(), thread: thread(), buffer: vec![0; 50_000] };
        recorder.rules.start(&recorder.segment);
        recorder
    }

    fn capture(&mut self, registers: Registers) -> Captured {
        unsafe { self.thread.capture(registers, &self.segment, &self.rules) }
    }

    fn frames(&mut self, captured: Captured) -> &[u64] {
        frames(&self.segment, captured, &mut self.buffer)
    }

    /// The path of the module of the innermost frame.
    fn path(&self, captured: Captured) -> String {
        let code = self.segment.nodes()[captured.stack as usize].code.load(Relaxed);
        let row = &self.segment.modules()[(code >> 48) as usize - 1];
        let text = self.segment.text(row.path.load(Relaxed), row.path_length.load(Relaxed));
        String::from_utf8(text.iter().map(|byte| byte.load(Relaxed)).collect()).expect("a path that is text")
    }
}

/// Calls itself so often, then `look`, with a frame of about 100 bytes each time.
#[inline(never)]
fn recurse(depth: usize, look: &mut dyn FnMut(Registers)) -> u64 {
    let mut frame = [depth as u64; 8];
    black_box(&mut frame);
    if depth == 0 {
        call_with_registers(look);
    } else {
        frame[1] += recurse(depth - 1, look);
    }
    black_box(&mut frame)[1]
}

fn on_a_large_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(work).expect("a thread starts");
    thread.join().expect("it ends well");
}

#[test]
fn a_recursion_of_16_000_calls_is_followed_to_its_end() {
    on_a_large_stack(|| {
        let mut recorder = Recorder::new();
        let mut theirs_too = vec![0; 50_000];
        for depth in [3, 16_000, 15_999, 9_000] {
            recurse(depth, &mut |registers| {
                let captured = recorder.capture(registers);
                assert!(!captured.is_cut);
                let ours = recorder.frames(captured);
                assert!(ours.len() > depth);
                assert!(ours == theirs(registers, &mut theirs_too), "{depth}");
            });
        }
    });
}

/// Each deeper call of an endless recursion would be a path of its own, and each a walk of many thousand frames.
#[test]
fn of_a_deeper_recursion_the_innermost_calls_are_told() {
    on_a_large_stack(|| {
        let mut recorder = Recorder::new();
        let mut theirs_too = vec![0; 50_000];
        for depth in [20_000, 20_010, 40_000, 40_001] {
            recurse(depth, &mut |registers| {
                let captured = recorder.capture(registers);
                assert!(captured.is_cut);
                let ours = recorder.frames(captured);
                assert_eq!(ours.len(), 64);
                assert_eq!(ours, &theirs(registers, &mut theirs_too)[..64]);
            });
        }
        assert!(recorder.segment.header().nodes.load(Relaxed) < 200);

        recurse(10, &mut |registers| assert!(!recorder.capture(registers).is_cut));
    });
}

#[test]
fn a_full_tree_gives_the_outermost_calls_that_it_has() {
    let mut recorder = Recorder::new();
    let mut whole = Vec::new();
    let is_full = |recorder: &Recorder| recorder.segment.header().trouble.load(Relaxed) & Header::FULL != 0;

    for (depth, room) in black_box(vec![(5, 100), (20, 3), (20, 0), (5, 0)]) {
        recorder.segment.header().nodes.fetch_max(NODES as u32 - 1 - room, Relaxed);
        recurse(depth, &mut |registers| {
            let captured = recorder.capture(registers);
            let told = recorder.frames(captured).to_vec();
            assert_eq!(captured.is_cut, depth == 20);
            if depth == 5 {
                assert!(whole.is_empty() || whole == told, "what it has it still gives");
                whole = told;
            } else {
                let known = &whole[2..]; // Down to the innermost `recurse` that calls itself.
                assert_eq!(told.len(), known.len() + 3);
                assert_eq!(&told[3..], known);
            }
        });
        assert_eq!(is_full(&recorder), depth == 20 || room == 0);
    }
}

#[test]
fn a_stack_that_did_not_change_is_the_same_node() {
    let mut recorder = Recorder::new();
    let mut seen = Vec::new();
    for depth in black_box(vec![4, 9, 4, 9]) {
        recurse(depth, &mut |registers| seen.push(recorder.capture(registers).stack));
    }
    assert_eq!((seen[0], seen[1]), (seen[2], seen[3]));
    assert_ne!(seen[0], seen[1]);
}

// Code that is never run. Its frames are made by hand, in memory that is no stack.
global_asm!(
    ".pushsection .text.made, \"ax\", @progbits",
    ".globl residue_made_saving, residue_made_framed, residue_made_plain, residue_made_outermost",
    ".cfi_startproc",
    "nop",
    ".cfi_def_cfa rsp, 24",
    ".cfi_offset rbp, -16",
    "nop",
    "residue_made_saving:",
    "nop",
    ".cfi_def_cfa rbp, 16",
    "nop",
    "residue_made_framed:",
    "nop",
    ".cfi_def_cfa rsp, 16",
    ".cfi_same_value rbp",
    "call rax",
    "residue_made_plain:",
    "nop",
    ".cfi_undefined rip",
    "call residue_made_plain",
    "residue_made_outermost:",
    "nop",
    ".cfi_endproc",
    ".popsection",
);

unsafe extern "C" {
    static residue_made_saving: u8;
    static residue_made_framed: u8;
    static residue_made_plain: u8;
    static residue_made_outermost: u8;
}

/// What was seen last is only used again where every word and register that it rests on is as it was.
#[test]
fn a_stack_that_changed_in_one_word_is_another() {
    let saving = &raw const residue_made_saving as u64;
    let framed = &raw const residue_made_framed as u64;
    let plain = &raw const residue_made_plain as u64;
    let outermost = &raw const residue_made_outermost as u64;
    let mut recorder = Recorder::new();
    let mut stack = Box::new([0_u64; 64]);
    let start = stack.as_ptr() as u64;
    let at = |word: u64| start + word * 8;
    // `saving` keeps `rbp` in word 1 and returns to `framed`, whose `rbp` points to word 10, or to word 20.
    for (word, value) in [(1, at(10)), (2, framed), (11, plain), (21, outermost)] {
        stack[word] = value;
    }
    let inner = |bp| Registers { pc: saving, sp: at(0), bp };
    let outer = |bp| Registers { pc: framed, sp: at(3), bp };
    let mut look = |registers, expected: &[u64]| {
        let captured = recorder.capture(registers);
        assert!(!captured.is_cut);
        assert_eq!(recorder.frames(captured), expected);
        captured.stack
    };

    let first = look(inner(0), &[saving, framed, plain]);
    assert_eq!(look(inner(5), &[saving, framed, plain]), first, "nothing rests on what rbp is there");
    stack[1] = at(20);
    look(inner(0), &[saving, framed, outermost]);
    look(outer(at(10)), &[framed, plain]);
    look(outer(at(20)), &[framed, outermost]);
    look(outer(at(10)), &[framed, plain]);
    stack[13] = outermost;
    look(outer(at(10)), &[framed, plain, outermost]);
    stack[1] = at(10);
    assert_ne!(look(inner(0), &[saving, framed, plain, outermost]), first);
    stack[13] = 0;
    assert_eq!(look(inner(0), &[saving, framed, plain]), first);
}

/// Wrong unwind information, and registers that are no frame pointers, lead anywhere.
#[test]
fn a_caller_further_in_on_the_same_stack_is_none() {
    let framed = &raw const residue_made_framed as u64;
    let plain = &raw const residue_made_plain as u64;
    let mut recorder = Recorder::new();
    let (stack, other) = (map(4096, 3), map(2 << 20, 3));
    let (start, far) = (stack as u64, other as u64 + (1 << 20));
    for place in [start + 8, start + 10 * 8 + 8, far + 8] {
        unsafe { (place as *mut u64).write(plain) };
    }
    let mut look = |pc, bp, expected: &[u64]| {
        recorder.rules.unloaded(); // What was seen last is not used again.
        let captured = recorder.capture(Registers { pc, sp: start + 64, bp });
        assert_eq!(recorder.frames(captured), expected);
        assert_eq!(captured.is_cut, expected.len() == 1);
    };

    look(framed, start + 80, &[framed, plain]);
    look(framed, start, &[framed]);
    look(framed, far, &[framed, plain]);
    // No image has this code: only a frame pointer into the stack itself is believed.
    look(start, start + 80, &[start, plain]);
    look(start, start, &[start]);
    look(start, far, &[start]);
    // Nor is it, where what stands there was left by a call from one function of the image to another, or by none.
    for stale in [&raw const residue_made_outermost, &raw const residue_made_framed] {
        unsafe { ((start + 88) as *mut u64).write(stale as u64) };
        look(start, start + 80, &[start]);
    }
    // The frames of callers are further out.
    unsafe { ((start + 88) as *mut u64).write(plain) };
    for (saved, expected) in [(start + 72, &[start][..]), (start + 2000, &[start, plain])] {
        unsafe { ((start + 80) as *mut u64).write(saved) };
        look(start, start + 80, expected);
    }
    unsafe {
        munmap(stack, 4096);
        munmap(other, 2 << 20);
    }
}

/// The rules of a library must not outlive it: another one at the same place has the same code, but for the sizes of frames.
#[test]
fn a_library_in_the_place_of_another_has_its_own_rules_and_row() {
    let small = Library::build_with("plugin.c", "gcc", &["-O2", "-DSIZE=400"]);
    let large = Library::build_with("plugin.c", "gcc", &["-O2", "-DSIZE=800"]);
    let mut recorder = Recorder::new();
    let mut theirs_too = vec![0; 100];
    let mut places: Vec<(u64, &str, u64)> = Vec::new();

    for round in 0..40 {
        let (name, library) = if round % 2 == 0 { ("small", &small) } else { ("large", &large) };
        let loaded = library.load();
        let mut look = |registers: Registers| {
            let captured = recorder.capture(registers);
            assert!(!captured.is_cut);
            assert_eq!(
                recorder.frames(captured),
                theirs(registers, &mut theirs_too),
                "{name} in round {round}"
            );
            assert_eq!(recorder.path(captured), library.path());
            let code = recorder.segment.nodes()[captured.stack as usize].code.load(Relaxed);
            places.push((code & ADDRESS & !0xfff, name, code >> 48));
        };
        let mut look: &mut dyn FnMut(Registers) = &mut look;
        let plugin = loaded.function("plugin");
        let plugin: unsafe extern "C-unwind" fn(unsafe extern "C-unwind" fn(*mut c_void), *mut c_void) =
            unsafe { std::mem::transmute(plugin) };
        unsafe { plugin(stacks::registers_for, (&raw mut look).cast()) };
        drop(loaded);
        recorder.rules.unloaded();
    }

    let met = places.iter().any(|one| places.iter().any(|other| one.0 == other.0 && one.1 != other.1));
    assert!(met, "they never stood in the same place: {places:x?}");
    for one in &places {
        for other in &places {
            let is_same = one.0 == other.0 && one.1 == other.1;
            assert_eq!(one.2 == other.2, is_same, "a row for each place and library: {one:x?} {other:x?}");
        }
    }
}

#[test]
fn a_row_says_what_the_image_is() {
    let mut recorder = Recorder::new();
    let mut own = None;
    call_with_registers(&mut |registers| own = Some(recorder.capture(registers)));
    let program = std::env::current_exe().expect("there is one");

    let own = own.expect("it was called");
    assert_eq!(recorder.path(own), program.to_str().expect("a plain path"));
    let rows = recorder.segment.filled_modules();
    assert_eq!(rows.len(), 2, "the program, and the C library that started the thread");
    let here = a_row_says_what_the_image_is as *const () as u64;
    assert!((rows[0].start.load(Relaxed)..rows[0].end.load(Relaxed)).contains(&here));
    assert_eq!(rows[1].build_id_length.load(Relaxed), 20, "a C library has a build id");
}

/// `push rbp; mov rbp, rsp; mov rax, rdi; mov rdi, rsi; call rax; pop rbp; ret`
const WITH_FRAME: &[u8] =
    &[0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3];
/// `push rbp; mov ebp, 0x1000; mov rax, rdi; mov rdi, rsi; call rax; pop rbp; ret`
const WITHOUT_FRAME: &[u8] =
    &[0x55, 0xbd, 0, 0x10, 0, 0, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3];

/// Runs code that no image has, which calls `look`.
#[inline(never)]
fn run_made_code(code: &[u8], mut look: &mut dyn FnMut(Registers)) {
    let page = map(4096, 7);
    let function: unsafe extern "C-unwind" fn(unsafe extern "C-unwind" fn(*mut c_void), *mut c_void) = unsafe {
        page.copy_from_nonoverlapping(code.as_ptr(), code.len());
        std::mem::transmute(page)
    };
    unsafe {
        function(stacks::registers_for, (&raw mut look).cast());
        munmap(page, 4096);
    }
}

#[test]
fn made_code_is_followed_by_its_frame_pointers() {
    let mut recorder = Recorder::new();
    let mut outside = Vec::new();
    call_with_registers(&mut |registers| {
        let captured = recorder.capture(registers);
        outside = recorder.frames(captured).to_vec();
    });

    run_made_code(WITH_FRAME, &mut |registers| {
        for _ in 0..2 {
            let captured = recorder.capture(registers);
            let ours = recorder.frames(captured).to_vec();
            assert!(!captured.is_cut, "{ours:x?}");
            assert_eq!(ours[0], registers.pc);
            assert_eq!(ours.last(), outside.last());
            assert_eq!(ours.len(), outside.len() + 1, "the made code, and who runs it");
            assert_eq!(recorder.segment.nodes()[captured.stack as usize].code.load(Relaxed) >> 48, 0);
        }
    });
}

#[test]
fn made_code_without_frame_pointers_is_not_guessed_at() {
    let mut recorder = Recorder::new();

    run_made_code(WITHOUT_FRAME, &mut |registers| {
        let captured = recorder.capture(registers);
        assert!(captured.is_cut);
        assert_eq!(recorder.frames(captured), [registers.pc]);
    });
}

/// Where a stack ends, and what stands behind, nobody says; what cannot be read is not read.
#[test]
fn a_walk_ends_where_memory_does() {
    let mut recorder = Recorder::new();
    let pages = map(4 * 4096, 3);
    unsafe { assert_eq!(mprotect(pages.add(8192), 8192, 0), 0) };
    let end = pages as u64 + 8192;

    recurse(1, &mut |registers| {
        for sp in [end - 8, end, 0, 8, u64::MAX - 7, 1 << 63, pages as u64 + 1] {
            let captured = recorder.capture(Registers { sp, ..registers });
            assert!(captured.is_cut, "{sp:x}");
            assert_eq!(recorder.frames(captured), [registers.pc], "{sp:x}");
        }
        assert!(!recorder.capture(registers).is_cut);
    });
    unsafe { munmap(pages, 4 * 4096) };
}

/// Where a stack stood another one may stand, which is smaller.
#[test]
fn memory_that_went_is_asked_for_anew() {
    let mut recorder = Recorder::new();
    let pages = map(2 * 4096, 3);
    let place = unsafe { pages.add(2048).cast::<u64>() };

    recurse(1, &mut |registers| {
        assert!(!recorder.capture(registers).is_cut, "the thread has a stack of its own");
        // A frame below whose end the return address is 0, on the second page.
        let sp = pages as u64 + 4096 - 8;
        let before = recorder.capture(Registers { sp, ..registers });
        assert!(!before.is_cut, "zeros end a stack");
        unsafe { assert_eq!(mprotect(pages.add(4096), 4096, 0), 0) };
        recorder.rules.unmapped();
        assert!(recorder.capture(Registers { sp, ..registers }).is_cut);
        assert_eq!(unsafe { place.read() }, 0);
    });
    unsafe { munmap(pages, 2 * 4096) };
}

#[test]
fn threads_of_one_process_share_rules_and_tree() {
    let segment = segment();
    let rules = Rules::new();
    rules.start(&segment);
    let seen: Vec<u32> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let thread = thread();
                    let mut innermost = 0;
                    for depth in 0..200 {
                        recurse(depth, &mut |registers| {
                            let captured = unsafe { thread.capture(registers, &segment, &rules) };
                            assert!(!captured.is_cut);
                            innermost = captured.stack;
                        });
                    }
                    innermost
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends well")).collect()
    });

    assert!(seen.iter().all(|node| *node == seen[0]), "{seen:?}");
    assert_eq!(segment.header().lock.load(Relaxed), 0);
}

/// Who adds a module holds a lock, and may lose the processor meanwhile. Others wait for that, but not for ever.
#[test]
fn a_lock_that_is_held_for_long_cuts_a_stack_for_once() {
    let mut recorder = Recorder::new();
    let held = recorder.segment.lock().expect("nobody else has it");
    recurse(3, &mut |registers| assert!(recorder.capture(registers).is_cut, "the C library has no row yet"));
    drop(held);
    recurse(3, &mut |registers| assert!(!recorder.capture(registers).is_cut));
}

fn map(size: usize, protection: c_int) -> *mut u8 {
    let memory = unsafe { mmap(std::ptr::null_mut(), size, protection, 0x22, -1, 0) };
    assert_ne!(memory as isize, -1);
    memory
}

unsafe extern "C" {
    fn mmap(
        at: *mut u8,
        size: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: c_long,
    ) -> *mut u8;
    fn munmap(at: *mut u8, size: usize) -> c_int;
    fn mprotect(at: *mut u8, size: usize, protection: c_int) -> c_int;
}
