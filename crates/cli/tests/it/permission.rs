//! What may not be read is said, with what to do about it. It never looks like nothing.

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::crowd::Crowd;
use crate::harness::stranger::Stranger;
use crate::harness::{document, number, rows, word};

#[test]
fn the_memory_of_others_is_refused_with_what_to_do() {
    let stranger = Stranger::new();
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid().to_string();

    for arguments in [&["map", &pid][..], &["map", &pid, "--gentle"], &["triage", &pid, "--for", "1s"]] {
        let ran = stranger.residue(arguments).ended(3);
        assert!(ran.out.is_empty(), "{arguments:?}");
        ran.says(&["error: ", &pid, "layout", "cause: ", "help: ", "root", "setcap cap_sys_ptrace"]);
    }
}

/// Anyone may read `status`, so growth can be watched; where it grows cannot be seen, and that is said.
#[test]
fn growth_of_others_is_seen_but_not_where() {
    let stranger = Stranger::new();
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=8000000"]);
    let pid = leaky.pid().to_string();

    let watched = stranger.residue(&["watch", &pid, "--for", "9s", "--json"]).good().json();

    let series = &watched["series"][0];
    assert_eq!(series["verdict"], "likely_leak", "{:#}", series["why"]);
    assert_eq!(series["where"], Value::Null, "unknown is not nowhere");
    let samples = rows(series, "samples");
    assert!(samples.iter().all(|sample| sample["by_usage"].is_null()), "unknown is not empty");
    assert!(number(&samples[0], "rss") > 0);
    let gaps = rows(&watched, "gaps");
    assert!(gaps.iter().any(|gap| word(gap, "what").contains(&pid)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| word(gap, "why").contains("root")), "{gaps:?}");
}

/// A table that leaves processes out, or shows them as empty, would be believed.
#[test]
fn ps_counts_what_it_may_not_read() {
    let stranger = Stranger::new();
    let crowd = Crowd::of("denied", 3);

    let document = stranger.residue(&["ps", "--json", "--filter", &crowd.filter()]).good().json();

    for row in crowd.rows_in(&document) {
        for unknown in ["pss", "uss", "swap_pss", "maps"] {
            assert_eq!(row[unknown], Value::Null, "{unknown}: unknown is not zero");
        }
        assert!(number(&row, "rss") > 2 << 20, "anyone may read this");
        assert!(number(&row, "anon") > 2 << 20);
    }
    let gap = rows(&document, "gaps").iter().find(|gap| word(gap, "what").starts_with("4 of "));
    let gap = gap.unwrap_or_else(|| panic!("no count: {}", document["gaps"]));
    assert!(word(gap, "what").contains("processes not readable"), "{gap}");
    assert!(word(gap, "why").contains("run as root"), "{gap}");
    assert_eq!(document["totals"]["pss"], Value::Null, "a sum of unknown parts is unknown");
}

#[test]
fn ps_prints_the_gap_below_the_table() {
    let stranger = Stranger::new();
    let crowd = Crowd::of("printed", 2);
    let pid = crowd.pids[0].to_string();

    let shown =
        stranger.residue(&["ps", "--columns", "pid,pss,rss", "--filter", &crowd.filter()]).good().text();

    let row = shown.lines().find(|line| line.trim_start().starts_with(&pid)).expect("its row");
    assert_eq!(row.split_whitespace().nth(1), Some("-"), "{row}");
    assert!(row.contains("MiB"), "{row}");
    assert!(shown.contains("3 of ") && shown.contains("processes not readable"), "{shown}");
    assert!(shown.contains("run as root"), "{shown}");
}

/// Columns that anyone may read leave no gap: a warning for nothing teaches to overlook warnings.
#[test]
fn what_anyone_may_read_leaves_no_gap() {
    let stranger = Stranger::new();
    let crowd = Crowd::of("readable", 2);

    let shown =
        stranger.residue(&["ps", "--columns", "pid,rss,vss", "--filter", &crowd.filter()]).good().text();

    assert!(shown.contains(&crowd.pids[1].to_string()), "{shown}");
    assert!(!shown.contains("not readable"), "{shown}");
}

/// With `hidepid` the kernel does not even list the others: a short list must not pass for the whole machine.
#[test]
fn hidden_processes_are_a_gap() {
    let stranger = Stranger::new();
    let crowd = Crowd::of("hidden", 2);

    let document = stranger.residue_with_hidepid(&["ps", "--json"]).good().json();
    let shown = stranger.residue_with_hidepid(&["ps"]).good().text();

    let others = rows(&document, "processes").iter().filter(|row| row["user"] == "root").count();
    assert_eq!(others, 0, "they are hidden");
    let gap = rows(&document, "gaps").iter().find(|gap| word(gap, "why").contains("hidepid"));
    assert!(gap.is_some_and(|gap| word(gap, "why").contains("root")), "{}", document["gaps"]);
    assert!(shown.contains("hidepid"), "{shown}");
    let denied = stranger.residue_with_hidepid(&["map", &crowd.pids[0].to_string()]).ended(3);
    denied.says(&["error: ", &crowd.pids[0].to_string()]);
}

/// Own processes can be read without any right.
#[test]
fn own_processes_need_no_right() {
    let stranger = Stranger::new();
    let program = Program::build("equal_blocks").path().expect("it builds");
    let copy = stranger.folder_file("equal_blocks");
    std::fs::copy(program, &copy).expect("it can be copied");
    let mut command = stranger.command(&[&copy, "count=50"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("setpriv starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("stdout was asked for");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("it speaks");
    let pid = child.id().to_string();

    let map = stranger.residue(&["map", &pid, "--json"]);
    let gentle = stranger.residue(&["map", &pid, "--json", "--gentle"]);
    let as_root = document(&["map", &pid]);
    drop(child.stdin.take());
    child.wait().expect("it ends");

    let (map, gentle) = (map.good().json(), gentle.good().json());
    assert_eq!(map["gaps"], serde_json::json!([]));
    assert_eq!(map["footprint"]["uss"], as_root["footprint"]["uss"]);
    // Who shares a page is for root to know: then pss is unknown, and that is said.
    assert_eq!(gentle["footprint"]["pss"], Value::Null);
    assert_eq!(gentle["footprint"]["rss"], as_root["footprint"]["rss"]);
    assert!(rows(&gentle, "gaps").iter().any(|gap| word(gap, "what").contains("pss")), "{}", gentle["gaps"]);
}
