//! Loses blocks in the ways of Rust, and tells of each place what `ways.c` tells.

use std::collections::VecDeque;
use std::hint::black_box;
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

struct Site {
    function: &'static str,
    line: u32,
    blocks: usize,
    bytes: usize,
}

static SITES: Mutex<Vec<Site>> = Mutex::new(Vec::new());

/// Loses what `$make` gives, `$count` times; it owns one block of so many bytes.
macro_rules! lose {
    ($function:literal, $count:expr, $bytes:expr, $make:expr) => {{
        for _ in 0..$count {
            mem::forget(black_box($make));
        }
        let site = Site { function: $function, line: line!(), blocks: $count, bytes: $count * $bytes };
        SITES.lock().expect("nobody panics with it").push(site);
    }};
}

#[inline(never)]
fn lose_box() {
    lose!("lose_box", 10, 88, Box::new([7_u64; 11]));
}

#[inline(never)]
fn lose_vec() {
    lose!("lose_vec", 9, 400, vec![7_u32; 100]);
}

#[inline(never)]
fn lose_zeroed() {
    lose!("lose_zeroed", 8, 4096, vec![0_u8; black_box(4096)]);
}

#[inline(never)]
fn lose_string() {
    lose!("lose_string", 7, 17, "a text of its own".to_owned());
}

#[inline(never)]
fn lose_collected() {
    lose!("lose_collected", 6, 240, (0..30_u64).map(black_box).collect::<Vec<u64>>());
}

#[inline(never)]
fn lose_rc() {
    lose!("lose_rc", 5, 2 * 8 + 48, Rc::new([7_u64; 6]));
}

#[inline(never)]
fn lose_queue() {
    lose!("lose_queue", 4, 20 * 8, VecDeque::<u64>::with_capacity(black_box(20)));
}

#[inline(never)]
fn lose_aligned() {
    #[repr(align(64))]
    struct Aligned(#[allow(dead_code, reason = "it fills the block")] [u64; 16]);
    lose!("lose_aligned", 3, 128, Box::new(Aligned([7; 16])));
}

struct Owner;

trait Loses {
    fn lose_behind_a_table(&self);
}

impl Loses for Owner {
    #[inline(never)]
    fn lose_behind_a_table(&self) {
        lose!("lose_behind_a_table", 2, 2 * 8 + 72, Arc::new([7_u64; 9]));
    }
}

/// What a thread lost outlives it.
#[inline(never)]
fn lose_in_thread() {
    lose!("lose_in_thread", 2, 56, Box::new([7_u64; 7]));
}

fn main() {
    lose_box();
    lose_vec();
    lose_zeroed();
    lose_string();
    lose_collected();
    lose_rc();
    lose_queue();
    lose_aligned();
    black_box(&Owner as &dyn Loses).lose_behind_a_table();
    thread::spawn(lose_in_thread).join().expect("it does not panic");
    let mut line = "done".to_owned();
    for Site { function, line: at, blocks, bytes } in SITES.lock().expect("nobody panics with it").iter() {
        line += &format!(" {function}_line={at} {function}_allocations={blocks}");
        line += &format!(" {function}_blocks={blocks} {function}_bytes={bytes}");
    }
    println!("{line}");
}
