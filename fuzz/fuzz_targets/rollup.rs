//! `smaps_rollup`: every known key with its number, nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{counters, lines};
use residue_target::procfs::rollup;

fuzz_target!(|text: &[u8]| {
    let plain = counters(lines(text).into_iter().skip(1));
    assert_eq!(rollup::parse(text).ok(), plain);
});
