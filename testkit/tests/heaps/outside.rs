use std::fs;
use std::os::unix::fs::FileExt;

use residue_testkit::{Libc, Program};

use crate::{Block, holder};

/// An address that the program forgot on a stack or in its data would hold the block: here, with the real heap, no
/// other tool has looked.
#[test]
fn nothing_outside_the_heap_points_at_what_is_lost() {
    for libc in Libc::UNPACKED {
        for name in ["leakkinds.c", "leakkinds.cpp", "leakkinds.rs"] {
            if libc == Libc::Debian11 && name != "leakkinds.c" {
                continue; // libraries of these languages need a newer one
            }
            assert_only_what_is_held_is_pointed_at(&Program::build(name).libc(libc));
        }
    }
    assert_only_what_is_held_is_pointed_at(&Program::build("leakkinds").flag("-static"));
}

fn assert_only_what_is_held_is_pointed_at(program: &Program) {
    let running = program.spawn(&[]);
    let blocks = Block::all(running.facts());

    let pointed_at = pointed_at(running.pid(), &blocks);

    let lost = pointed_at.iter().find(|block| block.is_lost());
    assert!(lost.is_none(), "{program:?}: {lost:?}");
    assert!(pointed_at.iter().any(|block| block.kind == "reachable"), "{program:?}");
}

/// With a library of its own in each namespace, and stopped on a stack that is not the thread's.
#[test]
fn nothing_outside_points_at_what_is_lost_in_odd_places() {
    for libc in Libc::UNPACKED {
        for (name, argument) in
            [("dlmopen", holder().as_str()), ("altstack", "stack=mmap"), ("altstack", "thread=1")]
        {
            let program = Program::build(name).libc(libc).spawn(&[argument]);
            let blocks = Block::all(program.facts());
            let lost: Vec<_> =
                pointed_at(program.pid(), &blocks).into_iter().filter(|block| block.is_lost()).collect();
            assert!(lost.is_empty(), "{libc:?} {name}: {lost:?}");
        }
    }
}

/// The blocks into which an aligned word outside the heaps points.
fn pointed_at(pid: u32, blocks: &[Block]) -> Vec<&Block> {
    let first = blocks.iter().map(|block| block.address).min().unwrap_or_default();
    let end = blocks.iter().map(|block| block.address + block.size).max().unwrap_or_default();
    // Mappings of large blocks are one with the stacks beside them, so only the small ones show a heap.
    let is_heap =
        |start, end| blocks.iter().any(|block| block.size < 0x20000 && (start..end).contains(&block.address));
    let mut found = Vec::new();
    for (low, high) in writable(pid).into_iter().filter(|&(low, high)| !is_heap(low, high)) {
        for (place, word) in words(pid, low, high).filter(|(_, word)| (first..end).contains(word)) {
            if !blocks.iter().any(|block| block.covers(place)) {
                found.extend(blocks.iter().filter(|block| block.covers(word)));
            }
        }
    }
    found
}

fn writable(pid: u32) -> Vec<(u64, u64)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the program runs");
    let number = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
    let regions = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        rest.starts_with("rw").then(|| (number(start), number(end)))
    });
    regions.collect()
}

/// The aligned words of a region that can be read: a newer C library has its guards in the middle of stacks.
fn words(pid: u32, start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
    const PAGE: usize = 4096;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("the program runs");
    (start..end).step_by(PAGE).flat_map(move |page| {
        let mut bytes = [0; PAGE];
        let read = memory.read_exact_at(&mut bytes, page).is_ok();
        let words = if read { bytes.chunks_exact(8) } else { [].chunks_exact(8) };
        let words = words.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")));
        (page..).step_by(8).zip(words.collect::<Vec<_>>())
    })
}
