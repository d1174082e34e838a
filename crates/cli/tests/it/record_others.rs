//! Other C libraries, other allocators, and programs that nobody can record: which is said before they start.

use residue_testkit::{Libc, Program};

use crate::harness::folder::Folder;
use crate::harness::recorded::Case;
use crate::harness::{number, residue};

#[test]
fn every_c_library_is_recorded() {
    for libc in Libc::UNPACKED {
        for (program, arguments) in [
            ("ways.c", &[][..]),
            ("contexts", &["threads=2"]),
            ("swarm", &["case=brief", "threads=200"]),
            ("processes", &["case=fork"]),
            ("signals", &["case=altstack"]),
            ("deep", &[]),
        ] {
            Case::of(&Program::build(program).libc(libc), arguments).faithful().assert_told();
        }
    }
}

const JEMALLOC: &str = "libjemalloc.so.2";

#[test]
fn another_allocator_is_recorded_where_it_is_preloaded() {
    for program in ["ways.c", "ways.cpp", "ways.rs", "contexts"] {
        Case::of(&Program::build(program), &[]).env("LD_PRELOAD", JEMALLOC).faithful().assert_told();
    }
}

#[test]
fn another_allocator_is_recorded_where_it_is_linked() {
    for program in ["ways.cpp", "jumps"] {
        let program = Program::build(program).flag("-Wl,--no-as-needed").flag("-ljemalloc");
        Case::of(&program, &[]).faithful().assert_told();
    }
}

/// There is nobody who would load a recorder: it is not started, and not called free of leaks.
#[test]
fn a_static_program_is_not_started() {
    let folder = Folder::new();
    let program =
        Program::build("endings").flag("-static").path().expect("it compiles").display().to_string();
    let ran = residue(&["record", "-o", &folder.file("recording"), "--", &program]).ended(3);
    ran.says(&["static", "residue leaks"]);
    assert!(ran.out.is_empty(), "it ran");
}

#[test]
fn a_program_for_another_machine_is_not_started() {
    let folder = Folder::new();
    let program = Program::build("endings").bits32().path().expect("it compiles").display().to_string();
    let ran = residue(&["record", "-o", &folder.file("recording"), "--", &program]).ended(3);
    ran.says(&["32-bit"]);
    assert!(ran.out.is_empty(), "it ran");
}

#[test]
fn a_program_that_is_not_there_is_said() {
    let folder = Folder::new();
    let ran = residue(&["record", "-o", &folder.file("recording"), "--", "/no/such/program"]).ended(3);
    ran.says(&["/no/such/program"]);
}

// --- by samples ----------------------------------------------------------------------------------------------------

/// Some ten thousand samples of two hundred megabytes: what is estimated is within a tenth.
#[test]
fn samples_tell_how_much_was_allocated() {
    let churn = Program::build("churn").flag("-O2").flag("-fomit-frame-pointer");
    let arguments = ["operations=1000000", "leak=10"];
    let exact = Case::of(&churn, &arguments).recorded().report();
    let sampled = Case::of(&churn, &arguments).options(&["--sample", "32K"]).recorded().report();
    for key in ["allocated_bytes", "live_bytes"] {
        let (exact, sampled) = (number(&exact["totals"], key) as f64, number(&sampled["totals"], key) as f64);
        assert!((sampled / exact - 1.0).abs() < 0.25, "{key}: {sampled} of {exact}");
    }
}
