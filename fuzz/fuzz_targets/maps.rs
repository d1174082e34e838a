//! `maps`: any bytes give regions or an error; `smaps` without fields gives the same regions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{Drip, is_printable, lines};
use residue_target::procfs::{maps, smaps};

fuzz_target!(|text: &[u8]| {
    let mut regions = Vec::new();
    let read = maps::read(text, &mut regions);
    let newlines = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
    assert_eq!(maps::count(Drip::of(text)).expect("memory does not fail"), newlines);
    let mut again = Vec::new();
    assert_eq!(maps::read(Drip::of(text), &mut again).is_ok(), read.is_ok());
    assert_eq!(again, regions);
    let Ok(()) = read else { return };
    let lines = lines(text);
    assert_eq!(regions.len(), lines.len());
    for region in &regions {
        assert!(region.range.start <= region.range.end);
        assert!(is_printable(region.name()));
        assert!(region.counters.is_empty() && region.flags.is_none());
    }
    // An address in capitals would be a field there; the kernel prints none.
    if !lines.iter().any(|line| line.first().is_some_and(u8::is_ascii_uppercase)) {
        let unknown = smaps::read(text, &mut again).expect("what is maps is smaps without fields");
        assert_eq!((again, unknown), (regions, Vec::new()));
    }
});
