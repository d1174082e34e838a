use super::victim;
use crate::harness::folder::Folder;
use crate::harness::{document, number, residue, rows, text, word};

/// What the calls say fits together, and what this system does not give is not passed.
#[test]
fn the_calls_agree_with_each_other() {
    let found = document(&["selfcheck"]);
    let checks = rows(&found, "checks");
    assert!(checks.len() > 10, "{found}");
    for check in checks {
        assert_ne!(word(check, "outcome"), "fail", "{check}");
    }
    assert!(checks.iter().filter(|check| check["outcome"] == "pass").count() > 8, "{checks:?}");
}

/// The recording is concluded again to the same address space, usage by usage.
#[test]
fn a_recording_is_the_process_again() {
    let victim = victim();
    let folder = Folder::new();
    let file = &folder.file("victim.json");
    let pid = victim.pid().to_string();

    residue(&["selfcheck", &pid, "-o", file]).good();
    let (live, recorded) = (document(&["map", &pid]), document(&["map", file]));

    let usages = |map: &serde_json::Value| -> Vec<(String, u64, u64)> {
        let row = |row: &serde_json::Value| {
            (word(row, "key").to_owned(), number(row, "regions"), number(row, "size"))
        };
        rows(&map["summary"], "by_usage").iter().map(row).collect()
    };
    assert_eq!(usages(&recorded), usages(&live));
    assert_eq!(recorded["free"]["largest"], live["free"]["largest"]);
    assert!(text(&["map", file]).contains("selfcheck recording"));
}
