use residue_testkit::{Libc, Program};

/// Each library is another one, or a test that runs on all of them proves no more than on one.
#[test]
fn a_program_runs_with_the_c_library_of_each_release() {
    let mut seen = Vec::new();
    for libc in [Libc::Debian12, Libc::Debian13, Libc::Sid] {
        let program = Program::build("heapgen").libc(libc).spawn(&["mb=4", "leaks=100", "threads=2"]);

        let counts = ["direct", "indirect", "rings", "ring_blocks", "lost", "hblks"];
        // The twenty large blocks, the table, and what each thread keeps its blocks in.
        assert_eq!(counts.map(|name| program.number(name)), [100, 200, 10, 20, 320, 23], "{libc:?}");
        assert!(program.number("live_bytes") < program.number("uordblks") + program.number("hblkhd"));
        seen.push(program.fact("libc").to_owned());
    }
    assert_eq!(&seen[..2], ["2.36", "2.41"]);
    assert!(seen[2].as_str() >= "2.43", "{seen:?}");
}
