//! `stat`: whatever a process calls itself, the numbers after its name are read, and the name is safe to print.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::is_printable;
use residue_target::procfs::stat;

const AFTER: &[u8] = b" S 1 812 812 0 -1 4194560 1523 11 7 2 5 6 0 0 20 0 9 0 424242 10485760 512 0 0\n";

fuzz_target!(|text: &[u8]| {
    if let Ok(stat) = stat::parse(text) {
        assert!(is_printable(&stat.name));
    }
    // `text` as the name of a process: no name may pose as other numbers.
    let line = [b"812 (", text, b")", AFTER].concat();
    let stat = stat::parse(&line).expect("any name will do");
    assert!(is_printable(&stat.name));
    assert_eq!((stat.parent, stat.minflt, stat.majflt, stat.threads), (1, 1523, 7, 9));
    assert_eq!((stat.start_ticks, stat.rss_pages), (424_242, 512));
});
