//! Debug information that says what it likes: looking at it ends, and costs about what it is large.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use residue_target::symbols::{ImageId, Named};

use super::{alone, objcopy};
use crate::dump::mutated::damage;
use crate::fixtures;

fn looked_at(path: &Path, addresses: &[u64]) -> Named {
    alone().name(&ImageId { path: path.into(), build_id: None }, addresses)
}

#[test]
fn the_fixtures_tell_what_was_inlined_where() {
    let folder = tempfile::tempdir().expect("there is room");
    for version in ["4", "5"] {
        let path = folder.path().join("lines.so");
        fs::write(&path, fixtures::read(&format!("symbols/lines-dwarf{version}.so"))).expect("there is room");
        let named = looked_at(&path, &[0x33b, 0x300, 0]);
        let shown = |index: usize| -> Vec<String> {
            let text = |place: &residue_model::recording::Place| {
                let (function, file) = (place.function.as_deref(), place.file.as_deref());
                format!(
                    "{} {}:{}",
                    function.unwrap_or("?"),
                    file.unwrap_or("?"),
                    place.line.unwrap_or_default()
                )
            };
            named.places[index].iter().map(text).collect()
        };
        assert_eq!(shown(0), ["node /src/lines.c:7", "push /src/lines.c:15", "fill /src/lines.c:33"]);
        assert_eq!(shown(1), ["sum /src/lines.c:25"]);
        assert_eq!(shown(2), [""; 0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn damaged_debug_information_is_looked_at_to_its_end(damages in damage(), version in 4..6) {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("lines.so");
        let mut bytes = fixtures::read(&format!("symbols/lines-dwarf{version}.so"));
        for damage in &damages {
            let reach = bytes.len();
            damage.happen(&mut bytes, reach);
        }
        fs::write(&path, &bytes).expect("there is room");
        let addresses: Vec<u64> = (0x2e0..0x380).collect();
        let named = looked_at(&path, &addresses);
        prop_assert_eq!(named.places.len(), addresses.len());
        prop_assert!(named.places.iter().all(|places| places.len() <= 256));
    }
}

/// Tables as a compiler writes them, but for what they say.
struct Made {
    abbreviations: Vec<u8>,
    info: Vec<u8>,
    ranges: Vec<u8>,
}

const ADDRESS: u64 = 0x5000;
const COMPILE_UNIT: u8 = 1;
const SUBPROGRAM: u8 = 2;
const INLINED: u8 = 3;
const WITH_RANGES: u8 = 4;

impl Made {
    /// A unit of DWARF 4 with code at [`ADDRESS`], and entries that are still to come.
    fn unit() -> Made {
        // Each: number, tag, whether it has children; pairs of an attribute and its form; an end.
        let (tag_unit, tag_function, tag_inlined) = (0x11, 0x2e, 0x1d);
        let (low_pc, high_pc, ranges) = (0x11, 0x12, 0x55);
        let (address, data, offset) = (0x01, 0x07, 0x17);
        let place = [low_pc, address, high_pc, data, 0, 0];
        let mut abbreviations = Vec::new();
        for (number, tag) in [(COMPILE_UNIT, tag_unit), (SUBPROGRAM, tag_function), (INLINED, tag_inlined)] {
            abbreviations.extend([&[number, tag, 1][..], &place].concat());
        }
        abbreviations.extend([WITH_RANGES, tag_function, 0, ranges, offset, 0, 0, 0]);
        let mut made = Made { abbreviations, info: vec![0; 4], ranges: Vec::new() };
        made.info.extend([4, 0, 0, 0, 0, 0, 8]);
        made.entry(COMPILE_UNIT);
        made
    }

    fn entry(&mut self, number: u8) {
        self.info.push(number);
        self.info.extend(ADDRESS.to_le_bytes());
        self.info.extend(16_u64.to_le_bytes());
    }

    fn looked_at(mut self) -> Named {
        let size = u32::try_from(self.info.len() - 4).expect("it is short");
        self.info[..4].copy_from_slice(&size.to_le_bytes());
        let folder = tempfile::tempdir().expect("there is room");
        let inside = |name: &str| folder.path().join(name);
        fs::write(inside("plain"), fixtures::read("symbols/shapes.so")).expect("there is room");
        let tables = [("abbrev", self.abbreviations), ("info", self.info), ("ranges", self.ranges)];
        let mut options = Vec::new();
        for (name, bytes) in &tables {
            fs::write(inside(name), bytes).expect("there is room");
            options.push(format!("--add-section=.debug_{name}={}", inside(name).display()));
        }
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        objcopy(&options, &inside("plain"), &inside("made"));
        looked_at(&inside("made"), &[ADDRESS + 1, ADDRESS + 100])
    }
}

#[test]
fn functions_nest_without_end_and_the_stack_holds() {
    let mut made = Made::unit();
    made.entry(SUBPROGRAM);
    for _ in 0..200_000 {
        made.entry(INLINED);
    }
    let named = made.looked_at();
    assert_eq!(named.places.iter().map(Vec::len).collect::<Vec<_>>(), [256, 0]);
}

/// A list of so many ranges that is read once for each of as many functions would take long.
#[test]
fn a_table_is_not_read_over_and_over() {
    const MANY: usize = 20_000;
    let mut made = Made::unit();
    for _ in 0..MANY {
        made.info.extend([WITH_RANGES, 0, 0, 0, 0]);
        made.ranges.extend([1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat());
    }
    made.ranges.extend([0; 16]);
    let named = made.looked_at();
    let whys: Vec<&str> = named.gaps.iter().map(|gap| gap.why.as_str()).collect();
    assert!(whys.contains(&"its debug information asks for far more work than any compiler's"), "{whys:?}");
}
