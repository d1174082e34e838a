//! `ps`: columns, order, units and conditions.

use std::process;

use crate::harness::crowd::{Crowd, MIB};
use crate::harness::{document, number, oracle, residue, text};

/// Three children that differ in size, smallest first, and the pattern that finds them and their parents.
fn sizes(test: &str) -> (Vec<Crowd>, String) {
    let family = format!("family={test}-{}", process::id());
    let crowds = [1024, 2048, 4096]
        .map(|kib| Crowd::with(test, 1, &[&format!("private_kib={kib}"), &family]))
        .into_iter()
        .collect();
    // The command under test holds these words too, but not followed by the mark.
    (crowds, format!("process={family} mark"))
}

fn pids_of(table: &str) -> Vec<u32> {
    // Below the table stands what was not seen.
    let first = |line: &str| line.split_whitespace().next()?.parse().ok();
    table.lines().take_while(|line| !line.is_empty()).filter_map(first).collect()
}

fn children(pids: &[u32], crowds: &[Crowd]) -> Vec<u32> {
    let ours: Vec<u32> = crowds.iter().flat_map(|crowd| crowd.pids.clone()).collect();
    pids.iter().copied().filter(|pid| ours.contains(pid)).collect()
}

#[test]
fn columns_are_those_that_were_asked_for_in_that_order() {
    let crowd = Crowd::of("columns", 1);
    let pid = crowd.pids[0];

    let table =
        text(&["ps", "--filter", &format!("pid={pid}"), "--columns", "uss,pid,name,threads", "--bytes"]);

    let truth = &crowd.rows_in(&document(&["ps", "--filter", &crowd.filter()]))[0];
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["USS", "PID", "NAME", "THREADS"]);
    assert_eq!(lines[1], [&number(truth, "uss").to_string(), &pid.to_string(), "crowd", "1"]);
    assert!(lines.get(2).is_none_or(Vec::is_empty), "{table}");
}

#[test]
fn rows_are_ordered_by_a_column_and_reversed() {
    let (crowds, family) = sizes("order");
    let smallest_first: Vec<u32> = crowds.iter().map(|crowd| crowd.pids[0]).collect();
    let largest_first: Vec<u32> = smallest_first.iter().rev().copied().collect();
    let base = ["ps", "--filter", &family, "--columns", "pid,uss", "--sort", "uss", "--no-header"];

    let down = pids_of(&text(&base));
    let up = pids_of(&text(&[&base[..], &["--reverse"]].concat()));

    assert_eq!(children(&down, &crowds), largest_first);
    assert_eq!(children(&up, &crowds), smallest_first);
}

/// What is cut off must be said: a short table must not pass for a whole one.
#[test]
fn top_cuts_and_says_so() {
    let (crowds, family) = sizes("top");
    let base = ["ps", "--filter", &family, "--columns", "pid,uss", "--sort", "uss", "--top", "2"];

    let table = text(&base);
    let document = document(&base);

    let largest = [crowds[2].pids[0], crowds[1].pids[0]];
    assert_eq!(children(&pids_of(&table), &crowds), largest);
    assert!(table.contains("4 more rows"), "{table}");
    assert_eq!(document["more"], 4);
    assert_eq!(document["processes"].as_array().map(Vec::len), Some(2));
}

/// Totals are of all that was selected, not of the rows that were left after `--top`.
#[test]
fn totals_are_the_sum_of_all_rows() {
    let crowd = Crowd::of("totals", 4);
    let all = document(&["ps", "--filter", &crowd.filter()]);

    let few = document(&["ps", "--filter", &crowd.filter(), "--top", "1"]);
    let table = text(&["ps", "--filter", &crowd.filter(), "--totals", "--bytes", "-c", "pid,uss,pss", "-H"]);

    let sum = |key: &str| -> u64 {
        all["processes"].as_array().expect("rows").iter().map(|row| number(row, key)).sum()
    };
    for key in ["vss", "rss", "pss", "uss", "swap", "anon", "file", "shmem"] {
        assert_eq!(number(&few["totals"], key), sum(key), "{key}");
    }
    assert_eq!(number(&few["totals"], "processes"), 5);
    let last: Vec<&str> = table.lines().nth(5).expect("a sixth row").split_whitespace().collect();
    assert_eq!(last, ["total", &sum("uss").to_string(), &sum("pss").to_string()]);
}

#[test]
fn percent_is_the_share_of_the_machine() {
    let size = 64 * 1024;
    let crowd = Crowd::with("percent", 1, &[&format!("private_kib={size}")]);
    let pid = format!("pid={}", crowd.pids[0]);

    let cell = text(&["ps", "--filter", &pid, "--columns", "uss", "--percent", "--no-header"]);

    let share: f64 = cell
        .lines()
        .next()
        .expect("a row")
        .trim()
        .trim_end_matches('%')
        .trim()
        .parse()
        .expect("a percentage");
    let truth = 100.0 * (64.0 * MIB as f64) / oracle::meminfo("MemTotal") as f64;
    assert!((share / truth - 1.0).abs() < 0.25, "{cell} is not {truth} %");
}

#[test]
fn units_are_binary() {
    let crowd = Crowd::of("units", 1);
    let pid = format!("pid={}", crowd.pids[0]);
    let ask = |more: &[&str]| {
        let shown = text(&[&["ps", "--filter", &pid, "--columns", "uss", "-H"], more].concat());
        shown.lines().next().expect("a row").trim().to_owned()
    };

    let bytes: f64 = ask(&["--bytes"]).parse().expect("plain digits");

    assert_eq!(ask(&[]), format!("{:.1} MiB", bytes / MIB as f64));
}

/// A condition that finds nothing is an empty table, not an error: scripts ask whether something runs.
#[test]
fn what_fits_nothing_is_an_empty_table() {
    let document = document(&["ps", "--filter", "process=^no such process$"]);

    assert_eq!(document["processes"], serde_json::json!([]));
}

#[test]
fn all_conditions_must_hold() {
    let crowd = Crowd::of("conditions", 2);
    let count = |more: &[&str]| {
        let base = ["ps", "--filter", &crowd.filter()];
        document(&[&base, more].concat())["processes"].as_array().map(Vec::len)
    };

    assert_eq!(count(&[]), Some(3));
    assert_eq!(count(&["--filter", "user=^root$"]), Some(3));
    assert_eq!(count(&["--filter", "user=^nobody$"]), Some(0));
    assert_eq!(count(&["--filter", "process=^something else$"]), Some(0));
    assert_eq!(count(&["--filter", "mapping=/dev/zero"]), Some(3));
    assert_eq!(count(&["--filter", "mapping=libc"]), Some(0), "it is linked statically");
}

/// By mapping, the sizes are those of the mappings that were asked for, not of the whole process.
#[test]
fn a_condition_on_mappings_restricts_the_sizes() {
    let crowd = Crowd::of("restricted", 3);

    let document = document(&["ps", "--filter", &crowd.filter(), "--filter", "mapping=/dev/zero"]);

    for row in crowd.rows_in(&document) {
        assert_eq!(number(&row, "rss"), 8 * MIB);
        assert_eq!(number(&row, "pss"), 2 * MIB);
        assert_eq!(number(&row, "uss"), 0);
    }
}

#[test]
fn unknown_words_are_usage_errors_that_teach() {
    for (arguments, words) in [
        (&["ps", "--columns", "pid,bogus"][..], &["bogus", "swap_pss"][..]),
        (&["ps", "--sort", "bogus"], &["bogus", "swap_pss"]),
        (&["ps", "--columns", ""], &["--columns"]),
        (&["ps", "--filter", "process=("], &["("]),
        (&["ps", "--filter", "pid=four"], &["four", "pid=1234"]),
        (&["ps", "--by", "colour"], &["process", "user", "mapping", "system"]),
        (&["ps", "--bar", "memory.gif"], &["memory.gif", ".svg", ".png"]),
        (&["ps", "--pie", "memory"], &["memory", ".svg", ".png"]),
        (&["ps", "--percent", "--bytes"], &["--bytes"]),
    ] {
        let ran = residue(arguments).ended(2);
        assert!(ran.out.is_empty(), "{arguments:?}");
        ran.says(words);
    }
}
