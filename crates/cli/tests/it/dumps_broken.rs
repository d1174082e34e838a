//! Dumps that are packed, cut off or none at all: what is there is shown, and what is not is said.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::dumped::Dumped;
use crate::harness::folder::Folder;
use crate::harness::{BINARY, Ran, document, number, residue, rows, text, word};

/// A core, and another of the same process, packed.
fn packed() -> (Dumped, String) {
    let dumped = Dumped::of("needles", &[]);
    let packed = dumped.folder.file("packed");
    residue(&["dump", &dumped.pid(), "-o", &packed, "--compress"]).good();
    (dumped, packed)
}

/// What a document says of memory: without the file that it was read from, and without stacks, which move.
fn of_memory(mut map: Value) -> Value {
    let regions = map["regions"].as_array_mut().expect("rows");
    regions.retain(|region| word(region, "usage").starts_with("anonymous_1"));
    Value::Array(regions.clone())
}

/// What it is is told by its first bytes, whatever it is called.
#[test]
fn a_packed_core_is_a_core() {
    let (dumped, packed) = packed();
    assert!(fs::read(&packed).expect("it was written").starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    let small = fs::metadata(&packed).expect("it was written").len();
    assert!(small < fs::metadata(&dumped.core).expect("it was written").len() / 10, "{small} bytes");

    assert_eq!(of_memory(document(&["map", &packed])), of_memory(document(&["map", &dumped.core])));
    let found = document(&["search", &packed, "tawny owl 4711"]);
    assert_eq!((number(&found, "count"), word(&found["target"], "file")), (7, packed.as_str()));
    let place = ["0x100000007ffb", "32"];
    assert_eq!(
        text(&[&["read", packed.as_str()], &place[..]].concat()),
        text(&[&["read", dumped.core.as_str()], &place[..]].concat())
    );
    assert!(text(&["triage", &packed]).contains("ELF core of needles"));
}

#[test]
fn a_core_packed_by_gzip_is_a_core() {
    let dumped = Dumped::of("needles", &[]);
    let packed = dumped.folder.file("core.gz");
    let done =
        Command::new("sh").args(["-c", "gzip -1 <\"$1\" >\"$2\"", "sh", &dumped.core, &packed]).status();
    assert!(done.expect("sh starts").success());

    assert_eq!(number(&document(&["search", &packed, "tawny owl 4711"]), "count"), 7);
}

/// The disk was full: half a core tells half, and says so.
#[test]
fn a_cut_core_tells_what_is_left_of_it() {
    let dumped = Dumped::of("needles", &[]);
    let cut = dumped.cut(20 << 20);

    let map = document(&["map", &cut]);
    let gap = rows(&map, "gaps").iter().find(|gap| word(gap, "why").contains("cut off"));
    let gap = gap.unwrap_or_else(|| panic!("that it is cut is not said: {}", map["gaps"]));
    assert!(word(gap, "why").contains(&format!("{}", 20 << 20)), "{gap}");
    let whole = document(&["map", &dumped.core]);
    assert_eq!(rows(&map, "regions").len(), rows(&whole, "regions").len(), "the headers tell of all regions");
    let saved = |map: &Value| rows(map, "regions").iter().map(|region| number(region, "saved")).sum::<u64>();
    assert!(0 < saved(&map) && saved(&map) < 20 << 20 && saved(&map) < saved(&whole));

    for command in [&["map", &cut][..], &["triage", &cut], &["search", &cut, "tawny owl 4711"]] {
        let said = text(command);
        let missing = said.split("NOT SEEN").nth(1).unwrap_or_else(|| panic!("{command:?}: {said}"));
        assert!(missing.contains("cut off"), "{command:?}: {said}");
    }
    // The meadow begins before the cut and ends behind it.
    let found = document(&["search", &cut, "tawny owl 4711"]);
    assert!((1..7).contains(&number(&found, "count")), "{found}");
}

#[test]
fn a_packed_core_whose_end_is_missing_tells_what_is_left_of_it() {
    let (dumped, packed) = packed();
    let bytes = fs::read(&packed).expect("it was written");
    let cut = dumped.folder.with("half.zst", &bytes[..bytes.len() / 2]);

    let said = text(&["map", &cut]);

    let missing = said.split("NOT SEEN").nth(1).unwrap_or_else(|| panic!("{said}"));
    assert!(missing.contains("zstd") && missing.contains("cannot be unpacked to its end"), "{said}");
}

#[test]
fn garbage_is_refused_with_a_reason() {
    let (dumped, packed) = packed();
    let folder = Folder::new();
    let packed = fs::read(packed).expect("it was written");
    let core = fs::read(&dumped.core).expect("it was written");

    for (file, words) in [
        (folder.with("noise", [0xa5; 5000]), "neither an ELF core nor a minidump"),
        (folder.with("header", &core[..40]), "header"),
        (folder.with("front.zst", &packed[..60]), "zstd"),
        (folder.with("noise.zst", b"\x28\xb5\x2f\xfdnothing that was ever packed"), "zstd"),
        (folder.with("short.dmp", b"MDMP\x93\xa7\0\0"), "minidump"),
    ] {
        for command in [
            &["map", &file][..],
            &["triage", &file],
            &["search", &file, "x"],
            &["read", &file, "0x1000", "16"],
        ] {
            let ran = residue(command).ended(3);
            assert!(ran.out.is_empty(), "{command:?}: {}", ran.text());
            ran.says(&["error: ", &file, words, "\n  help: "]);
        }
    }
}

/// Each command that is proposed for a dump can be pasted into a shell, however the file is called.
#[test]
fn proposed_commands_can_be_pasted() {
    let dumped = Dumped::at("pages", &["count=200"], "it's a \"core\" of $HOME");
    let report = document(&["triage", &dumped.core]);
    let mut proposed: Vec<&str> =
        rows(&report, "findings").iter().map(|finding| word(finding, "next")).collect();
    let lines = rows(&report, "findings").iter().flat_map(|finding| rows(finding, "evidence"));
    let also = lines.filter_map(|line| line.as_str()?.strip_prefix("as files: "));
    proposed.extend(also.filter(|line| line.starts_with("residue ")));
    assert!(proposed.iter().any(|line| line.starts_with("residue search ")), "{proposed:?}");
    assert!(proposed.iter().any(|line| line.starts_with("residue read ")), "{proposed:?}");

    for line in proposed {
        let mut shell = Command::new("sh");
        let script = format!("residue() {{ \"$RESIDUE\" \"$@\"; }}; {line}");
        shell.args(["-c", &script]).env("RESIDUE", BINARY).current_dir(dumped.folder.path());
        let ran = Ran::of(shell).good();
        assert!(!ran.out.is_empty(), "{line}");
        if line.starts_with("residue search ") {
            assert!(!ran.text().starts_with("0 matches"), "{line}: {}", ran.text());
        }
    }
}
