//! `map --diff`: what changed since, and how two processes differ.

use std::time::{Duration, Instant};

use residue_testkit::{Program, Running};
use serde_json::{Value, json};

use crate::harness::folder::Folder;
use crate::harness::{document, number, residue, row_of, rows, text, word};

const BLOCK: u64 = 256 * 1024;

/// A process that loses mappings of 256 KiB until it has lost `blocks`.
fn leaky(blocks: u64) -> Running {
    let (size, limit) = (format!("size={BLOCK}"), format!("limit={}", blocks * BLOCK));
    Program::build("leaky").spawn(&["mode=mmap", "rate=200000000", &size, &limit])
}

/// Waits until the program says that it has lost so much: the truth that is compared with.
fn lost(leaky: &mut Running, blocks: u64) {
    let begin = Instant::now();
    while leaky.ask("count").number("blocks") < blocks {
        assert!(begin.elapsed() < Duration::from_secs(60), "it does not leak");
    }
}

fn save(folder: &Folder, pid: &str) -> String {
    folder.with("before.json", residue(&["map", pid, "--json"]).good().out)
}

#[test]
fn growth_since_a_saved_map_is_shown() {
    // It waits for its limit before it is saved: nothing moves then but what the test makes move.
    let mut small = leaky(10);
    lost(&mut small, 10);
    let mut large = leaky(50);
    lost(&mut large, 50);
    let folder = Folder::new();
    let before = save(&folder, &small.pid().to_string());

    let diff = document(&["map", &large.pid().to_string(), "--diff", &before]);

    assert_eq!(diff["schema"], "residue.map-diff/1");
    let grown: i64 = rows(&diff, "by_usage")
        .iter()
        .filter(|row| word(row, "usage").starts_with("anonymous"))
        .map(|row| row["size"].as_i64().expect("a change"))
        .sum();
    // Neighbouring mappings merge, so their number says nothing, but their size does.
    let table = grown - 40 * i64::try_from(BLOCK).expect("small");
    assert!(table.abs() < 128 * 1024, "grown by {grown}");
}

/// The same process twice: new regions and changed ones are told apart, and what stood still is not listed.
#[test]
fn only_what_moved_is_listed() {
    let mut leaky = Program::build("leaky").spawn(&["mode=mmap", "rate=4000000", "size=262144"]);
    let folder = Folder::new();
    let pid = leaky.pid().to_string();
    let before = save(&folder, &pid);
    let blocks = leaky.ask("count").number("blocks");
    lost(&mut leaky, blocks + 20);

    let diff = document(&["map", &pid, "--diff", &before]);
    let shown = text(&["map", &pid, "--diff", &before]);

    let regions = rows(&diff, "regions");
    assert!(!regions.is_empty());
    let size: i64 = regions.iter().map(|row| row["size"].as_i64().expect("a change")).sum();
    assert!(size >= 20 * i64::try_from(BLOCK).expect("small"), "{size}: {regions:#?}");
    let usage = rows(&diff, "by_usage").first().expect("something grew");
    assert!(word(usage, "usage").starts_with("anonymous"), "{usage}");
    assert_eq!(usage["rss"], usage["size"], "every byte was touched");
    // Reading the clock and its input may bring in a page of libc; its size stands still.
    let files = regions.iter().filter(|row| word(row, "name").contains(".so") && row["size"] != 0);
    assert_eq!(files.count(), 0, "{regions:#?}");
    assert!(shown.contains('+') && shown.contains("MiB"), "{shown}");
}

#[test]
fn what_does_not_change_is_no_difference() {
    let layout = Program::build("layout").spawn(&[]);
    let folder = Folder::new();
    let pid = layout.pid().to_string();
    let before = save(&folder, &pid);

    let diff = document(&["map", &pid, "--diff", &before]);

    assert_eq!((&diff["by_usage"], &diff["regions"]), (&json!([]), &json!([])));
}

#[test]
fn another_process_can_be_compared_with() {
    let one = Program::build("equal_blocks").spawn(&["count=10"]);
    let other = Program::build("equal_blocks").spawn(&["count=25"]);

    let diff = document(&["map", &other.pid().to_string(), "--diff", &one.pid().to_string()]);

    let grown: Vec<&Value> =
        rows(&diff, "by_usage").iter().filter(|row| row["usage"] == "anonymous_128k_to_1m").collect();
    assert_eq!(grown.len(), 1, "{diff:#}");
    assert_eq!((&grown[0]["regions"], &grown[0]["size"]), (&json!(15), &json!(15 * 128 * 1024)));
    let new = rows(&diff, "regions").iter().filter(|row| row["change"] == "new" && row["size"] == 128 * 1024);
    assert_eq!(new.count(), 15);
    let back = document(&["map", &one.pid().to_string(), "--diff", &other.pid().to_string()]);
    let shrunk = row_of(rows(&back, "by_usage"), "usage", "anonymous_128k_to_1m");
    assert_eq!(shrunk["regions"], -15);
}

#[test]
fn what_is_no_saved_map_is_refused() {
    let layout = Program::build("equal_blocks").spawn(&["count=1"]);
    let pid = layout.pid().to_string();
    let folder = Folder::new();
    let whole = residue(&["map", &pid, "--json"]).good().out;

    for file in [
        folder.with("empty.json", ""),
        folder.with("garbage.json", [0xA5_u8; 4000]),
        folder.with("cut.json", &whole[..whole.len() / 2]),
        folder.with("list.json", "[1, 2, 3]"),
        folder.with("other.json", residue(&["ps", "--filter", &format!("pid={pid}"), "--json"]).good().out),
        folder.with("future.json", String::from_utf8_lossy(&whole).replace("residue.map/1", "residue.map/2")),
    ] {
        let ran = residue(&["map", &pid, "--diff", &file]).ended(3);
        assert!(ran.out.is_empty(), "{file}");
        ran.says(&["error: ", &file, "help: ", "residue map PID --json"]);
    }
    residue(&["map", &pid, "--diff", &folder.file("missing.json")]).ended(3).says(&["missing.json"]);
}

/// A map that was read in part only cannot say what grew: unknown is not nothing.
#[test]
fn unknown_sizes_give_an_unknown_change() {
    let program = Program::build("equal_blocks").spawn(&["count=4"]);
    let pid = program.pid().to_string();
    let mut saved = document(&["map", &pid]);
    for region in saved["regions"].as_array_mut().expect("rows") {
        region["rss"] = Value::Null;
    }
    let folder = Folder::new();
    let before = folder.with("before.json", saved.to_string());

    let other = Program::build("equal_blocks").spawn(&["count=6"]);
    let diff = document(&["map", &other.pid().to_string(), "--diff", &before]);

    let row = row_of(rows(&diff, "by_usage"), "usage", "anonymous_128k_to_1m");
    assert_eq!((&row["regions"], &row["rss"]), (&json!(2), &Value::Null));
    assert_eq!(number(row, "size"), 2 * 128 * 1024);
}
