//! What people ask of `leaks`, `blocks` and `refs` besides: since when, how large, who points there, at what cost.

use std::fs;

use residue_testkit::{Program, Running};
use serde_json::{Value, json};

use crate::harness::begun::Begun;
use crate::harness::dumped::fixture;
use crate::harness::folder::Folder;
use crate::harness::stranger::Stranger;
use crate::harness::told::{kinds, record_of, start};
use crate::harness::{document, number, residue, rows, text, word};

fn kinds_program() -> (Running, String) {
    let program = Program::build("leakkinds.c").spawn(&[]);
    let pid = program.pid().to_string();
    (program, pid)
}

/// A heap with counted leaks, small.
fn heap(leaks: u32) -> (Running, String) {
    let program = Program::build("heapgen").spawn(&["mb=1", &format!("leaks={leaks}")]);
    let pid = program.pid().to_string();
    (program, pid)
}

fn at(program: &Running, name: &str) -> String {
    format!("{:#x}", program.number(name))
}

// --- since ----------------------------------------------------------------------------------------------------------

/// The earlier run is one of the same quiet process, in which somebody had lost less, more, and something not at all.
#[test]
fn a_run_is_compared_with_a_saved_one() {
    let (_program, pid) = heap(50);
    let mut earlier = document(&["leaks", &pid, "--kinds", "definite,indirect"]);
    let all = rows(&earlier, "leaks").len();
    assert!(all >= 4, "{earlier:#}");
    let records = earlier["leaks"].as_array_mut().expect("records");
    let size = number(&records[0], "size");
    records[0]["blocks"] = json!(number(&records[0], "blocks") - 2);
    records[0]["bytes"] = json!(number(&records[0], "bytes") - 2 * size);
    records[1]["blocks"] = json!(number(&records[1], "blocks") + 1);
    records[1]["bytes"] = json!(number(&records[1], "bytes") + 7);
    records.remove(2);
    let folder = Folder::new();
    let saved = folder.with("monday.json", earlier.to_string());

    let since = ["leaks", &pid, "--kinds", "definite,indirect", "--since", &saved];
    let now = document(&since);

    let changes: Vec<_> = rows(&now, "leaks").iter().map(|record| &record["since"]).collect();
    assert_eq!(*changes[0], json!({"kind": "increased", "blocks": 2, "bytes": 2 * size}));
    assert_eq!(*changes[1], json!({"kind": "changed", "blocks": -1, "bytes": -7}));
    assert_eq!(changes[2]["kind"], "new");
    assert!(changes[3..].iter().all(|change| **change == json!({"kind": "same", "blocks": 0, "bytes": 0})));
    // Of the table, only what is asked for: as memcheck's leak_check has it.
    let shown = |which: &str| {
        let shown = text(&[&since[..], &["--changes", which]].concat());
        let words = ["new", "increased", "changed", "same"];
        let has = |word: &str| shown.lines().any(|line| line.split_whitespace().any(|other| other == word));
        words.into_iter().filter(|word| has(word)).collect::<Vec<_>>()
    };
    assert_eq!(shown("increased"), ["new", "increased"]);
    assert_eq!(shown("changed"), ["new", "increased", "changed"]);
    assert_eq!(shown("any"), ["new", "increased", "changed", "same"]);
    assert_eq!(document(&["leaks", &pid])["leaks"][0]["since"], Value::Null, "nothing was compared");
}

/// Kinds that were not asked for on Monday are no losses of Tuesday.
#[test]
fn old_losses_of_other_kinds_are_not_new() {
    let (_program, pid) = kinds_program();
    let folder = Folder::new();
    let mut earlier = document(&["leaks", &pid]);
    let mut extra = earlier["leaks"][0].clone();
    extra["type"] = json!("shop::Gone");
    earlier["leaks"].as_array_mut().expect("records").push(extra);
    let saved = folder.with("monday.json", earlier.to_string());

    let now = document(&["leaks", &pid, "--kinds", "all", "--since", &saved]);

    for record in rows(&now, "leaks") {
        let was_asked = matches!(word(record, "kind"), "definite" | "possible");
        let expected = if was_asked { json!("same") } else { Value::Null };
        assert_eq!(record["since"]["kind"], expected, "{record:#}");
    }
    let gone: Vec<_> = rows(&now, "gone").iter().map(|record| word(record, "type")).collect();
    assert_eq!(gone, ["shop::Gone"]);
    let shown = text(&["leaks", &pid, "--kinds", "all", "--since", &saved]);
    assert!(shown.contains("1 record of the earlier run is gone"), "{shown}");
    assert!(!shown.split_whitespace().any(|word| word == "new"), "{shown}");
    // A document of before this was saved: nobody can tell what is gone.
    for key in ["kinds", "min_size", "tagged"] {
        earlier.as_object_mut().expect("a document").remove(key);
    }
    let old = document(&["leaks", &pid, "--since", &folder.with("old.json", earlier.to_string())]);
    assert!(rows(&old, "leaks").iter().all(|record| record["since"]["kind"] == "same"), "{old:#}");
    assert!(rows(&old, "gone").is_empty());
}

#[test]
fn a_run_with_other_rules_or_without_a_heap_is_not_compared_with() {
    let (_program, pid) = kinds_program();
    let folder = Folder::new();
    let saved = |name: &str, found: Value| folder.with(name, found.to_string());

    let small = saved("small.json", document(&["leaks", &pid, "--min-size", "1K", "--tagged"]));
    let ran = residue(&["leaks", &pid, "--since", &small]).ended(2);
    ran.says(&["small.json", "another --min-size and --tagged"]);
    residue(&["leaks", &pid, "--since", &small, "--min-size", "1K", "--tagged"]).good();

    let blind = document(&["leaks", &fixture("elfcore/lldb-linux-x86_64.core")]);
    assert_eq!((&blind["checked"], &blind["complete"]), (&json!(false), &json!(false)));
    let ran = residue(&["leaks", &pid, "--since", &saved("blind.json", blind)]).ended(3);
    ran.says(&["blind.json", "nothing was searched for leaks"]);
}

#[test]
fn what_is_no_saved_run_is_refused() {
    let (_program, pid) = kinds_program();
    let folder = Folder::new();
    let other = document(&["heap", &pid]).to_string();
    for (name, content) in
        [("garbage", "\u{1}\u{2} no document"), ("empty", ""), ("object", "{}"), ("heap", &other)]
    {
        let file = folder.with(name, content);
        let ran = residue(&["leaks", &pid, "--since", &file]).ended(3);
        assert!(ran.out.is_empty(), "{name}");
        ran.says(&["error: cannot read", name, "cause: ", "help: ", "residue leaks PID --json"]);
    }
    residue(&["leaks", &pid, "--since", &folder.file("missing")]).ended(3).says(&["missing", "No such file"]);
    let file = folder.with("heap", &other);
    residue(&["leaks", &pid, "--since", &file]).ended(3).says(&["residue.heap/1", "residue.leaks/1"]);
}

#[test]
fn again_and_again_until_somebody_interrupts() {
    let (_program, pid) = kinds_program();
    let mut begun = Begun::new(&["leaks", &pid, "--every", "20ms", "--json"]);
    let first: Value = serde_json::from_str(&begun.line()).expect("a document a line");
    let second: Value = serde_json::from_str(&begun.line()).expect("a document a line");

    begun.interrupt();
    let (_, code) = begun.end();

    assert_eq!(code, Some(130));
    assert_eq!(first["leaks"][0]["since"], Value::Null);
    assert!(rows(&second, "leaks").iter().all(|record| record["since"]["kind"] == "same"), "{second:#}");
    assert_eq!(first["totals"], second["totals"]);
}

/// A guard that looks every so often ends with the first loss.
#[test]
fn again_and_again_until_something_is_lost() {
    let ((_leaky, leaky), (_sound, sound)) = (heap(5), heap(0));

    residue(&["leaks", &leaky, "--every", "20ms", "--fail-on", "leak"]).ended(1);
    let mut begun = Begun::new(&["leaks", &sound, "--every", "20ms", "--fail-on", "leak", "--json"]);
    begun.line();
    begun.line();
    begun.interrupt();
    assert_eq!(begun.end().1, Some(130), "nothing is lost: it goes on");
}

#[test]
fn a_dump_stays_as_it_is() {
    let core = fixture("elfcore/lldb-linux-x86_64.core");

    residue(&["leaks", &core, "--every", "1s"]).ended(2).says(&["--every", "dump"]);
}

// --- exit codes -----------------------------------------------------------------------------------------------------

#[test]
fn scripts_are_told_by_the_exit_code() {
    let ((_leaky, leaky), (_sound, sound)) = (heap(5), heap(0));

    residue(&["leaks", &leaky, "--fail-on", "leak"]).ended(1);
    residue(&["leaks", &leaky]).ended(0);
    // Possibly lost is not lost.
    let ran = residue(&["leaks", &sound, "--fail-on", "leak", "--json"]).ended(0);
    assert_eq!(number(&ran.json()["totals"]["possible"], "blocks"), 1);
    // To be blind is not to see no leak.
    let blind = residue(&["leaks", &fixture("elfcore/lldb-linux-x86_64.core"), "--fail-on", "leak"]).ended(4);
    assert!(blind.text().contains("NOT CHECKED"), "{}", blind.text());
    assert!(!blind.text().to_lowercase().contains("no leak"), "{}", blind.text());
}

// --- how much is shown ----------------------------------------------------------------------------------------------

#[test]
fn small_records_are_left_out_on_demand() {
    let (program, pid) = kinds_program();

    let found = document(&["leaks", &pid, "--min-size", "100K", "--all-addresses"]);

    let addresses: Vec<u64> = kinds(&found).into_keys().collect();
    let mut large = [program.number("direct_large"), program.number("lost_table")];
    large.sort_unstable();
    assert_eq!(addresses, large);
    assert!(number(&found["totals"]["definite"], "blocks") > 10, "totals are of all");
}

#[test]
fn records_and_addresses_are_as_many_as_asked_for() {
    let (program, pid) = heap(150);
    assert_eq!(program.number("direct"), 150);

    let (few, all) = (document(&["leaks", &pid]), document(&["leaks", &pid, "--all-addresses"]));
    let listed = |found: &Value| {
        let record = rows(found, "leaks").iter().find(|record| record["blocks"] == 150).expect("the heads");
        rows(record, "addresses").len()
    };
    assert_eq!((listed(&few), listed(&all)), (100, 150));
    let shown = text(&["leaks", &pid, "--kinds", "all", "--limit", "2"]);
    let records = rows(&document(&["leaks", &pid, "--kinds", "all"]), "leaks").len();
    assert!(shown.contains(&format!("{records} RECORDS")), "{shown}");
    assert!(shown.contains(&format!("and {} more records: --limit", records - 2)), "{shown}");
    assert!(shown.contains("\n     2: 0x") && !shown.contains("\n     3: 0x"), "{shown}");
}

/// Strings tell people more than any type.
#[test]
fn text_in_lost_blocks_is_shown() {
    let program = Program::build("leakkinds.cpp").spawn(&[]);
    let pid = program.pid().to_string();

    let found = document(&["leaks", &pid, "--kinds", "indirect"]);

    let previews: Vec<_> =
        rows(&found, "leaks").iter().filter_map(|record| record["preview"].as_str()).collect();
    assert!(previews.iter().any(|preview| preview.starts_with("somebody who ordered")), "{previews:?}");
    assert!(text(&["leaks", &pid, "--kinds", "indirect"]).contains("somebody who ordered"));
}

// --- which pointers count -------------------------------------------------------------------------------------------

/// Each block is held in the way of one heuristic: it is reachable with that alone, and possibly lost without.
#[test]
fn each_heuristic_can_be_chosen() {
    let program = Program::build("leakkinds.cpp").spawn(&[]);
    let pid = program.pid().to_string();
    let found = |heuristics: &str| {
        let arguments = ["leaks", &pid, "--kinds", "all", "--all-addresses", "--heuristics", heuristics];
        let found = document(&arguments);
        assert_eq!(found["heuristics"], if heuristics == "all" { ALL } else { heuristics });
        kinds(&found)
    };
    let names: Vec<&str> =
        program.facts().names().filter_map(|name| name.strip_suffix("_heuristic")).collect();
    assert_eq!(names.len(), 4);

    let (all, none) = (found("all"), found("none"));
    for name in names {
        let (block, heuristic) = (program.number(name), program.fact(&format!("{name}_heuristic")));
        assert_eq!((all[&block].as_str(), none[&block].as_str()), ("reachable", "possible"), "{name}");
        assert_eq!(found(heuristic)[&block], "reachable", "{name}");
        let others: Vec<&str> = ALL.split(", ").filter(|other| *other != heuristic).collect();
        let without = kinds(&document(&[
            "leaks",
            &pid,
            "--kinds",
            "all",
            "--all-addresses",
            "--heuristics",
            &others.join(","),
        ]));
        // Sizes are known to fifteen bytes only: what looks like a length may also be a count.
        let is_either = matches!(heuristic, "length64" | "newarray");
        assert!(is_either || without[&block] == "possible", "{name}");
    }
    residue(&["leaks", &pid, "--heuristics", "guesswork"]).ended(2).says(&["guesswork", "length64"]);
}

const ALL: &str = "stdstring, length64, newarray, multipleinheritance, python";

#[test]
fn marked_pointers_count_on_demand_and_hidden_ones_never() {
    let (program, pid) = kinds_program();
    let of = |more: &[&str]| {
        let found = document(&[&["leaks", &pid, "--kinds", "all", "--all-addresses"], more].concat());
        let kinds = kinds(&found);
        ["tagged", "interior", "xored0", "xored1"].map(|name| kinds[&program.number(name)].clone())
    };

    assert_eq!(of(&[]), ["possible", "possible", "definite", "definite"]);
    assert_eq!(of(&["--tagged"]), ["reachable", "possible", "definite", "definite"]);
}

// --- blocks ---------------------------------------------------------------------------------------------------------

#[test]
fn the_blocks_of_a_record_are_listed() {
    let (_program, pid) = heap(20);
    let found = document(&["leaks", &pid, "--all-addresses"]);
    let record = rows(&found, "leaks").iter().find(|record| record["blocks"] == 20).expect("the heads");
    let number_of_it = number(record, "record").to_string();

    let listed = document(&["blocks", &pid, &number_of_it]);

    let addresses: Vec<_> = rows(&listed, "list").iter().map(|row| row["address"].clone()).collect();
    assert_eq!(json!(addresses), record["addresses"]);
    assert!(rows(&listed, "list").iter().all(|row| row["size"] == record["size"]));
    for key in ["kind", "type", "blocks", "bytes", "retained_bytes"] {
        assert_eq!(listed[key], record[key], "{key}");
    }
    let shown = text(&["blocks", &pid, &number_of_it, "--limit", "3"]);
    assert!(shown.contains("definitely lost") && shown.contains("and 17 more blocks: --limit"), "{shown}");
    assert!(shown.contains(&word(record, "type").to_owned()), "{shown}");
}

/// What is told to be typed next leads to the very record, whatever the options were.
#[test]
fn the_next_command_shows_the_worst_record() {
    let (_program, pid) = kinds_program();
    let options = ["--kinds", "indirect,reachable", "--min-size", "64", "--tagged", "--heuristics", "none"];
    let found = document(&[&["leaks", &pid], &options[..]].concat());
    let shown = text(&[&["leaks", &pid], &options[..]].concat());

    let (_, next) = shown.split_once("next: residue ").expect("a next command");
    let (next, _) = next.split_once(", or").expect("two of them");
    let listed = document(&next.split_whitespace().collect::<Vec<_>>());

    for key in ["kind", "type", "blocks", "bytes"] {
        assert_eq!(listed[key], found["leaks"][0][key], "{key} of {next}");
    }
}

#[test]
fn a_record_that_is_not_there_is_told_with_those_that_are() {
    let (_program, pid) = kinds_program();
    let count = rows(&document(&["leaks", &pid]), "leaks").len();

    for wrong in ["0", "9999"] {
        let ran = residue(&["blocks", &pid, wrong]).ended(3);
        ran.says(&[&format!("no record {wrong}"), &format!("from 1 to {count}"), "residue leaks"]);
    }
}

// --- refs -----------------------------------------------------------------------------------------------------------

/// The only word that points at a block.
#[track_caller]
fn only(found: &Value) -> &Value {
    let live: Vec<_> = rows(found, "references").iter().filter(|row| row["live"] == true).collect();
    assert_eq!(live.len(), 1, "{found:#}");
    live[0]
}

#[test]
fn a_variable_is_told_by_its_name() {
    let (program, pid) = kinds_program();

    let found = document(&["refs", &pid, &at(&program, "global")]);

    let row = only(&found);
    assert_eq!((word(row, "holder"), row["is_start"].as_bool()), ("module", Some(true)));
    assert!(word(row, "symbol").starts_with("global in leakkinds"), "{row}");
    assert_eq!(word(row, "root"), "data of leakkinds");
    assert_eq!(start(&found["range"]), program.number("global"));
    assert_eq!(found["block"]["live"], true);
    assert!(text(&["refs", &pid, &at(&program, "global")]).contains("global in leakkinds"));
}

#[test]
fn a_pointer_inside_is_told_from_one_to_the_start() {
    let (program, pid) = kinds_program();

    let found = document(&["refs", &pid, &at(&program, "interior")]);

    let row = only(&found);
    assert_eq!(row["is_start"], false);
    assert_eq!(row["to"], format!("{:#x}", program.number("interior") + 16));
    assert!(text(&["refs", &pid, &at(&program, "interior")]).contains("inside +0x10"));
}

#[test]
fn a_stack_is_told_with_its_function_and_a_register_with_its_thread() {
    let (program, pid) = kinds_program();

    let main = document(&["refs", &pid, &at(&program, "main_stack")]);
    let thread = document(&["refs", &pid, &at(&program, "thread_stack")]);
    let register = document(&["refs", &pid, &at(&program, "register")]);

    assert_eq!(
        (word(only(&main), "holder"), word(only(&main), "root")),
        ("stack", &*format!("stack of thread {pid}"))
    );
    assert!(word(only(&main), "frame").starts_with("main"), "{main:#}");
    assert!(word(only(&thread), "frame").starts_with("stand"), "{thread:#}");
    let row = only(&register);
    assert_eq!((word(row, "holder"), &row["at"]), ("registers", &Value::Null));
    assert!(word(row, "root").starts_with("registers of thread "), "{row}");
}

#[test]
fn a_block_is_told_with_the_place_in_it_and_a_chain_with_all_steps() {
    let (program, pid) = kinds_program();

    let found = document(&["refs", &pid, &at(&program, "table_child"), "--to-root"]);

    let row = only(&found);
    assert_eq!((word(row, "holder"), number(row, "offset")), ("block", 8000));
    assert_eq!(start(&row["block"]), program.number("table"));
    let chain = rows(&found, "chain");
    assert_eq!(chain.len(), 2, "{chain:#?}");
    assert!(word(&chain[0], "symbol").starts_with("table in leakkinds"), "{}", chain[0]);
    assert_eq!(chain[0]["to"], at(&program, "table"));
    assert_eq!(
        (chain[1]["to"].clone(), start(&chain[1]["block"])),
        (json!(at(&program, "table_child")), program.number("table"))
    );
    let shown = text(&["refs", &pid, &at(&program, "table_child"), "--to-root"]);
    assert!(shown.contains("HELD BY A CHAIN OF 2"), "{shown}");
}

#[test]
fn what_is_lost_has_no_chain_and_what_nobody_points_at_says_so() {
    let (program, pid) = kinds_program();

    let behind = document(&["refs", &pid, &at(&program, "chain1"), "--to-root"]);
    assert_eq!((rows(&behind, "chain").len(), rows(&behind, "references").len()), (0, 1));
    let shown = text(&["refs", &pid, &at(&program, "chain0"), "--to-root"]);
    assert!(shown.contains("nobody points here") && shown.contains("no chain of pointers"), "{shown}");
    let gone = document(&["refs", &pid, &at(&program, "freed_cached")]);
    assert_eq!(gone["block"]["live"], false, "a block that was freed is still a place");
}

#[test]
fn an_address_where_nothing_is_mapped_is_no_error() {
    let (_program, pid) = kinds_program();

    let found = document(&["refs", &pid, "0x100000123457"]);

    assert_eq!((&found["block"], &found["place"]), (&Value::Null, &Value::Null));
    assert!(rows(&found, "references").is_empty());
    assert!(text(&["refs", &pid, "0x100000123457"]).contains("nothing that is mapped"));
    residue(&["refs", &pid, "here"]).ended(2).says(&["here", "hexadecimal"]);
}

/// A range reaches over several blocks, and beyond them.
#[test]
fn a_range_is_asked_for_by_its_length() {
    let (program, pid) = kinds_program();
    let begin = program.number("global");

    let found = document(&["refs", &pid, &format!("{begin:#x}"), "0x400"]);

    assert_eq!(
        found["range"],
        json!({"start": format!("{begin:#x}"), "end": format!("{:#x}", begin + 0x400)})
    );
    let to: Vec<_> = rows(&found, "references").iter().map(|row| row["to"].clone()).collect();
    for name in ["global", "global_child"] {
        assert!(to.contains(&json!(at(&program, name))), "{name}: {to:?}");
    }
}

// --- what it costs the process --------------------------------------------------------------------------------------

#[test]
fn who_does_not_stop_the_process_is_told_what_that_means() {
    let (_program, pid) = kinds_program();

    let (running, stopped) = (document(&["leaks", &pid, "--no-stop"]), document(&["leaks", &pid]));

    assert_eq!((&running["fuzzy"], &stopped["fuzzy"]), (&json!(true), &json!(false)));
    let gaps = rows(&running, "gaps");
    assert!(gaps.iter().any(|gap| word(gap, "why").contains("ran on")), "{gaps:?}");
    assert!(text(&["leaks", &pid, "--no-stop"]).contains("no exact picture"));
    assert!(stopped["stopped_ms"].as_f64().is_some_and(|time| time > 0.0), "{}", stopped["stopped_ms"]);
    assert!(text(&["leaks", &pid]).contains("it stood still for"));
}

#[test]
fn a_snapshot_tells_the_same_and_leaves_nothing_behind() {
    let mut program = Program::build("needles").spawn(&[]);
    let (heap, heap_pid) = heap(30);
    let pid = program.pid().to_string();

    residue(&["leaks", &pid, "--snapshot"]).good();
    let (copy, stopped) = (document(&["leaks", &heap_pid, "--snapshot"]), document(&["leaks", &heap_pid]));

    assert_eq!(copy["totals"], stopped["totals"]);
    assert_eq!(
        number(&copy["totals"]["definite"], "blocks"),
        heap.number("direct") + heap.number("ring_blocks")
    );
    assert_eq!(copy["fuzzy"], false);
    for pid in [&pid, &heap_pid] {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
        assert_eq!(children, "", "no child and no zombie");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        assert!(status.contains("TracerPid:\t0\n") && !status.contains("State:\tT"), "{status}");
    }
    assert_eq!(program.ask("onward").word(), "on", "every thread counts further");
}

#[test]
fn the_blocks_of_others_are_refused_with_what_to_do() {
    let stranger = Stranger::new();
    let (program, pid) = kinds_program();
    let address = at(&program, "global");

    for arguments in
        [&["leaks", &pid][..], &["heap", &pid], &["blocks", &pid, "1"], &["refs", &pid, &address]]
    {
        let ran = stranger.residue(arguments).ended(3);
        assert!(ran.out.is_empty(), "{arguments:?}");
        ran.says(&["error: ", &pid, "cause: ", "help: ", "root"]);
    }
}

/// The record of a block is found again in a core, and by its class.
#[test]
fn objects_of_cpp_are_told_by_class_in_the_table() {
    let program = Program::build("leakkinds.cpp").spawn(&[]);
    let pid = program.pid().to_string();

    let found = document(&["leaks", &pid]);

    assert_eq!(record_of(&found, program.number("order"))["type"], "shop::Order");
    assert!(text(&["leaks", &pid]).contains("shop::Order, "));
}
