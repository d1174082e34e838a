//! Documents: what they hold is documented, and what could not be read is null.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::dumped::{Dumped, fixture};
use crate::harness::folder::Folder;
use crate::harness::{document, residue, rows, word};

fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                into.insert(key.clone());
                keys(value, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

fn schema() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report-schema.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn assert_documented(document: &Value) {
    let (schema, mut found) = (schema(), BTreeSet::new());
    keys(document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    let missing: Vec<&String> = found.iter().filter(|key| !schema.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/report-schema.md does not tell of {missing:?}");
    let name = word(document, "schema");
    assert!(schema.contains(&format!("`{name}`")), "docs/report-schema.md does not tell of {name}");
    assert_eq!(word(document, "residue"), env!("CARGO_PKG_VERSION"));
    assert!(document["target"].is_object());
    for gap in rows(document, "gaps") {
        assert!(!word(gap, "what").is_empty() && !word(gap, "why").is_empty(), "{gap}");
    }
}

#[test]
fn every_field_of_ps_is_documented() {
    for by in ["process", "user", "mapping", "system"] {
        assert_documented(&document(&["ps", "--by", by]));
    }
}

#[test]
fn every_field_of_a_map_is_documented() {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid().to_string();

    assert_documented(&document(&["map", &pid]));
    assert_documented(&document(&["map", &pid, "--gentle"]));
}

#[test]
fn every_field_of_a_difference_is_documented() {
    let layout = Program::build("layout").spawn(&[]);
    let other = Program::build("equal_blocks").spawn(&["count=5"]);

    assert_documented(&document(&["map", &layout.pid().to_string(), "--diff", &other.pid().to_string()]));
}

/// With a verdict that has a rate, places and a forecast: thin evidence would leave half of the fields out.
#[test]
fn every_field_of_a_verdict_is_documented() {
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=16000000"]);

    let report = document(&["triage", &leaky.pid().to_string(), "--for", "9s"]);

    assert!(report["verdict"]["forecast"].is_object(), "{:#}", report["verdict"]);
    assert!(!rows(&report["verdict"], "where").is_empty());
    assert_documented(&report);
}

#[test]
fn every_field_of_a_watch_is_documented() {
    let layout = Program::build("layout").spawn(&[]);

    assert_documented(&document(&["watch", &layout.pid().to_string(), "--for", "500ms"]));
}

#[test]
fn every_field_of_a_dump_is_documented() {
    let dumped = Dumped::of("pages", &["count=300"]);
    let (core, again) = (&dumped.core, dumped.folder.file("again"));

    assert_documented(&document(&["dump", &dumped.pid(), "-o", &again]));
    for target in [core, &fixture("minidump/breakpad-tiny-exe-with-cet-xsave.dmp"), &crashed()] {
        assert_documented(&document(&["map", target]));
        assert_documented(&document(&["map", target, "--diff", core]));
        assert_documented(&document(&["search", target, "e"]));
    }
    let report = document(&["triage", core]);
    let strings = rows(&rows(&report, "contents")[0], "strings");
    assert!(strings[0]["counted"].is_object() && !rows(&report, "findings").is_empty(), "{report}");
    assert_documented(&report);
    assert_documented(&document(&["triage", &crashed()]));
}

/// A core that the kernel wrote when its process died: with an event.
fn crashed() -> String {
    fixture("elfcore/lldb-linux-x86_64.core")
}

#[test]
fn every_field_of_what_is_read_is_documented() {
    let dumped = Dumped::of("pages", &["count=300"]);
    let place = format!("{:#x}", dumped.program.number("first"));
    let folder = dumped.folder.file("regions");

    for target in dumped.targets() {
        assert_documented(&document(&["read", &target, &place, "64"]));
        assert_documented(&document(&["search", &target, "Seed Exchange", "--limit", "3"]));
    }
    assert_documented(&document(&["read", &dumped.core, "--all-matching", "size=0x20000", "-o", &folder]));
}

/// Of a process that lost something, with rings, damage, and what was compared: empty lists would leave half of the fields out.
#[test]
fn every_field_of_what_is_asked_of_blocks_is_documented() {
    let dumped = Dumped::of("leakkinds.c", &[]);
    let damaged = Program::build("damaged").spawn(&["mode=overflow"]);
    let child = format!("{:#x}", dumped.program.number("table_child"));
    let saved = dumped.folder.file("saved");

    let damaged = document(&["heap", &damaged.pid().to_string()]);
    assert!(!rows(&damaged["heaps"][0], "damage").is_empty(), "{:#}", damaged["heaps"]);
    assert_documented(&damaged);
    for target in dumped.targets() {
        let heap = document(&["heap", &target]);
        assert!(!rows(&heap["pins"], "by").is_empty() && !rows(&heap, "types").is_empty());
        assert_documented(&heap);
        let leaks = document(&["leaks", &target, "--kinds", "all"]);
        fs::write(&saved, leaks.to_string()).expect("an own folder");
        let since = document(&["leaks", &target, "--since", &saved]);
        assert!(since["leaks"][0]["since"].is_object() && !rows(&since, "roots").is_empty());
        assert_documented(&since);
        assert_documented(&document(&["blocks", &target, "1"]));
        let refs = document(&["refs", &target, &child, "--to-root"]);
        assert_eq!(rows(&refs, "chain").len(), 2);
        assert_documented(&refs);
    }
}

/// What malloc says is no document, wherever the word for one stands.
#[test]
fn the_words_of_malloc_are_no_document() {
    let program = Program::build("leakkinds.c").spawn(&[]);
    let pid = program.pid().to_string();

    for arguments in [["heap", &pid, "--malloc-stats", "--json"], ["--json", "heap", &pid, "--malloc-stats"]]
    {
        let ran = residue(&arguments).ended(2);
        assert!(ran.out.is_empty(), "{arguments:?}");
        ran.says(&["--malloc-stats", "--json"]);
    }
}

/// The other way round: what is documented of blocks is there, of a dump and where nothing was found too.
#[test]
fn the_fields_that_are_promised_of_blocks_are_there() {
    let dumped = Dumped::of("leakkinds.c", &[]);
    let child = format!("{:#x}", dumped.program.number("table_child"));
    let has = |value: &Value, keys: &[&str]| {
        for key in keys {
            assert!(value.get(key).is_some(), "no `{key}` in {value:#}");
        }
    };

    for target in dumped.targets() {
        let heap = document(&["heap", &target]);
        has(
            &heap,
            &["heaps", "recognised", "state", "sums", "sizes", "types", "pins", "stopped_ms", "fuzzy"],
        );
        let keys =
            ["allocator", "layout", "verified", "arenas", "mallinfo", "parameters", "identities", "damage"];
        has(&heap["heaps"][0], &keys);
        let leaks = document(&["leaks", &target]);
        has(&leaks, &["heaps", "checked", "complete", "totals", "leaks", "gone", "roots"]);
        has(&leaks, &["kinds", "min_size", "heuristics", "tagged", "fuzzy", "interrupted"]);
        let record =
            ["record", "kind", "blocks", "bytes", "retained_bytes", "cycle", "members", "type", "size"];
        has(&leaks["leaks"][0], &record);
        has(&leaks["leaks"][0], &["preview", "since", "addresses"]);
        has(&document(&["blocks", &target, "1"]), &[&record[..], &["list"]].concat());
        let refs = document(&["refs", &target, &child]);
        has(&refs, &["range", "block", "place", "references", "chain", "interrupted"]);
        let row =
            ["at", "to", "is_start", "holder", "block", "offset", "live", "root", "symbol", "frame", "type"];
        has(&refs["references"][0], &row);
    }
    let blind = document(&["leaks", &crashed()]);
    assert_eq!(
        (&blind["checked"], &blind["totals"]),
        (&Value::Bool(false), &Value::Null),
        "unknown is not zero"
    );
}

/// Of a dump too: what the interface promises is there.
#[test]
fn the_fields_that_are_promised_of_a_dump_are_there() {
    let dumped = Dumped::of("pages", &["count=300"]);
    let has = |value: &Value, keys: &[&str]| {
        for key in keys {
            assert!(value.get(key).is_some(), "no `{key}` in {value:#}");
        }
    };

    let found = document(&["search", &dumped.core, "Seed Exchange", "--limit", "3"]);
    has(&found, &["schema", "residue", "target", "gaps", "count", "matches", "regions_hit", "first", "last"]);
    has(&found["matches"][0], &["address", "region", "preview"]);
    let map = document(&["map", &dumped.core]);
    has(&map["regions"][0], &["start", "end", "size", "usage", "rss", "saved", "content", "preview"]);
    let triage = document(&["triage", &dumped.core]);
    has(&triage, &["findings", "verdict", "contents", "map"]);
    has(&triage["findings"][0], &["id", "severity", "title", "evidence", "next"]);
}

/// The other way round: what is documented for `residue.map/1` by the interface is there. Scripts rely on it.
#[test]
fn the_fields_that_are_promised_are_there() {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid().to_string();
    let has = |value: &Value, keys: &[&str]| {
        for key in keys {
            assert!(value.get(key).is_some(), "no `{key}` in {value:#}");
        }
    };

    let ps = document(&["ps", "--filter", &format!("pid={pid}")]);
    has(&ps, &["schema", "residue", "target", "gaps", "processes", "totals"]);
    has(&ps["processes"][0], &["pid", "name", "command", "user", "vss", "rss", "pss", "uss", "swap"]);
    let map = document(&["map", &pid]);
    has(&map, &["summary", "free", "histogram", "regions", "fragmentation"]);
    has(&map["summary"], &["by_usage", "by_type", "by_state", "by_protection"]);
    has(&map["summary"]["by_usage"][0], &["key", "regions", "size", "largest", "rss"]);
    has(&map["free"], &["total", "largest", "top"]);
    has(&map["free"]["top"][0], &["start", "end", "size"]);
    has(&map["histogram"][0], &["size", "regions", "total"]);
    has(&map["fragmentation"], &["index"]);
    let region = [
        "start",
        "end",
        "size",
        "protection",
        "type",
        "state",
        "usage",
        "name",
        "allocation_base",
        "rss",
        "pss",
        "uss",
        "swap",
    ];
    has(&map["regions"][0], &region);
    let watch = document(&["watch", &pid, "--for", "300ms"]);
    let verdict = [
        "verdict",
        "confidence",
        "signal",
        "rate_bytes_per_hour",
        "where",
        "forecast",
        "need_seconds",
        "why",
    ];
    has(&watch["series"][0], &verdict);
    let triage = document(&["triage", &pid, "--for", "300ms"]);
    has(&triage, &["findings", "verdict", "map"]);
    has(&triage["verdict"], &verdict);
    has(&triage["findings"][0], &["id", "severity", "title", "evidence", "next"]);
}

/// Of a document for one process only its numbers change from run to run, never its fields.
#[test]
fn fields_do_not_depend_on_what_was_found() {
    let small = Program::build("equal_blocks").spawn(&["count=1"]);
    let layout = Program::build("layout").spawn(&[]);
    let fields = |pid: u32| {
        let mut found = BTreeSet::new();
        let mut map = document(&["map", &pid.to_string()]);
        for region in map["regions"].as_array_mut().expect("rows") {
            region["shared_segment"] = Value::Null;
        }
        map["gaps"] = Value::Null;
        keys(&map, &mut found);
        found
    };

    assert_eq!(fields(small.pid()), fields(layout.pid()));
}

/// A saved document is a file like any other: it reads back.
#[test]
fn a_document_ends_with_a_newline_and_is_one_line() {
    let folder = Folder::new();
    let path = folder.with("ps.json", residue(&["ps", "--json"]).good().out);

    let text = fs::read_to_string(path).expect("it was written");

    assert_eq!(text.matches('\n').count(), 1);
    assert!(text.ends_with("}\n"));
}
