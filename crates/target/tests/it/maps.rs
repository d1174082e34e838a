use residue_model::{Address, AddressSpace, Bytes, Region};
use residue_target::procfs::maps;

use crate::fixtures;

fn regions(name: &str) -> Vec<Region> {
    let mut regions = Vec::new();
    maps::read(fixtures::read(name).as_slice(), &mut regions)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    regions
}

fn named<'a>(regions: &'a [Region], name: &str) -> &'a Region {
    regions
        .iter()
        .find(|region| region.name() == name)
        .unwrap_or_else(|| panic!("no region is called {name}"))
}

fn fails(name: &str) -> String {
    maps::read(fixtures::read(name).as_slice(), &mut Vec::new()).expect_err(name).to_string()
}

#[test]
fn every_region_of_every_program_is_there() {
    let counts = ["bash", "chromium", "i386", "layout", "python", "redis"]
        .map(|program| regions(&format!("maps/linux-6.18-{program}")).len());
    assert_eq!(counts, [43, 23, 25, 52, 16, 11]);
}

#[test]
fn counting_agrees_with_reading() {
    for name in fixtures::names("maps", |name| name.starts_with("linux-")) {
        let count = maps::count(fixtures::read(&name).as_slice()).expect("memory does not fail");
        assert_eq!(count, regions(&name).len() as u64, "{name}");
    }
}

#[test]
fn what_the_kernel_appends_to_a_path_is_not_part_of_it() {
    let regions = regions("maps/linux-6.18-layout");

    let sysv = named(&regions, "/SYSV5e504bd5");
    assert_eq!((sysv.deleted, sysv.inode, sysv.size()), (true, 32_777, Bytes::mib(1)));
    let memfd = named(&regions, "/memfd:residue layout");
    assert_eq!((memfd.deleted, memfd.device, memfd.protection.shared), (true, (0, 1), true));
    assert!(named(&regions, "/tmp/residue-layout-sjdlt2/gone").deleted);
    assert!(!named(&regions, "/dev/shm/residue-layout-19413").deleted);
}

/// The kernel escapes the end of a line, and nothing else: the byte that is not UTF-8 arrives as it is.
#[test]
fn a_path_with_a_space_a_line_end_and_no_utf8_is_one_printable_name() {
    let regions = regions("maps/linux-6.18-layout");

    let odd = named(&regions, r"/tmp/residue-layout-sjdlt2/a b\012c\xff.dat");

    assert_eq!(
        (odd.range.start, odd.size(), odd.inode),
        (Address(0x7fe0_acff_b000), Bytes(12_288), 10_297_656)
    );
}

#[test]
fn memory_that_the_kernel_made_has_its_name() {
    let regions = regions("maps/linux-6.18-bash");
    for (name, letters, size) in [
        ("[vvar]", "r--p", 16),
        ("[vvar_vclock]", "r--p", 8),
        ("[vdso]", "r-xp", 8),
        ("[stack]", "rw-p", 132),
    ] {
        let region = named(&regions, name);
        assert_eq!((region.protection.to_string().as_str(), region.size()), (letters, Bytes::kib(size)));
    }
}

/// Its address has sixteen digits: one more column than all others, so one space less before the name.
#[test]
fn the_page_in_the_kernels_half_is_read_whole() {
    let vsyscall = regions("maps/linux-6.18-bash").pop().expect("it is the last");
    assert_eq!(vsyscall.range.start, Address(0xffff_ffff_ff60_0000));
    assert_eq!((vsyscall.name(), vsyscall.protection.to_string().as_str()), ("[vsyscall]", "--xp"));
}

#[test]
fn a_reservation_of_four_gigabytes_begins_below_a_short_address() {
    let cage = &regions("maps/linux-6.18-chromium")[0];
    assert_eq!((cage.range.start, cage.size()), (Address(0x1_0000), Bytes(0x1_000f_0000)));
    assert!(cage.protection.is_none() && cage.is_private_anonymous());
}

#[test]
fn a_32_bit_program_shows_by_where_it_stands() {
    let narrow = AddressSpace::of(&regions("maps/linux-6.18-i386"), Address(0x1_0000));
    assert_eq!((narrow.bits, narrow.range.end), (32, Address(0xffff_e000)));
    let wide = AddressSpace::of(&regions("maps/linux-6.18-bash"), Address(0x1_0000));
    assert_eq!((wide.bits, wide.range.end), (64, Address(0x7fff_ffff_f000)));
}

/// The vsyscall page stands above all, so order shows in its neighbours.
#[test]
fn regions_come_in_order_and_never_overlap() {
    for name in fixtures::names("maps", |name| name.starts_with("linux-")) {
        for pair in regions(&name).windows(2) {
            assert!(pair[0].range.end <= pair[1].range.start, "{name}: {:?}", pair[1].range);
        }
    }
}

#[test]
fn a_line_without_padding_and_without_end_is_a_region_without_name() {
    let regions = regions("maps/damaged-no-name-no-end");
    assert_eq!((regions.len(), regions[0].name.as_deref(), regions[0].size()), (1, None, Bytes::kib(64)));
}

#[test]
fn bytes_that_move_the_cursor_stand_as_their_numbers() {
    assert_eq!(regions("maps/damaged-nul")[0].name(), r"/a\x00b\x1b[2J\xff\x0d");
}

#[test]
fn what_is_no_region_is_named_by_its_line() {
    assert_eq!(fails("maps/damaged-backwards"), "line 1 of maps: not a region");
    assert_eq!(fails("maps/damaged-cut"), "line 2 of maps: not a region");
    assert_eq!(fails("maps/damaged-letters"), "line 1 of maps: not a region");
    assert_eq!(fails("maps/damaged-wide"), "line 1 of maps: not a region");
}

/// A process that ends between the opening of its list and its reading gives no line at all.
#[test]
fn nothing_is_no_region_and_no_error() {
    let mut regions = vec![Region::default()];
    maps::read(&b""[..], &mut regions).expect("an empty list");
    assert_eq!(regions, []);
}
