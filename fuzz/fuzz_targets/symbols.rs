//! A program from a stranger, loaded whole into memory: its symbols, lines and stack are read, and what is shown of them is
//! printable and short.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{Bounded, symbols};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|bytes: &[u8]| {
    symbols::check(bytes);
});
