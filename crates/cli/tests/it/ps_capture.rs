//! `ps --save` and `--from`: what was seen there can be asked here.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::crowd::{Crowd, KIB};
use crate::harness::folder::Folder;
use crate::harness::{close, document, number, oracle, residue, text};

/// What stands in a row and can be compared between two looks at a process that stands still.
fn settled(rows: &[Value]) -> Vec<Value> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        // The kernel scores by what else runs on the machine.
        row.as_object_mut().expect("an object").remove("oom_score");
    }
    rows
}

fn round_trip(test: &str, file: &str) -> Vec<u8> {
    let crowd = Crowd::of(test, 3);
    let folder = Folder::new();
    let path = folder.file(file);

    let saved = residue(&["ps", "--save", &path]).good();
    let there = document(&["ps", "--filter", &crowd.filter()]);
    let here = document(&["ps", "--filter", &crowd.filter(), "--from", &path]);

    saved.says(&["saved", &path]);
    assert_eq!(settled(&crowd.rows_in(&here)), settled(&crowd.rows_in(&there)));
    assert_eq!(here["target"]["kind"], "capture");
    assert_eq!(here["target"]["file"], path);
    assert_eq!(here["system"]["total"], there["system"]["total"]);
    fs::read(&path).expect("it was written")
}

#[test]
fn a_capture_says_the_same_as_the_machine() {
    let capture = round_trip("capture", "host.tar");
    assert_eq!(&capture[257..262], b"ustar", "any tar can read it");
}

#[test]
fn a_compressed_capture_says_the_same() {
    let capture = round_trip("compressed", "host.tar.gz");
    assert_eq!(capture[..2], [0x1f, 0x8b], "it is gzip");
}

/// Each view can be asked of a capture, not only the table of processes.
#[test]
fn a_capture_answers_every_view() {
    let crowd = Crowd::of("views", 3);
    let folder = Folder::new();
    let path = folder.file("host.tar");
    residue(&["ps", "--save", &path]).good();
    let ask = |by: &str| document(&["ps", "--from", &path, "--by", by, "--filter", &crowd.filter()]);

    assert_eq!(ask("user")["users"][0]["name"], "root");
    assert_eq!(number(&ask("user")["users"][0], "processes"), 4);
    let mappings = ask("mapping");
    let zero = crate::harness::row_of(crate::harness::rows(&mappings, "mappings"), "name", "/dev/zero");
    assert_eq!(number(zero, "pss"), 8 << 20);
    let system = document(&["ps", "--from", &path, "--by", "system"]);
    assert_eq!(number(&system["system"], "total"), oracle::meminfo("MemTotal"));
    assert!(text(&["ps", "--from", &path, "--filter", &crowd.filter()]).contains("crowd"));
}

/// The layout is smem's, so that who has only smem can read what was captured.
#[test]
fn smem_reads_our_capture() {
    let crowd = Crowd::of("theirs", 3);
    let folder = Folder::new();
    let path = folder.file("host.tar");
    residue(&["ps", "--save", &path]).good();

    let smem = oracle::smem_of(&path);

    for row in crowd.rows_in(&document(&["ps", "--filter", &crowd.filter()])) {
        let truth = &smem[&u32::try_from(number(&row, "pid")).expect("a pid")];
        assert_eq!((number(&row, "uss"), number(&row, "rss")), (truth.uss, truth.rss));
        close("pss", number(&row, "pss"), truth.pss, number(&row, "maps") * KIB);
    }
}

/// smem's own captures hold no `smaps_rollup`, no `statm` and no `status`: the sums come from the regions.
#[test]
fn a_capture_of_smem_is_read() {
    let crowd = Crowd::of("ours", 2);
    let folder = Folder::new();
    let root = folder.path().join("proc");
    for &pid in &crowd.pids {
        let there = root.join(pid.to_string());
        fs::create_dir_all(&there).expect("a new folder");
        for file in ["smaps", "cmdline", "stat"] {
            fs::copy(format!("/proc/{pid}/{file}"), there.join(file)).expect("it runs");
        }
    }
    for file in ["meminfo", "version"] {
        fs::copy(format!("/proc/{file}"), root.join(file)).expect("every machine has it");
    }
    let path = folder.file("smem.tar");
    let tar = format!("cd {} && tar -cf {path} meminfo version [0-9]*", root.display());
    assert!(Command::new("sh").args(["-c", &tar]).status().expect("sh starts").success());

    let document = document(&["ps", "--from", &path]);

    let live = crowd.rows_in(&self::document(&["ps", "--filter", &crowd.filter()]));
    let rows = crowd.rows_in(&document);
    assert_eq!(rows.len(), 2);
    for (row, live) in rows.iter().zip(&live) {
        assert_eq!((&row["uss"], &row["rss"], &row["swap"]), (&live["uss"], &live["rss"], &live["swap"]));
        close("pss", number(row, "pss"), number(live, "pss"), number(live, "maps") * KIB);
        assert_eq!((&row["name"], &row["command"]), (&live["name"], &live["command"]));
        assert_eq!(row["user"], "root", "the owner stands in the archive");
    }
    assert_eq!(number(&document["system"], "total"), oracle::meminfo("MemTotal"));
}

/// A damaged capture is an error, not a machine without processes.
#[test]
fn what_is_no_capture_is_refused() {
    let folder = Folder::new();
    let whole = folder.file("whole.tar");
    residue(&["ps", "--save", &whole]).good();
    let whole = fs::read(whole).expect("it was written");
    // In the middle of a process.
    let cut = folder.with("cut.tar", &whole[..whole.len() / 2 / 512 * 512 + 100]);
    for path in [
        folder.with("empty.tar", ""),
        folder.with("garbage.tar", [0xA5_u8; 4000]),
        folder.with("text.tar", "a letter and no archive\n".repeat(100)),
        folder.with("zeros.tar", [0_u8; 10240]),
        folder.with("garbage.tar.gz", b"\x1f\x8b\x08\0garbage after the magic".as_slice()),
        cut,
        folder.file("missing.tar"),
        folder.file("."),
    ] {
        let ran = residue(&["ps", "--from", &path]).ended(3);
        assert!(ran.out.is_empty(), "{path}: {}", ran.text());
        ran.says(&["error: "]);
    }
    residue(&["ps", "--from", &folder.file("missing.tar")]).ended(3).says(&["missing.tar", "o such file"]);
}

#[test]
fn a_capture_that_cannot_be_written_is_our_own_failure() {
    residue(&["ps", "--save", "/nowhere/at/all/host.tar"]).ended(4).says(&["/nowhere/at/all/host.tar"]);
    residue(&["ps", "--save", "/dev/full"]).ended(4).says(&["error: "]);
}
