//! A recording of `residue selfcheck` from a stranger: it is refused, or it is concluded and holds together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{Bounded, dump};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(br#"{"schema":"residue.selfcheck/1""#) {
        dump::check(bytes);
    }
});
