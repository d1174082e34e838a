//! Which part of a stack is dead: what returned functions left there keeps blocks alive that nobody can use any more.

use residue_model::{Address, Range, Region, Thread, Usage};

/// Below its stack pointer, a function that calls none may use this much. Source: System V ABI of x86-64.
const RED_ZONE: u64 = 128;

const PAGE: u64 = 0x1000;

/// Memory below stack pointers, as far down as it looks like the same stack.
///
/// From glibc 2.42 on, neighbouring stacks stand in one region, with a guard between that no list shows. So a dead part
/// ends at the first page that holds nothing, and at the control block of the next thread.
pub(super) fn dead(regions: &[Region], threads: &[Thread], is_zero: &dyn Fn(Range) -> bool) -> Vec<Range> {
    threads.iter().filter_map(|thread| below(regions, threads, thread, is_zero)).collect()
}

fn below(
    regions: &[Region],
    threads: &[Thread],
    thread: &Thread,
    is_zero: &dyn Fn(Range) -> bool,
) -> Option<Range> {
    let pointer = thread.stack_pointer?;
    let region = &regions[Region::find(regions, pointer)?];
    // A thread in a signal handler may stand on a stack of another kind: beside it stand things that are no stack.
    let is_own = match thread.thread_pointer {
        Some(block) => region.range.contains(block) && block > pointer || region.usage == Usage::MainStack,
        None => region.usage == Usage::MainStack,
    };
    if !is_own {
        return None;
    }
    let end = pointer.0.checked_sub(RED_ZONE)?;
    let blocks = threads.iter().filter_map(|other| other.thread_pointer).map(|block| block.0);
    let floor = blocks
        .filter(|&block| block < pointer.0 && block >= region.range.start.0)
        .map(|block| (block / PAGE + 1) * PAGE)
        .fold(region.range.start.0, u64::max);
    let mut start = end / PAGE * PAGE;
    while start >= floor + PAGE {
        let page = Range { start: Address(start - PAGE), end: Address(start) };
        if is_zero(page) {
            break;
        }
        start -= PAGE;
    }
    Range::new(Address(start.max(floor)), Address(end)).filter(|range| range.start < range.end)
}
