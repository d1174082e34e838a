//! What gdb says of a core.

use std::fs;
use std::path::Path;
use std::process::Command;

use residue_target::live::linux::DumpOptions;
use residue_testkit::Program;

use super::{CoreFile, Folder, dumped, pid, threads};

fn gdb(program: &Path, core: &Path, commands: &[String]) -> String {
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx"]);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let output = gdb.args([program, core]).output().expect("gdb is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn opens_in_gdb(program: &Program) {
    let posed = program.spawn(&["threads=4"]);
    let folder = Folder::new();
    let found = dumped(pid(&posed), &DumpOptions::default(), &folder.core());
    let commands = [
        "info threads".to_owned(),
        format!("x/s {}", posed.fact("text")),
        format!("x/s {}", posed.fact("modified")),
        format!("x/c {}+17", posed.fact("hidden")),
        "bt".to_owned(),
    ];
    let said = gdb(&program.path().expect("it is built"), &folder.core(), &commands);

    assert_eq!(found.threads, 6);
    for tid in threads(&posed) {
        assert!(said.contains(&format!("LWP {tid}")), "no thread {tid}: {said}");
    }
    assert!(said.contains("\"residue stood here\""), "{said}");
    assert!(said.contains("\"modified by the program\""), "{said}");
    assert!(said.contains("97 'a'"), "{said}");
    // The stack of the main thread can be walked to its end.
    assert!(said.contains("main ("), "{said}");
}

#[test]
fn gdb_finds_all_threads_and_their_memory() {
    opens_in_gdb(&Program::build("posed"));
}

/// Needs the compiler's 32-bit libraries.
#[test]
#[cfg(target_arch = "x86_64")]
fn gdb_opens_the_core_of_a_32_bit_process() {
    opens_in_gdb(&Program::build("posed").bits32());
}

/// The kernel tells where a blocked thread stands; the core must say the same.
#[test]
#[cfg(target_arch = "x86_64")]
fn registers_are_those_of_the_blocked_threads() {
    let posed = Program::build("posed").spawn(&["threads=4"]);
    let folder = Folder::new();
    let places = || threads(&posed).into_iter().filter_map(|tid| Some((tid, blocked_at(posed.pid(), tid)?)));
    // Threads that have just begun are still on their way; the one that counts is never there.
    while places().count() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let known: Vec<(u32, (u64, u64))> = places().collect();
    dumped(pid(&posed), &DumpOptions::default(), &folder.core());
    let told = CoreFile::open(&folder.core()).threads();

    assert_eq!(told[0].0, posed.pid(), "the main thread comes first");
    for (tid, (pointer, counter)) in known {
        let &(_, rip, rsp) = told.iter().find(|thread| thread.0 == tid).expect("all threads are there");
        assert_eq!((rsp, rip), (pointer, counter), "thread {tid}");
    }
}

/// Stack pointer and program counter of a thread that waits, and not for time.
fn blocked_at(pid: u32, tid: u32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).expect("it runs");
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (read, pause) = ("0", "34");
    if words[0] != read && words[0] != pause {
        return None;
    }
    let number = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).expect("a number");
    Some((number(words[words.len() - 2]), number(words[words.len() - 1])))
}
