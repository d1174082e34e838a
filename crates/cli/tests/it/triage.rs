//! `triage`: the whole diagnosis on one page, each finding with its evidence and a command that works.

use std::fs;
use std::process::Command;

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::folder::Folder;
use crate::harness::{BINARY, Ran, document, number, residue, row_of, rows, text, word};

/// Runs a command that a report advises, for half a second where it would take longer. Files go to a folder.
#[track_caller]
fn works(advice: &str) {
    let folder = Folder::new();
    let mut words: Vec<&str> = advice.split_whitespace().collect();
    assert_eq!(words.remove(0), "residue", "{advice}");
    if let Some(place) = words.iter().position(|&word| word == "--for") {
        words[place + 1] = "500ms";
    }
    let mut command = Command::new(BINARY);
    command.args(&words).current_dir(folder.path());
    Ran::of(command).good();
}

fn all_advice(report: &Value) -> Vec<String> {
    let findings = rows(report, "findings").iter().map(|finding| word(finding, "next").to_owned());
    findings.chain([word(&report["verdict"], "next").to_owned()]).collect()
}

/// Every finding says what it rests on and what to do next, and what it says to do can be done.
fn assert_sound(report: &Value) {
    let findings = rows(report, "findings");
    for finding in findings {
        assert!(!word(finding, "title").is_empty());
        assert!(!rows(finding, "evidence").is_empty(), "{finding}");
        let severity = word(finding, "severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{severity}");
    }
    let rank = |finding: &Value| {
        ["critical", "warning", "info"].iter().position(|&word| finding["severity"] == word)
    };
    assert!(findings.is_sorted_by_key(rank), "most severe first: {findings:#?}");
    for advice in all_advice(report) {
        works(&advice);
    }
}

/// The first command that a newcomer copies from the first page that a newcomer sees.
#[test]
fn what_the_demo_advises_can_be_done() {
    let report = document(&["triage", "--demo", "--for", "500ms"]);

    for advice in all_advice(&report) {
        works(&advice);
    }
}

#[test]
fn a_leak_is_diagnosed_in_a_document() {
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=8000000", "size=200"]);
    let pid = leaky.pid();

    let ran = residue(&["triage", &pid.to_string(), "--for", "10s", "--json", "--fail-on", "leak"]).ended(1);

    let report = ran.json();
    assert_eq!(report["schema"], "residue.triage/1");
    assert_eq!(number(&report["target"], "pid"), u64::from(pid));
    let verdict = &report["verdict"];
    assert_eq!(verdict["verdict"], "likely_leak");
    assert!(verdict["confidence"].as_f64().is_some_and(|confidence| confidence > 0.0 && confidence < 1.0));
    assert_eq!(verdict["where"][0]["usage"], "heap");
    assert!(verdict["rate_bytes_per_hour"]["estimate"].as_f64().is_some());
    assert!(!rows(verdict, "why").is_empty());
    let growth = row_of(rows(&report, "findings"), "id", "growth");
    // Critical where the machine is so small that the leak fills it within the hour.
    assert!(growth["severity"] == "warning" || growth["severity"] == "critical", "{growth}");
    assert!(rows(&report, "samples").len() > 20);
    assert!(number(&report["map"]["summary"]["total"], "regions") > 10);
    assert_eq!(report["ended"], false);
    assert_sound(&report);
}

/// The page that a newcomer sees first: nothing to install, nothing to find, and the answer is known.
#[test]
fn the_demo_is_found_leaking() {
    let ran = residue(&["triage", "--demo", "--for", "9s"]).good();

    let shown = ran.text();
    for words in
        ["LIKELY LEAK", "/h", "where", "heap", "why", "next", "FOOTPRINT", "GROWTH BY CLASS", "FINDINGS"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    ran.says(&["demo: process", "by its own count it lost"]);
    // Both rates in one unit: what it counted and what was measured are the same leak.
    let rates: Vec<f64> = ran
        .err
        .lines()
        .filter(|line| line.contains("by its own count"))
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!((rates[0] / rates[1] - 1.0).abs() < 0.2, "{}", ran.err);
}

/// The demo leaves nothing behind that goes on leaking.
#[test]
fn the_demo_ends_its_child() {
    let ran = residue(&["triage", "--demo", "--for", "500ms"]).good();

    let pid =
        ran.err.split_whitespace().skip_while(|word| *word != "process").nth(1).expect("it names its child");
    let pid: u32 = pid.parse().expect("a pid");
    assert!(!fs::exists(format!("/proc/{pid}")).expect("/proc is there"), "{pid} still runs");
}

/// Nobody told it what to look for: thousands of equal regions are a finding by themselves.
#[test]
fn equal_regions_are_found_without_a_hint() {
    let blocks = Program::build("equal_blocks").spawn(&["count=9000"]);

    let report = document(&["triage", &blocks.pid().to_string(), "--for", "1s"]);

    let finding = row_of(rows(&report, "findings"), "id", "equal_regions");
    assert!(word(finding, "title").contains("9,000") || word(finding, "title").contains("9000"), "{finding}");
    assert!(
        finding.to_string().contains("0x20000") || finding.to_string().contains("128.0 KiB"),
        "{finding}"
    );
    assert_sound(&report);
}

#[test]
fn crumbs_of_a_32_bit_address_space_are_critical() {
    let program = Program::build("fragmented32").bits32().spawn(&[]);

    let ran =
        residue(&["triage", &program.pid().to_string(), "--for", "1s", "--json", "--fail-on", "critical"]);

    let report = ran.ended(1).json();
    let finding = row_of(rows(&report, "findings"), "id", "address_space_fragmented");
    assert_eq!(finding["severity"], "critical");
    assert!(word(finding, "title").contains("2.0 MiB"), "{finding}");
    assert_sound(&report);
}

#[test]
fn a_region_count_near_the_limit_is_found() {
    let limit: u64 =
        fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux").trim().parse().expect("a count");
    assert!(limit < 200_000, "vm.max_map_count is {limit}: too many regions for a test");
    let program = Program::build("regions").spawn(&[&format!("count={}", limit - 1000)]);

    let report = document(&["triage", &program.pid().to_string(), "--for", "1s"]);

    let finding = row_of(rows(&report, "findings"), "id", "region_count");
    assert!(finding.to_string().contains("max_map_count"), "{finding}");
    assert_sound(&report);
}

#[test]
fn shared_memory_and_deleted_files_are_found() {
    let shared = Program::build("crowd").spawn(&["count=1", "shared_kib=409600", "private_kib=64"]);
    let layout = Program::build("layout").spawn(&[]);

    let report = document(&["triage", &shared.pid().to_string(), "--for", "1s"]);
    let deleted = document(&["triage", &layout.pid().to_string(), "--for", "1s"]);

    let finding = row_of(rows(&report, "findings"), "id", "shared_memory");
    assert!(word(finding, "title").contains("400.0 MiB"), "{finding}");
    assert_sound(&report);
    let finding = row_of(rows(&deleted, "findings"), "id", "deleted_files");
    assert!(finding.to_string().contains("/gone"), "{finding}");
    assert_sound(&deleted);
}

/// No finding is an answer too, and it says what was looked at: it is not *no leaks*.
#[test]
fn nothing_found_is_not_no_leaks() {
    let still = Program::build("crowd").spawn(&["count=1", "shared_kib=64", "private_kib=64"]);
    let pid = still.pid().to_string();

    let shown = text(&["triage", &pid, "--for", "1s"]);
    let report = document(&["triage", &pid, "--for", "1s"]);

    let own: Vec<&Value> = rows(&report, "findings").iter().filter(|row| row["id"] != "near_limit").collect();
    assert_eq!(own, [&Value::Null; 0], "the machine's own limits aside");
    assert!(!shown.to_lowercase().contains("no leak"), "{shown}");
    assert!(shown.contains("INCONCLUSIVE"), "{shown}");
}

#[test]
fn text_and_document_advise_the_same() {
    let blocks = Program::build("equal_blocks").spawn(&["count=5000"]);
    let pid = blocks.pid().to_string();

    let shown = text(&["triage", &pid, "--for", "1s"]);
    let report = document(&["triage", &pid, "--for", "1s"]);

    for advice in all_advice(&report) {
        assert!(shown.contains(&advice), "{advice:?} is not in: {shown}");
    }
}

#[test]
fn a_target_is_needed_unless_it_is_the_demo() {
    residue(&["triage"]).ended(2).says(&["TARGET"]);
    residue(&["triage", "1", "--demo"]).ended(2).says(&["--demo"]);
    residue(&["triage", "--demo", "--html", "/nowhere/at/all.html", "--for", "200ms"])
        .ended(4)
        .says(&["/nowhere/at/all.html"]);
}
