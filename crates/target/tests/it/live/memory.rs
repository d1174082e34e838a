//! The memory of running processes through the model's read interface.

use std::ops::ControlFlow;

use residue_model::{Address, Memory, Range};
use residue_target::ErrorKind;
use residue_target::live::linux::ProcessMemory;
use residue_testkit::{Program, Running};

use super::{pid, proc_dir};

fn memory(program: &Running) -> ProcessMemory {
    ProcessMemory::open(&proc_dir(), pid(program)).expect("we may read our children")
}

#[test]
fn a_page_that_cannot_be_read_is_left_out_and_those_beside_it_are_not() {
    let posed = Program::build("posed").spawn(&[]);
    let (memory, start) = (memory(&posed), posed.number("fenced"));
    let range = Range { start: Address(start), end: Address(start + 8 * 4096) };
    let mut shown = Vec::new();
    let _ = memory.walk(range, &mut Vec::new(), &mut |at, piece| {
        shown.push((at.0 - start, piece.len(), piece[0]));
        ControlFlow::Continue(())
    });
    assert_eq!(shown, [(0, 4 * 4096, b'a'), (5 * 4096, 3 * 4096, b'f')]);

    let mut into = [1; 16];
    assert_eq!(memory.read(Address(start + 4 * 4096 - 8), &mut into), 8);
    assert_eq!(&into[..8], b"aaaaaaaa");
    assert_eq!(memory.read(Address(start + 4 * 4096), &mut into), 0);
}

#[test]
fn large_ranges_come_in_windows_until_the_visitor_has_enough() {
    let pulse = Program::build("pulse").spawn(&["mib=5"]);
    let (memory, start) = (memory(&pulse), pulse.number("start"));
    let range = Range { start: Address(start), end: Address(start + (5 << 20)) };
    let (mut window, mut seen) = (Vec::new(), 0);
    let flow = memory.walk(range, &mut window, &mut |at, piece| {
        assert_eq!(at.0, start + seen);
        seen += piece.len() as u64;
        ControlFlow::Continue(())
    });
    assert_eq!((flow, seen), (ControlFlow::Continue(()), 5 << 20));
    assert!(window.len() <= 1 << 20);
    let mut pieces = 0;
    let flow = memory.walk(range, &mut window, &mut |_, _| {
        pieces += 1;
        ControlFlow::Break(())
    });
    assert_eq!((flow, pieces), (ControlFlow::Break(()), 1));
}

#[test]
fn a_process_that_has_ended_shows_nothing_and_cannot_be_opened() {
    let pulse = Program::build("pulse").spawn(&["mib=1"]);
    let (memory, start, who) = (memory(&pulse), pulse.number("start"), pid(&pulse));
    pulse.stop();
    assert_eq!(memory.read(Address(start), &mut [0; 8]), 0);
    let error = ProcessMemory::open(&proc_dir(), who).expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
