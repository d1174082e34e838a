//! Memory from a stranger: walkers find heaps in it or none, end, and hold little memory; what they call blocks is in order,
//! and each is held or lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{Bounded, heaps};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|bytes: &[u8]| {
    heaps::check(bytes);
});
