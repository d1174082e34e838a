//! `smaps`: the order of fields that is learned on the way changes nothing of what is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_fuzz::{Bounded, Drip, counters, is_printable, known, lines};
use residue_target::procfs::{maps, smaps};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(|text: &[u8]| {
    let mut regions = Vec::new();
    let read = smaps::read(text, &mut regions);
    let mut visited = 0;
    let walked = smaps::visit(Drip::of(text), |_| visited += 1);
    assert_eq!(read.is_ok(), walked.is_ok());
    let Ok(unknown) = read else { return };
    assert_eq!(visited, regions.len());
    assert!(unknown.len() <= 64 && unknown.iter().all(|key| is_printable(key)));

    let lines = lines(text);
    let is_header = |line: &&[u8]| !line.first().is_some_and(u8::is_ascii_uppercase);
    let headers: Vec<usize> = (0..lines.len()).filter(|&index| is_header(&lines[index])).collect();
    assert_eq!(regions.len(), headers.len());
    for (place, region) in regions.iter().enumerate() {
        let end = headers.get(place + 1).copied().unwrap_or(lines.len());
        let fields = lines[headers[place] + 1..end].iter().copied();
        let plain = counters(fields).expect("it was read");
        assert_eq!(known(&region.counters), known(&plain), "region {place}");
        let (header, _) = maps::parse(lines[headers[place]]).expect("it was read");
        assert_eq!(header.range, region.range);
        assert!(is_printable(region.name()) && region.flags.as_deref().is_none_or(is_printable));
    }
});
