//! Heaps that walkers stumble on. What is known of each stands in the program that makes it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use residue_testkit::{Libc, Program, Running};
use serde_json::{Value, json};

use crate::harness::folder::Folder;
use crate::harness::stranger::Stranger;
use crate::harness::{address, document, number, residue, rows, word};

const LIBCS: [Libc; 3] = [Libc::System, Libc::Debian13, Libc::Sid];

fn pid(program: &Running) -> String {
    program.pid().to_string()
}

/// The heap of a process that has one, all of it explained.
#[track_caller]
fn exact<'a>(case: &str, document: &'a Value) -> &'a Value {
    let [heap] = rows(document, "heaps") else { panic!("{case}: not one heap: {document:#}") };
    let why = format!("{case}: {:#} {:#} {:#}", heap["identities"], heap["damage"], heap["gaps"]);
    assert_eq!(heap["verified"], "exact", "{why}");
    heap
}

#[track_caller]
fn assert_mallinfo(case: &str, document: &Value, program: &Running) {
    let heap = exact(case, document);
    for field in
        ["arena", "ordblks", "smblks", "hblks", "hblkhd", "fsmblks", "uordblks", "fordblks", "keepcost"]
    {
        assert_eq!(number(&heap["mallinfo"], field), program.number(field), "{case} {field}");
    }
    let (blocks, live) = (number(&document["sums"], "live_blocks"), program.number("live"));
    assert!((live..=live + 250).contains(&blocks), "{case}: {blocks} live of {live}");
}

/// The addresses of all records of a kind.
fn lost(document: &Value, kind: &str) -> BTreeSet<u64> {
    let records = rows(document, "leaks").iter().filter(|record| record["kind"] == kind);
    let addresses = records.flat_map(|record| rows(record, "addresses"));
    addresses.map(|at| address(&json!({ "at": at }), "at")).collect()
}

/// What a program that tells its blocks one by one says of a kind.
fn told(program: &Running, kind: &str) -> BTreeSet<u64> {
    let names = program.facts().names().filter_map(|name| name.strip_suffix("_kind"));
    let of_kind = names.filter(|name| program.fact(&format!("{name}_kind")) == kind);
    of_kind.map(|name| program.number(name)).collect()
}

fn leaks(target: &str) -> Value {
    document(&["leaks", target, "--all-addresses"])
}

/// Its malloc is in the program's own data, and no library tells it.
#[test]
fn a_static_program_has_a_heap() {
    for libc in [Libc::System, Libc::Sid] {
        let program = Program::build("heapfuzz").flag("-static").libc(libc);
        let program = program.spawn(&["seed=3", "threads=3", "steps=5000"]);
        assert_mallinfo(&format!("{libc:?}"), &document(&["heap", &pid(&program)]), &program);
    }
}

/// `dlmopen` loads a second C library: its heap is another, in mappings, for the break belongs to the first.
#[test]
fn two_c_libraries_have_two_heaps() {
    let library = Program::build("holder").shared().path().expect("it builds");
    for libc in LIBCS {
        let program =
            Program::build("dlmopen").libc(libc).spawn(&[&format!("library={}", library.display())]);
        let found = leaks(&pid(&program));

        let heaps = rows(&found, "heaps");
        assert_eq!(heaps.len(), 2, "{libc:?}: {heaps:#?}");
        assert!(heaps.iter().all(|heap| heap["verified"] == "exact"), "{libc:?}: {heaps:#?}");
        assert_eq!(lost(&found, "definite"), told(&program, "definite"), "{libc:?}");
        assert!(lost(&found, "possible").is_disjoint(&told(&program, "reachable")), "{libc:?}");
    }
}

/// Whatever a thread is doing when it is stopped: nothing that is held is called lost, nothing lost is missed, and what
/// cannot be explained is one chunk or two of each arena: what a thread frees is joined with what is free before and behind
/// it, and both are out of their lists before the whole is in one. They may be as large as any that is free there.
#[test]
fn threads_in_the_middle_of_malloc() {
    for (libc, large) in [(Libc::System, "large=0"), (Libc::System, "large=1"), (Libc::Sid, "large=1")] {
        let mut program = Program::build("midmalloc").libc(libc).spawn(&["lost=100", large]);
        let mut beats = 0;
        let mut busy = 0;
        for round in 0..10 {
            let found = leaks(&pid(&program));
            let case = format!("{libc:?} {large} {round}");

            let [heap] = rows(&found, "heaps") else { panic!("{case}: not one heap") };
            let unexplained = number(heap, "unexplained_bytes");
            let arenas = rows(heap, "arenas");
            let two_each: u64 = arenas.iter().map(|arena| 2 * number(arena, "largest_free")).sum();
            assert!(unexplained <= two_each, "{case}: {:#} {:#}", heap["identities"], heap["damage"]);
            let chunks = rows(heap, "identities").iter().find(|row| row["what"] == "free chunks in lists");
            let chunks = chunks.map(|row| number(row, "walked").abs_diff(number(row, "stated")));
            assert!(chunks <= Some(2 * arenas.len() as u64), "{case}: {chunks:?} {:#}", heap["damage"]);
            let says_so = rows(heap, "gaps").iter().any(|gap| word(gap, "why").contains("inside malloc"));
            assert!(says_so || heap["verified"] == "exact", "{case}: {heap:#}");
            busy += u32::from(says_so);
            let lost = rows(&found, "leaks").iter().filter(|record| record["kind"] == "definite");
            let of_ours =
                lost.clone().filter(|record| record["size"] == 424).map(|row| number(row, "blocks"));
            assert_eq!(of_ours.sum::<u64>(), 100, "{case}: {:#}", found["leaks"]);
            let others = lost.filter(|record| record["size"] != 424).map(|row| number(row, "blocks"));
            assert_eq!(others.sum::<u64>(), 0, "{case}: {:#}", found["leaks"]);
            let before = std::mem::replace(&mut beats, program.ask("beats").number("beats"));
            assert!(beats > before, "{case}: it goes on");
        }
        assert!(large == "large=0" || busy > 0, "{libc:?}: no thread was ever in the middle of malloc");
    }
}

/// Stopped in a signal handler: there are two stacks then, and the one that is in use is a block itself.
#[test]
fn both_stacks_of_a_signal_handler_hold_blocks() {
    for libc in [Libc::System, Libc::Sid] {
        for stack in ["stack=malloc", "stack=mmap"] {
            for thread in ["thread=0", "thread=1"] {
                let program = Program::build("altstack").libc(libc).spawn(&[stack, thread]);
                let found = leaks(&pid(&program));
                let case = format!("{libc:?} {stack} {thread}");
                exact(&case, &found);
                assert_eq!(lost(&found, "definite"), told(&program, "definite"), "{case}");
                assert!(lost(&found, "possible").is_disjoint(&told(&program, "reachable")), "{case}");
            }
        }
    }
}

/// One block was written beyond its end: it is named, and all that stands before and behind it is found.
#[test]
fn a_damaged_heap_names_the_culprit_and_goes_on() {
    for libc in LIBCS {
        for (mode, bytes) in [("overflow", 8), ("overflow", 16), ("overflow", 40), ("top", 16), ("freed", 16)]
        {
            let arguments = [format!("mode={mode}"), format!("bytes={bytes}")];
            let program = Program::build("damaged").libc(libc).spawn(&[&arguments[0], &arguments[1]]);
            let found = leaks(&pid(&program));
            let case = format!("{libc:?} {arguments:?}");

            let [heap] = rows(&found, "heaps") else { panic!("{case}: not one heap") };
            assert_eq!(heap["verified"], "partial", "{case}");
            let damage = rows(heap, "damage");
            let suspects = damage.iter().filter(|damage| !damage["suspect"].is_null());
            let suspects: Vec<_> = suspects.map(|damage| address(&damage["suspect"], "start")).collect();
            assert_eq!(suspects, [program.number("culprit")], "{case}: {damage:#?}");
            let unwalked: u64 = damage.iter().map(|damage| number(damage, "unwalked")).sum();
            match mode {
                // The victim, 72 bytes and its header; the whole rest of the arena; nothing, for chunks are whole.
                "overflow" => assert_eq!(unwalked, 80, "{case}"),
                "top" => assert_eq!(number(heap, "unexplained_bytes"), unwalked, "{case}"),
                _ => assert_eq!(unwalked, 0, "{case}"),
            }
            let lost = lost(&found, "definite");
            assert_eq!(lost, told(&program, "definite"), "{case}: before and behind");
            let reachable = number(&found["totals"]["reachable"], "blocks");
            assert!(reachable >= program.number("held"), "{case}: {reachable} reachable");
        }
    }
}

/// The program, or something in its way, takes a part of what the heap grows into.
#[test]
fn a_main_arena_in_several_pieces_is_exact() {
    for libc in LIBCS {
        for mode in ["mode=moved", "mode=odd", "mode=blocked"] {
            let program = Program::build("foreign_brk").libc(libc).spawn(&[mode]);
            assert_mallinfo(&format!("{libc:?} {mode}"), &document(&["heap", &pid(&program)]), &program);
        }
    }
}

/// A stack of glibc 2.42 and later has its guard inside a readable mapping, next to another stack: all 200 are read.
#[test]
fn two_hundred_threads_have_arenas_and_stacks() {
    for libc in [Libc::System, Libc::Sid] {
        let program = Program::build("manyheaps").libc(libc).spawn(&["mode=arenas", "count=200"]);
        let heap = document(&["heap", &pid(&program)]);
        let found = leaks(&pid(&program));

        let case = format!("{libc:?}");
        let mallinfo = exact(&case, &heap);
        assert_eq!(rows(mallinfo, "arenas").len(), 201, "{case}");
        for field in ["arena", "uordblks", "fordblks", "keepcost"] {
            assert_eq!(number(&mallinfo["mallinfo"], field), program.number(field), "{case} {field}");
        }
        let definite = &found["totals"]["definite"];
        assert_eq!(number(definite, "blocks"), program.number("lost"), "{case}: {:#}", found["leaks"]);
        assert_eq!(found["gaps"], json!([]), "{case}");
    }
}

/// An arena of a thread that is full goes on in another heap of 64 MiB.
#[test]
fn an_arena_of_several_heaps_is_exact() {
    for libc in LIBCS {
        let program = Program::build("manyheaps").libc(libc).spawn(&["mode=large", "count=150"]);
        let found = leaks(&pid(&program));
        let heap = exact(&format!("{libc:?}"), &found);
        let most = rows(heap, "arenas").iter().map(|arena| rows(arena, "extents").len()).max();
        assert!(most >= Some(3), "{libc:?}: {most:?} heaps");
        assert_mallinfo(&format!("{libc:?}"), &document(&["heap", &pid(&program)]), &program);
        assert_eq!(number(&found["totals"]["definite"], "blocks"), 0, "{libc:?}: a chain holds all");
    }
}

/// Mapped blocks that were aligned, up to 64 KiB, and resized: the start of their mapping is not theirs.
#[test]
fn thousands_of_mapped_blocks_are_exact() {
    for libc in LIBCS {
        let program = Program::build("manyheaps").libc(libc).spawn(&["mode=mapped", "count=3000"]);
        let found = leaks(&pid(&program));
        let case = format!("{libc:?}");
        assert_mallinfo(&case, &document(&["heap", &pid(&program)]), &program);
        for kind in ["definite", "possible"] {
            let kind = &found["totals"][kind];
            assert_eq!(
                number(kind, "blocks"),
                0,
                "{case}: a table holds the start of each: {:#}",
                found["leaks"]
            );
        }
    }
}

/// Nothing found is not nothing there: it is said, and is no error.
#[test]
fn a_process_without_a_heap_says_so() {
    let program = Program::build("heapless").flag("-static").flag("-nostdlib").spawn(&[]);
    for command in ["heap", "leaks"] {
        let found = document(&[command, &pid(&program)]);
        assert_eq!(found["heaps"], json!([]), "{command}");
        let gaps = rows(&found, "gaps");
        assert!(gaps.iter().any(|gap| word(gap, "why").contains("no heap")), "{command}: {gaps:?}");
    }
    assert_eq!(
        document(&["leaks", &pid(&program)])["checked"],
        false,
        "nobody may think that nothing is lost"
    );
}

#[test]
fn a_32_bit_process_is_refused() {
    let program = Program::build("fragmented32").bits32().spawn(&[]);
    for command in ["heap", "leaks"] {
        let ran = residue(&[command, &pid(&program)]).ended(3);
        ran.says(&["error: ", "32-bit"]);
        assert!(ran.out.is_empty());
    }
}

#[test]
fn the_heap_of_others_is_refused_with_what_to_do() {
    let stranger = Stranger::new();
    let program = Program::build("altstack").spawn(&[]);
    for command in ["heap", "leaks"] {
        let ran = stranger.residue(&[command, &pid(&program)]).ended(3);
        assert!(ran.out.is_empty());
        ran.says(&["error: ", &pid(&program), "cause: ", "help: ", "root"]);
    }
}

/// Who is stopped stays stopped, and is read as it stands.
#[test]
fn a_stopped_process_is_examined_and_stays_stopped() {
    let program = Program::build("heapfuzz").spawn(&["seed=9", "steps=3000"]);
    let id = pid(&program);
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &id]).status().expect("kill runs").success());
    };
    let is_stopped = || {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("it is there");
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    };
    signal("-STOP");
    while !is_stopped() {
        std::thread::yield_now();
    }

    let heap = document(&["heap", &id]);

    assert!(is_stopped(), "it was not woken");
    assert_mallinfo("stopped", &heap, &program);
    signal("-CONT");
    while is_stopped() {
        std::thread::yield_now();
    }
}

#[test]
fn who_has_ended_has_no_heap() {
    let program = Program::build("zombie").spawn(&[]);
    let zombie = program.number("zombie").to_string();
    for command in ["heap", "leaks"] {
        let ran = residue(&[command, &zombie]).ended(3);
        ran.says(&["error: ", &zombie]);
        assert!(ran.out.is_empty());
    }
    // The kernel gives out no such number.
    residue(&["heap", "4194304999"]).ended(3).says(&["error: ", "4194304999"]);
}

/// In a container the files of the program are elsewhere for us, or not there at all.
#[test]
fn a_process_in_a_mount_namespace_of_its_own_is_walked() {
    let program = Program::build("altstack").path().expect("it builds");
    let script = "mount -t tmpfs none /mnt && cp \"$1\" /mnt/within && exec /mnt/within";
    let mut child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare starts (util-linux)");
    let mut line = String::new();
    let output = child.stdout.take().expect("stdout was asked for");
    BufReader::new(output).read_line(&mut line).expect("it speaks");
    let found = residue(&["leaks", &child.id().to_string(), "--json"]);
    drop(child.stdin.take());
    child.wait().expect("it ends");

    let found = found.good().json();
    exact("in a namespace", &found);
    assert_eq!(number(&found["totals"]["definite"], "blocks"), 2, "{:#}", found["leaks"]);
    let named = rows(&found, "roots").iter().filter_map(|root| root["name"].as_str());
    let named: Vec<_> = named.collect();
    assert!(named.iter().any(|name| name.contains("within")), "the program's data is named: {named:?}");
}

/// Wherever a core was cut: either it says that it cannot be one, or what it has is read and what it lacks is said.
#[test]
fn a_cut_core_is_read_as_far_as_it_goes() {
    let program = Program::build("heapfuzz").spawn(&["seed=5", "threads=3", "steps=4000"]);
    let folder = Folder::new();
    let core = folder.file("core");
    residue(&["dump", &pid(&program), "-o", &core]).good();
    let whole = fs::read(&core).expect("it was written");

    for tenths in [0, 1, 2, 4, 6, 8, 9] {
        let cut = folder.with("cut", &whole[..whole.len() * tenths / 10]);
        for command in ["heap", "leaks"] {
            let ran = residue(&[command, &cut, "--json"]);
            let case = format!("{command} {tenths}/10: {}", ran.err);
            match ran.code {
                Some(0) => {
                    let found = ran.json();
                    assert_ne!(found["gaps"], json!([]), "{case}: what is missing is said");
                }
                Some(3) => ran.says(&["error: "]),
                _ => panic!("{case}"),
            }
        }
    }
}

/// `coredump_filter` may leave memory out: what is not there is neither free nor lost.
#[test]
fn a_core_without_its_mapped_memory_says_what_is_missing() {
    let program = Program::build("manyheaps").spawn(&["mode=mapped", "count=200"]);
    let folder = Folder::new();
    // Nothing but shared memory: as if everything that the heap is made of was left out.
    fs::write(format!("/proc/{}/coredump_filter", program.pid()), "0x02").expect("it may be set");
    let core = folder.file("elided");
    let id = pid(&program);
    let done = Command::new("gcore").args(["-o", &core, &id]).output().expect("gcore runs (gdb)");
    assert!(done.status.success());

    let ran = residue(&["leaks", &format!("{core}.{id}"), "--json"]).good().json();

    assert_ne!(ran["gaps"], json!([]), "what is missing is said");
    let lost = ran["totals"].as_object().map_or(0, |_| number(&ran["totals"]["definite"], "blocks"));
    assert_eq!(lost, 0, "nothing is lost that was not saved");
}
