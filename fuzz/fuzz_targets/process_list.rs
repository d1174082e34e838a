//! The list of processes as Windows fills it in, by programs of 64 and of 32 bits: it ends, and names are safe to print.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::is_printable;
use residue_target::windows::process_list;

fuzz_target!(|list: &[u8]| {
    for pointer_bytes in [4, 8] {
        for base in [0, 0x7000_0000] {
            let processes = process_list(list, base, pointer_bytes);
            // An entry has 184 bytes at least.
            assert!(processes.len() <= list.len() / 184 + 1);
            assert!(processes.iter().all(|process| is_printable(&process.name)));
        }
    }
});
