use std::fs;
use std::os::unix::fs::FileExt;
use std::thread::sleep;
use std::time::Duration;

use residue_testkit::{Libc, Program};

use crate::Block;

/// Under each library the blocks are as large as they were asked to be: by its size a test finds a block.
#[test]
fn leakkinds_are_told_alike_with_each_c_library() {
    let told = |program: Program| {
        let running = program.spawn(&[]);
        let blocks = Block::all(running.facts()).into_iter().filter(|block| block.size < 5000);
        blocks.map(|block| (block.name, block.size)).collect::<Vec<_>>()
    };
    let here = told(Program::build("leakkinds.c"));

    assert!(here.len() > 40);
    for libc in Libc::UNPACKED {
        assert_eq!(told(Program::build("leakkinds.c").libc(libc)), here, "{libc:?}");
    }
}

/// The version is the library's own word: it came with the program, not with the system.
#[test]
fn a_static_program_has_the_c_library_of_its_release() {
    let version = |libc| {
        let program = Program::build("heapfuzz").flag("-static").libc(libc).spawn(&["steps=1000"]);
        program.fact("libc").to_owned()
    };

    assert_eq!(version(Libc::Debian12), "2.36");
    assert_eq!(version(Libc::Debian13), "2.41");
    assert!(version(Libc::Sid).as_str() >= "2.43");
}

#[test]
fn threads_in_malloc_never_rest() {
    let mut program = Program::build("midmalloc").spawn(&["threads=3", "large=1"]);

    let first = program.ask("beats").number("beats");
    sleep(Duration::from_millis(100));
    let second = program.ask("beats").number("beats");

    assert!(second > first, "{first} {second}");
}

fn word(pid: u32, address: u64) -> u64 {
    let mut bytes = [0; 8];
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("the program runs");
    memory.read_exact_at(&mut bytes, address).expect("mapped memory");
    u64::from_le_bytes(bytes)
}

#[test]
fn a_damaged_heap_is_damaged_where_it_says() {
    for libc in Libc::UNPACKED {
        for mode in ["mode=overflow", "mode=freed", "mode=top"] {
            let program = Program::build("damaged").libc(libc).spawn(&[mode]);
            let number = |name| program.number(name);

            assert_eq!(word(program.pid(), number("damaged")), number("is"), "{libc:?} {mode}");
            assert_ne!(number("was"), number("is"));
            // What was a size said where the next block begins.
            if mode == "mode=overflow" {
                assert_eq!((number("was"), number("victim") - number("damaged")), (0x51, 8), "{libc:?}");
            }
            assert!(number("first") < number("culprit") && number("culprit") < number("victim"));
        }
    }
}
