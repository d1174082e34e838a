//! The heaps of other allocators, in live processes that know each of their blocks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use residue_testkit::{Facts, Program};
use serde_json::{Value, json};

use crate::harness::folder::Folder;
use crate::harness::oracle::tool;
use crate::harness::{document, number, rows, word};

/// How many blocks of each size are live.
fn sizes(document: &Value) -> BTreeMap<u64, u64> {
    rows(document, "sizes").iter().map(|row| (number(row, "size"), number(row, "blocks"))).collect()
}

#[track_caller]
fn assert_walked(case: &str, document: &Value, allocator: &str) {
    let [heap] = rows(document, "heaps") else { panic!("{case}: not one heap: {document:#}") };
    assert!(word(heap, "allocator").contains(allocator), "{case}: {}", heap["allocator"]);
    assert_eq!(heap["verified"], "exact", "{case}: {:#} {:#}", heap["identities"], heap["damage"]);
    assert_eq!((&heap["gaps"], &document["gaps"]), (&json!([]), &json!([])), "{case}");
    let mut recognised = rows(document, "recognised").iter();
    assert!(recognised.any(|row| word(row, "name").contains(allocator) && row["walked"] == true), "{case}");
}

/// Every block that the threads hold is there with the size that jemalloc gives it; libraries hold a few more.
#[test]
fn all_blocks_of_jemalloc_are_live() {
    let program = Program::build("jemalloced").flag("-Wl,--no-as-needed").flag("-ljemalloc");
    for arguments in [["3", "20000", "1000", "1"], ["8", "3000", "200", "2"]] {
        let program = program.spawn(&arguments);
        let pid = program.pid().to_string();

        let found = document(&["heap", &pid]);

        let case = format!("{arguments:?}");
        assert_walked(&case, &found, "jemalloc");
        let count = usize::try_from(program.number("blocks")).expect("it fits");
        let mut table = vec![0; 16 * count];
        let memory = File::open(format!("/proc/{pid}/mem")).expect("it runs");
        memory.read_exact_at(&mut table, program.number("table")).expect("it is mapped");
        let mut truth = BTreeMap::new();
        for row in table.chunks_exact(16) {
            *truth.entry(u64::from_le_bytes(row[8..].try_into().expect("eight bytes"))).or_insert(0) += 1;
        }
        let found_sizes = sizes(&found);
        for (size, blocks) in &truth {
            let ours = found_sizes.get(size).copied().unwrap_or_default();
            assert!(
                (*blocks..blocks + 20).contains(&ours),
                "{case}: {ours} of {size} bytes, {blocks} are held"
            );
        }
        let live = number(&found["sums"], "live_blocks");
        assert!((count as u64..count as u64 + 20).contains(&live), "{case}: {live} live of {count}");
    }
}

/// A program of musl, which the compiler of the C library that the tests run on does not make.
struct Musl {
    child: Child,
    lines: BufReader<ChildStdout>,
    _folder: Folder,
}

impl Musl {
    fn start(flags: &[&str], arguments: &[&str]) -> Musl {
        let folder = Folder::new();
        let binary = folder.file("counted_blocks");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testkit/programs/counted_blocks.c");
        tool("musl-gcc", &[flags, &["-O1", "-o", &binary, source]].concat());
        let mut child = Command::new(&binary)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout was asked for"));
        Musl { child, lines, _folder: folder }
    }

    fn hear(&mut self) -> Facts {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it speaks");
        Facts::of(line.trim_end())
    }

    fn ask(&mut self, line: &str) -> Facts {
        use std::io::Write;
        let stdin = self.child.stdin.as_mut().expect("it listens");
        writeln!(stdin, "{line}").expect("it listens");
        self.hear()
    }
}

impl Drop for Musl {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Musl keeps the size that was asked for: blocks and bytes are the program's own, to the last one, again and again.
#[test]
fn all_blocks_of_musl_are_live() {
    for flags in [&[][..], &["-static"]] {
        let mut program = Musl::start(flags, &["blocks=800", "rounds=10000"]);
        let mut truth = program.hear();
        for round in 0..4 {
            let found = document(&["heap", &program.child.id().to_string()]);

            let case = format!("{flags:?} {round}");
            assert_walked(&case, &found, "musl");
            let sizes = sizes(&found);
            let blocks: u64 = sizes.values().sum();
            assert_eq!(blocks, truth.number("blocks"), "{case}");
            assert_eq!(number(&found["sums"], "live_blocks"), blocks, "{case}");
            // One byte is counted of a block of which none was asked for.
            let bytes: u64 = sizes.iter().map(|(size, blocks)| size * blocks).sum();
            let nothing = sizes.get(&1).copied().unwrap_or_default();
            let asked = truth.number("bytes");
            assert!((asked..=asked + nothing).contains(&bytes), "{case}: {bytes} of {asked}");
            truth = program.ask("change 5000");
        }
    }
}
