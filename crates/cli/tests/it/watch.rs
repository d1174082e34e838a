//! `watch`: growth is told with its rate, its kind and its place, and what does not leak is not accused.

use residue_testkit::{Program, Running};
use serde_json::Value;

use crate::harness::{document, number, residue, rows, word};

/// Loses a MiB a second in its own way.
fn leaky(mode: &str, options: &[&str]) -> Running {
    let mode = format!("mode={mode}");
    Program::build("leaky").spawn(&[&[mode.as_str()], options].concat())
}

fn pids(programs: &[&Running]) -> Vec<String> {
    programs.iter().map(|program| program.pid().to_string()).collect()
}

/// Bytes an hour that the program itself has counted between two answers.
fn counted(before: &residue_testkit::Facts, after: &residue_testkit::Facts) -> f64 {
    let bytes = after.number("leaked") - before.number("leaked");
    3600.0 * bytes as f64 / (after.decimal("uptime") - before.decimal("uptime"))
}

/// One watch of several processes: each is judged by itself, and each is measured at the rate that it counts.
#[test]
fn each_kind_of_leak_is_told_with_its_rate_and_place() {
    let mut small = leaky("malloc", &["rate=2000000", "size=400"]);
    let mut large = leaky("mmap", &["rate=4000000", "size=262144"]);
    let mut shared = leaky("shm", &["rate=3000000", "size=65536"]);
    let mut stacks = leaky("stack", &["rate=2000000"]);
    let pids = pids(&[&small, &large, &shared, &stacks]);
    let mut programs = [&mut small, &mut large, &mut shared, &mut stacks];
    let before: Vec<_> = programs.iter_mut().map(|program| program.ask("count")).collect();

    let arguments: Vec<&str> = ["watch"].into_iter().chain(pids.iter().map(String::as_str)).collect();
    let watched = document(&[&arguments[..], &["--for", "12s"]].concat());

    assert_eq!(watched["schema"], "residue.watch/1");
    assert_eq!(watched["target"]["kind"], "processes");
    let places = ["heap", "mmap", "shared", "stacks"];
    for (i, series) in rows(&watched, "series").iter().enumerate() {
        // A thread touches more of its stack than the bytes that the program counts, so its own rate is a floor only.
        let truth = counted(&before[i], &programs[i].ask("count"));
        let rate = &series["rate_bytes_per_hour"];
        let estimate = rate["estimate"].as_f64().unwrap_or_else(|| panic!("no rate: {series:#}"));
        let most = if places[i] == "stacks" { 1.5 } else { 1.15 };
        assert_eq!(number(series, "pid").to_string(), pids[i]);
        assert_eq!(series["verdict"], "likely_leak", "{}: {:#}", places[i], series["why"]);
        assert!((0.85..=most).contains(&(estimate / truth)), "{}: {estimate} is not {truth}", places[i]);
        assert!(rate["low"].as_f64() <= rate["estimate"].as_f64());
        assert!(rate["estimate"].as_f64() <= rate["high"].as_f64());
        assert_eq!(series["where"][0]["usage"], places[i], "{}", series["where"]);
        assert!(series["where"][0]["share"].as_f64() > Some(0.8), "{}", series["where"]);
        let signal = if places[i] == "shared" { "shared" } else { "private_and_swap" };
        assert_eq!(series["signal"], signal);
        assert_eq!(series["ended"], false);
        assert_eq!(series["need_seconds"], Value::Null);
        assert!(!rows(series, "why").is_empty());
    }
}

/// Allocating and freeing without end, a cache that has filled, and standing still: none of them is a leak.
#[test]
fn what_does_not_leak_is_not_accused() {
    let flat = leaky("flat", &["rate=40000000", "limit=8000000"]);
    let full = leaky("cache", &["limit=4000000", "period=0.05"]);
    let step = leaky("step", &["rate=4000000", "period=0.3"]);
    let still = Program::build("equal_blocks").spawn(&["count=100"]);
    let pids = pids(&[&flat, &full, &step, &still]);
    let arguments: Vec<&str> = ["watch"].into_iter().chain(pids.iter().map(String::as_str)).collect();

    let watched =
        residue(&[&arguments[..], &["--for", "10s", "--fail-on", "leak", "--json"]].concat()).good();

    let watched = watched.json();
    for (series, program) in rows(&watched, "series").iter().zip(["flat", "cache", "step", "still"]) {
        assert_ne!(series["verdict"], "likely_leak", "{program}: {:#}", series["why"]);
        assert_ne!(series["verdict"], "leak", "{program}");
    }
    assert_eq!(watched["series"][3]["verdict"], "stable", "{:#}", watched["series"][3]["why"]);
}

/// A second is too little to say anything, and to say how long it takes is the answer.
#[test]
fn a_short_look_is_inconclusive_and_says_how_long_to_wait() {
    let leaky = leaky("malloc", &["rate=8000000"]);
    let pid = leaky.pid().to_string();

    let watched = document(&["watch", &pid, "--for", "1s"]);
    let shown = residue(&["watch", &pid, "--for", "1s"]).good().text();

    let series = &watched["series"][0];
    assert_eq!(series["verdict"], "inconclusive");
    assert!(series["need_seconds"].as_f64().is_some_and(|seconds| (8.0..=86400.0).contains(&seconds)));
    assert_eq!(series["rate_bytes_per_hour"], Value::Null, "no number without evidence");
    assert!(shown.contains("INCONCLUSIVE"), "{shown}");
    assert!(word(series, "next").starts_with(&format!("residue watch {pid} --for ")), "{series}");
}

/// The signal is private anonymous memory and swap; each sample carries what it is made of.
#[test]
fn samples_are_what_the_kernel_counts() {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid();

    let watched = document(&["watch", &pid.to_string(), "--for", "1s", "--interval", "200ms"]);

    let samples = rows(&watched["series"][0], "samples");
    assert!((3..=6).contains(&samples.len()), "{}", samples.len());
    let anonymous = crate::harness::oracle::status(pid, "RssAnon");
    for sample in samples {
        assert_eq!(number(sample, "anon"), anonymous);
        assert_eq!(number(sample, "private_and_swap"), anonymous + number(sample, "swap"));
        assert_eq!(number(sample, "shmem"), crate::harness::oracle::status(pid, "RssShmem"));
        assert_eq!(number(sample, "threads"), layout.number("threads"));
        let usages = &sample["by_usage"];
        assert_eq!(number(usages, "sysv_shm"), 1 << 20);
        assert!(number(usages, "heap") >= 3 << 20);
    }
    let times: Vec<f64> = samples.iter().filter_map(|sample| sample["seconds"].as_f64()).collect();
    assert!(times.is_sorted() && times[0] < times[1], "{times:?}");
}

/// One line a sample, with the change since the one before.
#[test]
fn lines_show_the_change_since_the_line_before() {
    let leaky = leaky("mmap", &["rate=50000000", "size=1048576"]);

    let shown =
        residue(&["watch", &leaky.pid().to_string(), "--for", "2s", "--interval", "500ms"]).good().text();

    let lines: Vec<&str> = shown.lines().take_while(|line| !line.is_empty()).collect();
    for word in ["TIME", "RSS", "HEAP", "MMAP", "SHARED", "MAJFLT"] {
        assert!(lines[0].contains(word), "{word}: {shown}");
    }
    assert!(lines.len() >= 4, "{shown}");
    for line in &lines[2..] {
        assert!(line.contains('+') && line.contains("MiB"), "{line}");
        assert!(line.contains('▁') || line.contains('█'), "a sparkline: {line}");
    }
}

#[test]
fn a_leak_fails_the_script_that_asked_for_it() {
    let leaky = leaky("malloc", &["rate=4000000"]);
    let pid = leaky.pid().to_string();

    let ran = residue(&["watch", &pid, "--for", "10s", "--fail-on", "leak"]).ended(1);

    let shown = ran.text();
    assert!(shown.contains("LIKELY LEAK"), "{shown}");
    for words in ["where", "heap", "why", "next", "residue "] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn times_that_make_no_sense_are_usage_errors() {
    for (arguments, words) in [
        (&["watch"][..], "TARGETS"),
        (&["watch", "1", "--for", "soon"], "soon"),
        (&["watch", "1", "--for", "0s"], "10ms"),
        (&["watch", "1", "--interval", "5 parsecs"], "5 parsecs"),
        (&["watch", "1", "--fail-on", "rain"], "leak"),
    ] {
        residue(arguments).ended(2).says(&[words]);
    }
}
