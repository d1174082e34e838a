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

/// Of the process that asks even Wine tells what is in RAM of each region: where every part is known, so is the sum.
#[test]
fn what_is_in_ram_of_each_region_is_summed() {
    let folder = Folder::new();
    let file = &folder.file("self.json");
    residue(&["selfcheck", "-o", file]).good();
    let map = document(&["map", file]);
    let total = &map["summary"]["total"];
    let resident = total["rss"].as_u64().expect("it is told");
    let working_set = map["footprint"]["working_set"].as_u64().expect("it is told");
    assert!(resident > 1 << 20 && resident <= working_set * 2, "{resident} and {working_set}");
    assert!(number(total, "uss") <= resident, "{total}");
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
