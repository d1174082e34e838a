//! `residue report` on recordings that were sketched: any system can read them.

use std::fs;
#[cfg(target_os = "linux")]
use std::process::Command;
use std::time::Duration;

use residue::model::Recording;
use residue::write_recording;
use residue_testkit::Sketch;
use serde_json::Value;

#[cfg(target_os = "linux")]
use crate::harness::Ran;
use crate::harness::folder::Folder;
use crate::harness::{document, number, residue, rows};

/// A program with a leak of so many blocks a step, and a table that is steady.
fn leaking(step: u64) -> Recording {
    Sketch::of("/usr/bin/shop", 50, Duration::from_millis(100))
        .stack(&["malloc in libc.so.6", "lose at shop.c:7", "main at shop.c:20"])
        .blocks(100, |slot| u64::from(slot) * step)
        .stack(&["calloc in libc.so.6", "table at shop.c:12", "main at shop.c:21"])
        .blocks(4096, |_| 8)
        .build()
}

/// Writes a recording where a test can read it.
fn saved(folder: &Folder, name: &str, recording: &Recording) -> String {
    let path = folder.file(name);
    write_recording(recording, path.as_ref()).expect("an own folder");
    path
}

fn functions(report: &Value) -> Vec<&str> {
    let function = |site: &'_ Value| site["frames"][0]["function"].as_str().map(str::len);
    let of = |site| function(site).map_or("", |_| site["frames"][0]["function"].as_str().unwrap_or(""));
    rows(report, "sites").iter().map(of).collect()
}

#[test]
fn a_page_names_who_grows_and_where() {
    let folder = Folder::new();
    let file = saved(&folder, "shop.residue", &leaking(3));

    let page = residue(&["report", &file]).good().text();

    for part in ["GROWING TO THE END", "lose at shop.c:7", "NOT FREED AT THE END", "table at shop.c:12"] {
        assert!(page.contains(part), "no `{part}` in {page}");
    }
    assert!(page.contains(&format!("next: residue report {file} --sort growth --full")), "{page}");
}

#[test]
fn filters_leave_what_they_ask_for() {
    let folder = Folder::new();
    let file = saved(&folder, "shop.residue", &leaking(3));
    let asked = |options: &[&str]| {
        let report = document(&[&["report", &file], options].concat());
        functions(&report).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };

    assert_eq!(asked(&[]), ["table", "lose"]);
    assert_eq!(asked(&["--function", "^lose$"]), ["lose"]);
    assert_eq!(asked(&["--min-size", "1K"]), ["table"]);
    assert_eq!(asked(&["--min-bytes", "20K"]), ["table"]);
    assert_eq!(asked(&["--sort", "growth"]), ["lose"]);
    assert_eq!(asked(&["--limit", "1"]), ["table"]);
    assert_eq!(asked(&["--skip", "^lose$", "--sort", "growth"]), ["main"]);
    assert!(asked(&["--kind", "mmap"]).is_empty());
    let window = document(&["report", &file, "--from", "1s", "--to", "2s", "--function", "lose"]);
    assert_eq!(window["sites"][0]["allocations"], 30, "{window:#}");
}

#[test]
fn a_comparison_tells_what_became_of_each_site() {
    let folder = Folder::new();
    let (earlier, later) = (saved(&folder, "monday", &leaking(1)), saved(&folder, "friday", &leaking(3)));

    let diff = document(&["report", &later, "--diff", &earlier]);

    let site = &rows(&diff, "sites")[0];
    assert_eq!((&site["change"], site["live_bytes"].as_i64()), (&Value::from("grown"), Some(2 * 49 * 100)));
    let page = residue(&["report", &later, "--diff", &earlier]).good().text();
    assert!(page.contains("lose at shop.c:7") && !page.contains("table at"), "{page}");
}

#[test]
fn a_script_is_told_by_the_exit_code() {
    let folder = Folder::new();
    let leaks = saved(&folder, "leaks", &leaking(3));
    let steady = saved(&folder, "steady", &leaking(0));
    let nothing = saved(&folder, "nothing", &Recording::default());

    residue(&["report", &leaks, "--fail-on", "leak"]).ended(1);
    residue(&["report", &leaks, "--fail-on", "lost"]).ended(0);
    residue(&["report", &steady, "--fail-on", "leak"]).ended(0);
    residue(&["report", &nothing, "--fail-on", "leak"]).ended(4);
}

#[test]
fn a_recording_is_written_for_other_viewers() {
    let folder = Folder::new();
    let file = saved(&folder, "shop.residue", &leaking(3));
    let [pprof, dhat, massif] = ["shop.pb.gz", "shop.json", "shop.massif"].map(|name| folder.file(name));

    let page = residue(&["report", &file, "--pprof", &pprof, "--dhat", &dhat, "--massif", &massif]).good();

    page.says(&[&format!("wrote {pprof}"), &format!("wrote {dhat}"), &format!("wrote {massif}")]);
    assert!(page.text().contains("lose at shop.c:7"), "the page is shown beside them");
    assert!(fs::read(&pprof).expect("it was written").starts_with(b"\x1f\x8b"), "no gzip");
    let dhat: Value = serde_json::from_slice(&fs::read(&dhat).expect("it was written")).expect("JSON");
    let live: u64 = rows(&dhat, "pps").iter().map(|point| number(point, "eb")).sum();
    assert_eq!(live, 49 * 3 * 100 + 8 * 4096);
    let massif = fs::read_to_string(&massif).expect("it was written");
    assert!(massif.contains("n1: 14700 ") && massif.contains("lose (shop.c:7)"), "{massif}");
}

#[cfg(target_os = "linux")]
#[test]
fn ms_print_draws_the_heap() {
    let folder = Folder::new();
    let file = saved(&folder, "shop.residue", &leaking(3));
    let massif = folder.file("shop.massif");
    residue(&["report", &file, "--massif", &massif]).good();

    let mut ms_print = Command::new("ms_print");
    ms_print.arg(&massif);
    let drawn = Ran::of(ms_print).good().text();

    for part in ["(peak)", "->69.03% (32,768B)", "->30.97% (14,700B)", "lose (shop.c:7)"] {
        assert!(drawn.contains(part), "no `{part}` in {drawn}");
    }
}

/// A profile is of the part that was asked for; the others tell of the whole time and heap, or of nothing.
#[test]
fn a_part_is_no_whole_to_a_viewer() {
    let folder = Folder::new();
    let file = saved(&folder, "shop.residue", &leaking(3));
    let (part, whole) = (folder.file("part.pb.gz"), folder.file("whole.pb.gz"));

    residue(&["report", &file, "--pprof", &whole]).good();
    residue(&["report", &file, "--pprof", &part, "--function", "^lose$"]).good();

    let size = |path: &str| fs::read(path).expect("it was written").len();
    assert!(size(&part) < size(&whole), "{} and {}", size(&part), size(&whole));
    for refused in [["--dhat", "--kind=heap"], ["--massif", "--from=1s"], ["--pprof", "--min-bytes=1K"]] {
        let out = folder.file("refused");
        residue(&["report", &file, refused[0], &out, refused[1]]).ended(2).says(&["cannot be used with"]);
        assert!(!fs::exists(&out).expect("an own folder"), "{refused:?}");
    }
    residue(&["report", &file, "--diff", &file, "--pprof", &part]).ended(2);
}

#[test]
fn what_is_no_recording_is_refused_with_what_would_be() {
    let folder = Folder::new();
    let text = folder.with("notes.txt", "no recording at all");

    residue(&["report", &text]).ended(3).says(&["is no recording", "residue record"]);
    residue(&["report", &folder.file("absent")]).ended(3).says(&["absent"]);
    residue(&["report", &text, "--function", "("]).ended(2);
    assert_eq!(fs::read_to_string(&text).expect("it stands"), "no recording at all");
}

#[test]
fn calls_are_weighed_by_what_is_asked_for() {
    let folder = Folder::new();
    let file = saved(&folder, "shop.residue", &leaking(3));
    let (lines, picture) = (folder.file("shop.txt"), folder.file("shop.svg"));
    let written = |options: &[&str]| {
        residue(&[&["report", &file, "--collapsed", &lines], options].concat()).good();
        fs::read_to_string(&lines).expect("it was written")
    };

    assert_eq!(written(&[]), "main;lose 14700\nmain;table 32768\n");
    assert_eq!(written(&["--function", "lose", "--measure", "peak"]), "main;lose 14700\n");
    assert_eq!(written(&["--measure", "temporary"]), "");
    residue(&["report", &file, "--flamegraph", &picture]).good().says(&["wrote", &picture]);
    let picture = fs::read_to_string(&picture).expect("it was written");
    assert!(picture.contains("shop (pid 812): not freed at the end, 46.4 KiB (47 468 B)"), "{picture}");
    residue(&["report", &file, "--measure", "peak"]).ended(2);
    residue(&["report", &file, "--collapsed", &lines, "--measure", "temporary", "--from", "1s"])
        .ended(2)
        .says(&["only counted for the whole time"]);
}

/// Where nothing is left, a picture of what is left would say nothing.
#[test]
fn where_nothing_lives_it_is_told_who_allocated() {
    let folder = Folder::new();
    let freed = Sketch::of("/usr/bin/shop", 2, Duration::from_millis(100))
        .stack(&["load at shop.c:7", "main at shop.c:20"])
        .blocks(100, |slot| u64::from(slot < 1))
        .build();
    let (file, lines) = (saved(&folder, "shop.residue", &freed), folder.file("shop.txt"));

    residue(&["report", &file, "--collapsed", &lines]).good();

    assert_eq!(fs::read_to_string(&lines).expect("it was written"), "main;load 100\n");
}
