//! What a capture costs: `cargo run --release --example capture`.
//!
//! 64 functions with frames of their own sizes and without frame pointers call one another; the time of the same calls
//! without captures is taken off. In nanoseconds, the least of many runs. "1 top": the innermost frames are the same each
//! time. "64 tops": the four innermost frames are others each time. "random": 8 to 15 frames below the loop, as a program has
//! them whose calls vary. "anew": a frame whose rule is not known yet.

use std::alloc::{Layout, alloc_zeroed};
use std::arch::naked_asm;
use std::hint::black_box;
use std::ptr::NonNull;
use std::time::Instant;

use residue_preload::segment::Segment;
use residue_preload::unwind::{Registers, Rules, Thread};
use residue_recording::wire;

static RULES: Rules = Rules::new();

/// Short runs, many of them: the least is of one that nothing disturbed.
const CALLS: usize = 2000;
const RUNS: usize = 2000;

struct Bench {
    thread: &'static mut Thread,
    segment: Segment,
    captures: bool,
    seen: u64,
}

fn main() {
    let size = wire::Layout::of(1).size;
    let segment = unsafe { Segment::at(NonNull::new(zeroed(size)).expect("memory"), 1) };
    let thread = unsafe { &mut *zeroed(size_of::<Thread>()).cast::<Thread>() };
    RULES.start(&segment);
    let mut bench = Bench { thread, segment, captures: true, seen: 0 };

    println!("{:>8} {:>9} {:>9}", "frames", "1 top", "64 tops");
    for depth in [5, 8, 10, 30, 100] {
        let one = bench.measure(&mut |bench| descend(bench, depth, 0, CALLS, 1));
        let many = bench.measure(&mut |bench| descend(bench, depth, 0, CALLS, 64));
        println!("{:>8} {one:>9.1} {many:>9.1}", bench.frames());
    }
    let random = bench.measure(&mut |bench| {
        let mut random = 1_u64;
        for _ in 0..CALLS {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let depth = 8 + (random >> 60) as usize % 8;
            descend(bench, depth, (random >> 32) as usize % 16, 1, 1);
        }
    });
    println!("{:>8} {random:>9.1}", "random");
    let anew = bench.measure(&mut |bench| {
        for _ in 0..CALLS / 100 {
            RULES.unloaded();
            descend(bench, 17, 0, 1, 1);
        }
    });
    println!("{:>8} {:>9.1}", "anew", anew * 100.0 / bench.frames() as f64);
}

impl Bench {
    fn measure(&mut self, work: &mut dyn FnMut(&mut Bench)) -> f64 {
        let mut least = [f64::MAX; 2];
        for _ in 0..RUNS {
            for captures in [false, true] {
                self.captures = captures;
                let start = Instant::now();
                work(self);
                let time = start.elapsed().as_secs_f64() * 1e9 / CALLS as f64;
                least[usize::from(captures)] = least[usize::from(captures)].min(time);
            }
        }
        least[1] - least[0]
    }

    fn frames(&self) -> usize {
        let mut node = self.seen as u32;
        let mut frames = 0;
        while node != 0 {
            node = self.segment.nodes()[node as usize].caller.load(std::sync::atomic::Ordering::Relaxed);
            frames += 1;
        }
        frames
    }
}

fn zeroed(size: usize) -> *mut u8 {
    unsafe { alloc_zeroed(Layout::from_size_align(size, 4096).expect("a size")) }
}

/// Calls itself `depth` times by way of other functions, then its loop calls four more, so many times.
fn descend(bench: &mut Bench, depth: usize, path: usize, times: usize, tops: usize) {
    LEVELS[(path + depth) % 64](bench, depth, path, times, tops);
}

type Level = fn(&mut Bench, usize, usize, usize, usize);

#[inline(never)]
fn level<const N: usize>(bench: &mut Bench, depth: usize, path: usize, times: usize, tops: usize) {
    let mut frame = [0_u64; N];
    black_box(&mut frame);
    match depth {
        0 => hook(bench),
        4 => {
            for time in 0..times {
                LEVELS[(path + time % tops) % 64](bench, 3, path + time % tops, 0, 0);
            }
        }
        _ => LEVELS[(path + depth * 7) % 64](bench, depth - 1, path, times, tops),
    }
    black_box(&mut frame);
}

#[unsafe(naked)]
extern "C" fn hook(bench: &mut Bench) {
    naked_asm!("mov rsi, [rsp]", "lea rdx, [rsp + 8]", "mov rcx, rbp", "jmp {}", sym hooked)
}

extern "C" fn hooked(bench: &mut Bench, pc: u64, sp: u64, bp: u64) {
    if bench.captures {
        let captured = unsafe { bench.thread.capture(Registers { pc, sp, bp }, &bench.segment, &RULES) };
        assert!(!captured.is_cut);
        bench.seen = captured.stack.into();
    }
}

macro_rules! levels {
    ($($n:literal)*) => { [$(level::<$n>),*] };
}

static LEVELS: [Level; 64] = levels!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33
    34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64);
