use residue_model::{Bytes, Counter};
use residue_target::procfs::rollup;

use crate::fixtures;

fn kib(name: &str, counter: Counter) -> Option<u64> {
    let sum = rollup::parse(&fixtures::read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    sum.get(counter).map(|size| size.0 / 1024)
}

#[test]
fn sums_of_real_programs_are_read_to_the_page() {
    for (program, rss, pss, uss) in [
        ("bash", 3304, 528, 292),
        ("chromium", 157_604, 79_427, 50_784),
        ("i386", 1444, 777, 392),
        ("layout", 31_852, 30_510, 30_452),
        ("python", 16_440, 14_220, 13_912),
        ("redis", 11_856, 7425, 4872),
    ] {
        let name = format!("rollup/linux-6.18-{program}");
        let sum = rollup::parse(&fixtures::read(&name)).expect("as the kernel wrote it");
        assert_eq!(sum.get(Counter::Rss), Some(Bytes::kib(rss)), "{program}");
        assert_eq!(sum.get(Counter::Pss), Some(Bytes::kib(pss)), "{program}");
        assert_eq!(sum.uss(), Some(Bytes::kib(uss)), "{program}");
    }
}

/// `Pss_Anon` and its kin came with Linux 5.9; `Pss_Dirty` with 6.0.
#[test]
fn the_first_kernel_with_a_rollup_has_no_parts_of_pss() {
    assert_eq!(kib("rollup/linux-4.14-constructed", Counter::Pss), Some(528));
    assert_eq!(kib("rollup/linux-4.14-constructed", Counter::PssAnon), None);
    assert_eq!(kib("rollup/linux-6.18-bash", Counter::PssAnon), Some(292));
}

#[test]
fn a_part_of_pss_that_nobody_knows_yet_is_not_pss() {
    assert_eq!(kib("rollup/future-constructed", Counter::Pss), Some(528));
    assert_eq!(kib("rollup/future-constructed", Counter::PssDirty), Some(292));
}

#[test]
fn a_field_without_its_number_is_named_by_its_line() {
    let fails = |name: &str| rollup::parse(&fixtures::read(name)).expect_err(name).to_string();
    assert_eq!(fails("rollup/damaged-number"), "line 3 of smaps_rollup: a field without its number");
    assert_eq!(fails("rollup/damaged-empty-value"), "line 2 of smaps_rollup: a field without its number");
}
