//! A program that has bound itself to read, write and end: the kernel kills it for any other call.

mod stacks;

use std::ffi::{c_int, c_long, c_ulong};
use std::hint::black_box;

use residue_preload::segment::Segment;
use residue_preload::unwind::{Captured, Rules, Thread};
use stacks::{call_with_registers, segment, thread};

const PR_SET_SECCOMP: c_int = 22;
const STRICT: c_ulong = 1;
const EXIT: c_long = 60;
const ALL: c_int = 7;

fn capture_below(pages: usize, thread: &mut Thread, segment: &Segment, rules: &Rules) -> Captured {
    let mut page = [pages as u8; 4096];
    black_box(&mut page);
    let mut captured = Captured { stack: 0, is_cut: true };
    if pages == 0 {
        call_with_registers(&mut |registers| captured = unsafe { thread.capture(registers, segment, rules) });
    } else {
        captured = capture_below(pages - 1, thread, segment, rules);
    }
    black_box(&mut page);
    captured
}

#[inline(never)]
fn capture_in_new_code(thread: &mut Thread, segment: &Segment, rules: &Rules) -> Captured {
    black_box(capture_below(black_box(1), thread, segment, rules))
}

#[test]
fn a_bound_program_is_not_made_to_call_the_kernel() {
    let (segment, rules, thread) = (segment(), Rules::new(), thread());
    rules.start(&segment);
    let mut look = |pages| capture_below(black_box(pages), thread, &segment, &rules);
    let (near, far) = (look(2), look(9));

    let child = unsafe { fork() };
    if child == 0 {
        look(2);
        let images = segment.filled_modules().len();
        rules.forbid_calls();
        let is_bound = unsafe { prctl(PR_SET_SECCOMP, STRICT, 0, 0, 0) } == 0;
        // What is unmapped elsewhere is nothing to a thread on the one stack that it has.
        rules.unmapped();
        let known = !look(2).is_cut && !look(9).is_cut;
        let unknown = look(60).is_cut;
        // Code that is seen for the first time is of an image that is known.
        let is_new_known = !capture_in_new_code(thread, &segment, &rules).is_cut;
        let is_image_known = segment.filled_modules().len() == images;
        let all = is_bound && known && unknown && is_new_known && is_image_known;
        unsafe { syscall(EXIT, if all { ALL } else { 1 }) };
    }

    let mut status = 0;
    assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
    assert!(!near.is_cut && !far.is_cut);
    assert_eq!(
        status,
        7 << 8,
        "it ended by itself: bound, with what it knew, and without what it had to ask for"
    );
}

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(child: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
}
