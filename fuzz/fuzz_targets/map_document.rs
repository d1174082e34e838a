//! A saved map from a stranger: it is read or refused, and compares equal with itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_analysis::Diff;
use residue_fuzz::{Bounded, Drip};
use residue_report::json::read_map;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|text: &[u8]| {
    let Ok(regions) = read_map(text) else { return };
    assert_eq!(read_map(Drip::of(text)).expect("it was read before"), regions);
    let same = Diff::of(&regions, &regions);
    assert!(same.by_usage.is_empty(), "{:?}", same.by_usage);
    assert!(Diff::of(&regions, &[]).regions.iter().all(|gone| gone.size <= 0), "what went has grown");
    assert!(Diff::of(&[], &regions).regions.iter().all(|new| new.size >= 0), "what came has shrunk");
});
