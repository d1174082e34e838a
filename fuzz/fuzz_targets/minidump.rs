//! A minidump from a stranger: it opens or is refused, holds little memory, and what it shows holds together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{Bounded, dump};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"MDMP") || bytes.starts_with(b"PMDM") {
        dump::check(bytes);
    }
});
