//! What returned functions left below a stack pointer holds nothing; what is beside a stack does.

use residue_model::{Address, Thread, Usage};

use super::image::{Image, MAIN_STACK, OWN_MAPPING, Process};
use crate::reachability::LeakKind::{Definite, Reachable};

const POINTER: u64 = MAIN_STACK + 0x8800;

fn main_thread() -> Thread {
    Thread { tid: 1, is_main: true, stack_pointer: Some(Address(POINTER)), ..Thread::default() }
}

/// One block, pointed at from there; the pages from `POINTER` down that are not named are filled.
fn pointed_at_from(at: u64, empty: &[u64]) -> Process {
    let image = Image::new().block("it", 24);
    let to = image.address("it");
    let filled = (0..9).map(|page| MAIN_STACK + page * 0x1000).filter(|page| !empty.contains(page));
    let image = filled.fold(image, |image, page| image.word_at(page + 0x10, 1));
    image.word_at(at, to).thread(main_thread()).build()
}

#[test]
fn what_returned_functions_left_holds_nothing() {
    assert_eq!(pointed_at_from(POINTER - 0x400, &[]).kind("it"), Definite);
    assert_eq!(pointed_at_from(MAIN_STACK + 8, &[]).kind("it"), Definite, "down to the lowest page");
}

/// A function that calls no other may use 128 bytes below the stack pointer without moving it.
#[test]
fn the_red_zone_is_alive() {
    assert_eq!(pointed_at_from(POINTER, &[]).kind("it"), Reachable);
    assert_eq!(pointed_at_from(POINTER - 8, &[]).kind("it"), Reachable);
    assert_eq!(pointed_at_from(POINTER - 128, &[]).kind("it"), Reachable, "its last word");
    assert_eq!(pointed_at_from(POINTER - 136, &[]).kind("it"), Definite, "the first word below");
}

/// Below a page that was never used, another stack may begin: from glibc 2.42 on no list tells where.
#[test]
fn below_an_empty_page_stands_something_else() {
    let empty = [MAIN_STACK + 0x4000];

    assert_eq!(pointed_at_from(MAIN_STACK + 0x5008, &empty).kind("it"), Definite);
    assert_eq!(pointed_at_from(MAIN_STACK + 0x3ff8, &empty).kind("it"), Reachable);
}

const PAGE: u64 = 0x1000;

/// Two stacks side by side in one region of sixteen pages, all of them used; each ends with a control block.
fn two_stacks(at: u64) -> Process {
    let image = Image::new().block("it", 24);
    let to = image.address("it");
    let image = (0..16).fold(image, |image, page| image.word_at(OWN_MAPPING + page * PAGE + 0x10, 1));
    let thread = |tid, pointer, control| Thread {
        tid,
        stack_pointer: Some(Address(OWN_MAPPING + pointer)),
        thread_pointer: Some(Address(OWN_MAPPING + control)),
        ..Thread::default()
    };
    image
        .region(OWN_MAPPING, 16 * PAGE, "rw-p", Usage::AnonymousTiny)
        .word_at(OWN_MAPPING + at, to)
        .thread(thread(2, 5 * PAGE, 7 * PAGE + 0x700))
        .thread(thread(3, 12 * PAGE, 15 * PAGE + 0x700))
        .build()
}

#[test]
fn the_dead_part_of_one_stack_ends_at_the_control_block_of_the_next() {
    assert_eq!(two_stacks(11 * PAGE).kind("it"), Definite, "below the upper one");
    assert_eq!(two_stacks(8 * PAGE).kind("it"), Definite, "down to the lower one's end");
    assert_eq!(two_stacks(7 * PAGE + 0x780).kind("it"), Reachable, "the control block of the lower one");
    assert_eq!(two_stacks(6 * PAGE).kind("it"), Reachable, "above the lower one's pointer");
    assert_eq!(two_stacks(3 * PAGE).kind("it"), Definite, "below the lower one");
    assert_eq!(two_stacks(14 * PAGE).kind("it"), Reachable, "above the upper one's pointer");
}

/// In a signal handler, the stack pointer stands on another stack: what is below it there is anybody's, and what is on
/// the thread's own stack is alive.
#[test]
fn beside_an_alternate_stack_all_is_alive() {
    let on_alternate = |at: u64| {
        let image = Image::new().block("it", 24);
        let to = image.address("it");
        let image = (0..8).fold(image, |image, page| image.word_at(OWN_MAPPING + page * PAGE + 0x10, 1));
        let thread = Thread {
            stack_pointer: Some(Address(OWN_MAPPING + 6 * PAGE)),
            thread_pointer: Some(Address(OWN_MAPPING + 0x10_0000)),
            ..main_thread()
        };
        image
            .region(OWN_MAPPING, 8 * PAGE, "rw-p", Usage::AnonymousTiny)
            .word_at(at, to)
            .thread(thread)
            .build()
            .kind("it")
    };

    assert_eq!(on_alternate(OWN_MAPPING + 2 * PAGE), Reachable);
    assert_eq!(on_alternate(MAIN_STACK + 0x100), Reachable);
}

/// Of which no stack pointer is known, nothing is called dead.
#[test]
fn a_stack_whose_pointer_is_not_known_is_alive() {
    let image = Image::new().block("it", 24);
    let to = image.address("it");
    let process =
        image.word_at(MAIN_STACK + 8, to).thread(Thread { stack_pointer: None, ..main_thread() }).build();

    assert_eq!(process.kind("it"), Reachable);
}
