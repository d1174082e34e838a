use residue_model::{Bytes, ProcessState};
use residue_target::procfs::stat;

use crate::fixtures;

fn read(name: &str) -> stat::Stat {
    stat::parse(&fixtures::read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_real_program_is_read_to_the_tick() {
    let python = read("stat/linux-6.18-python");
    assert_eq!((python.name.as_str(), python.state, python.parent), ("python3", ProcessState::Alive, 19_364));
    assert_eq!((python.minflt, python.majflt, python.threads), (1865, 0, 4));
    assert_eq!((python.start_ticks, python.vss, python.rss_pages), (483_612, Bytes(251_686_912), 4076));
    // The faults of its children stand beside its own.
    let bash = read("stat/linux-6.18-bash");
    assert_eq!((bash.minflt, bash.majflt), (170, 0));
}

#[test]
fn what_has_no_memory_is_told_from_what_has() {
    assert_eq!(read("stat/linux-6.18-zombie").state, ProcessState::Zombie);
    assert_eq!(read("stat/linux-6.18-kernel-thread").state, ProcessState::Kernel);
    assert_eq!(read("stat/linux-6.18-chromium").state, ProcessState::Alive);
}

/// The process called itself `a) R 1 (`, a line end, an escape and a byte that is not UTF-8.
#[test]
fn a_name_made_to_pose_as_numbers_does_not() {
    let odd = read("stat/linux-6.18-odd-name");
    assert_eq!(odd.name, r"a) R 1 (\x0a\x1b\xff");
    assert_eq!((odd.parent, odd.minflt, odd.start_ticks), (21_148, 267, 494_620));
}

#[test]
fn a_line_with_fewer_fields_is_enough_when_it_reaches_the_resident_set() {
    let old = read("stat/linux-2.6-constructed");
    assert_eq!((old.name.as_str(), old.threads, old.rss_pages), ("init", 9, 512));
}

#[test]
fn what_is_cut_or_mixed_up_is_an_error() {
    for name in ["stat/damaged-cut", "stat/damaged-parentheses"] {
        let error = stat::parse(&fixtures::read(name)).expect_err(name);
        assert_eq!(error.to_string(), "line 1 of stat: not `pid (name) state …`");
    }
}
