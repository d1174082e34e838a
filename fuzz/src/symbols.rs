//! What holds of the symbols of every program, whatever its bytes.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use residue_model::{Address, Pieces, Range, Region, Snapshot};
use residue_target::symbols::{ImageId, Lookup, Modules, demangle};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::is_printable;

const START: u64 = 0x7fff_0000;

/// Takes bytes as the program that the kernel puts into every process, and asks for names and frames all over it.
pub fn check(bytes: &[u8]) {
    assert!(is_printable(&demangle(bytes)));
    check_lines(bytes);
    let end = START + bytes.len().next_multiple_of(4096) as u64;
    let region = Region {
        range: Range { start: Address(START), end: Address(end) },
        name: Some("[vdso]".into()),
        ..Region::default()
    };
    let snapshot = Snapshot { regions: vec![region], ..Snapshot::default() };
    let memory = Pieces(vec![(Address(START), bytes)]);
    let modules = Modules::of(&snapshot, &memory);
    let step = (bytes.len() / 64).max(1);
    for at in (0..bytes.len()).step_by(step) {
        let address = Address(START + at as u64);
        if let Some(symbol) = modules.symbol_at(address) {
            let text = symbol.to_string();
            assert!(is_printable(&text) && text.len() < 1 << 16);
            assert_eq!(Address(symbol.start.0.wrapping_add(symbol.offset.0)), address);
        }
        let mut registers = [START + 16; 27];
        registers[16] = address.0;
        let frames = modules.frames(&registers, &memory);
        assert!(frames.len() <= 4096);
        assert!(frames.iter().all(|frame| frame.stack.start <= frame.stack.end));
    }
}

/// Takes bytes as a file with debug information, and asks for the lines and functions all over the first pages.
fn check_lines(bytes: &[u8]) {
    let mut file = File::from(memfd_create("program", MemfdFlags::CLOEXEC).expect("there is room for a file"));
    file.write_all(bytes).expect("there is room for a file");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    let addresses: Vec<u64> = (0..0x2000).step_by(5).collect();
    let how = Lookup { debug_directories: Vec::new(), ..Lookup::default() };
    let named = how.name(&ImageId { path, build_id: None }, &addresses);
    assert_eq!(named.places.len(), addresses.len());
    for place in named.places.iter().flatten() {
        let texts = [&place.function, &place.file].into_iter().flatten();
        assert!(texts.into_iter().all(|text| is_printable(text) && text.len() < 1 << 16));
        assert!(place.line != Some(0));
    }
    assert!(named.gaps.iter().all(|gap| is_printable(&gap.what) && is_printable(&gap.why)));
}
