//! Names in a program of a stranger: the bytes say what they like, and looking at them ends.

use proptest::prelude::*;
use residue_model::{Address, Machine, Os, Pieces, Range, Region, Snapshot};
use residue_target::symbols::{Modules, SymbolKind};

use crate::dump::mutated::damage;
use crate::fixtures;

const START: u64 = 0x7fff_0000;

/// The program as the kernel's own is: all of it stands in memory.
fn snapshot(bytes: &[u8]) -> Snapshot {
    let end = START + bytes.len().next_multiple_of(4096) as u64;
    let range = Range { start: Address(START), end: Address(end) };
    let region = Region { range, name: Some("[vdso]".into()), ..Region::default() };
    Snapshot { regions: vec![region], ..Snapshot::default() }
}

/// What a compiler for C++ made, with the addresses that `nm` tells.
#[test]
fn symbols_are_found_where_nm_shows_them() {
    let bytes = fixtures::read("symbols/shapes.so");
    let modules = Modules::of(&snapshot(&bytes), &Pieces(vec![(Address(START), &bytes)]));
    let shown = |at: u64| modules.symbol_at(Address(START + at)).expect("it is inside").to_string();
    assert_eq!(shown(0x470), "Square::area() const in [vdso]");
    assert_eq!(shown(0x488), "parse+0x2 in [vdso]");
    assert_eq!(shown(0x4c0), "Square::~Square() in [vdso]");
    assert_eq!(shown(0x1ea0), "vtable for Square+0x10 in [vdso]");
    let vtable = modules.find("", "_ZTV6Square");
    let vtable = modules.symbol_at(vtable[0]).expect("it is inside");
    assert_eq!((vtable.class(), vtable.kind), (Some("Square"), SymbolKind::Object));
    assert_eq!(modules.find("", "no_such_name"), []);
    assert_eq!(modules.symbol_at(Address(START - 1)), None);
}

#[test]
fn a_target_of_another_system_has_no_such_modules() {
    let bytes = fixtures::read("symbols/shapes.so");
    let windows = Snapshot { machine: Machine { os: Os::Windows, ..Machine::default() }, ..snapshot(&bytes) };
    assert_eq!(Modules::of(&windows, &Pieces(vec![(Address(START), &bytes)])).list().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_program_is_looked_at_to_its_end(damages in damage()) {
        let mut bytes = fixtures::read("symbols/shapes.so");
        for damage in &damages {
            let reach = bytes.len();
            damage.happen(&mut bytes, reach);
        }
        let memory = Pieces(vec![(Address(START), &bytes)]);
        let modules = Modules::of(&snapshot(&bytes), &memory);
        for at in (0..bytes.len() as u64).step_by(97) {
            let address = Address(START + at);
            if let Some(symbol) = modules.symbol_at(address) {
                prop_assert_eq!(symbol.start.0.wrapping_add(symbol.offset.0), address.0);
            }
            let mut registers = [START + 16; 27];
            registers[16] = address.0;
            prop_assert!(modules.frames(&registers, &memory).len() <= 4096);
        }
    }
}
