//! `map`: which regions are listed, in which order, and what the text shows.

use residue_testkit::{Program, Running};
use serde_json::Value;

use crate::harness::{address, document, number, residue, rows, text, word};

fn layout() -> (Running, String) {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid().to_string();
    (layout, pid)
}

fn filtered(pid: &str, conditions: &str) -> Vec<Value> {
    rows(&document(&["map", pid, "--filter", conditions]), "regions").to_vec()
}

#[test]
fn a_filter_keeps_what_fits_all_conditions() {
    let (layout, pid) = layout();

    let found = filtered(&pid, "usage=anonymous,protection=rw-p,min-size=1M");

    let starts: Vec<u64> = found.iter().map(|region| address(region, "start")).collect();
    let truth = ["anon_8m", "committed", "lazyfree"].map(|name| layout.number(name));
    assert_eq!(starts, truth);
}

#[test]
fn each_condition_fits_what_it_says() {
    let (layout, pid) = layout();
    let starts = |conditions: &str| -> Vec<u64> {
        filtered(&pid, conditions).iter().map(|region| address(region, "start")).collect()
    };

    assert_eq!(starts("usage=jit"), [layout.number("jit")]);
    assert_eq!(starts("usage=heap|jit"), {
        let mut both = [layout.number("heap"), layout.number("jit")];
        both.sort_unstable();
        both
    });
    assert_eq!(starts("usage=shared").len(), 4);
    assert_eq!(starts("usage=stack").len(), 6);
    assert_eq!(starts("min-rss=16M"), [layout.number("committed")]);
    assert_eq!(starts("name=residue-layout-.*/gone$"), [layout.number("deleted")]);
    assert_eq!(starts("state=reserved,usage=reserved,min-size=100M"), [layout.number("reserved")]);
    assert!(starts("protection=r-x").contains(&layout.number("jit")));
    assert_eq!(starts("name=no such name"), [0_u64; 0]);
}

/// The sums are of the whole process whatever is listed: a filter must not make a process look small.
#[test]
fn a_filter_leaves_the_sums_alone() {
    let (_layout, pid) = layout();

    let part = document(&["map", &pid, "--filter", "usage=jit"]);

    let usages = rows(&part["summary"], "by_usage").len();
    assert!(usages > 10, "{usages}");
}

#[test]
fn the_order_is_as_asked() {
    let (_layout, pid) = layout();
    let order =
        |key: &str| document(&["map", &pid, "--sort", key])["regions"].as_array().cloned().expect("rows");

    assert!(order("address").is_sorted_by_key(|region| address(region, "start")));
    for key in ["size", "rss", "pss", "swap"] {
        let regions = order(key);
        assert!(regions.is_sorted_by_key(|region| std::cmp::Reverse(number(region, key))), "{key}");
    }
    let names: Vec<String> = order("name").iter().map(|region| word(region, "name").to_owned()).collect();
    assert!(names.is_sorted() || names.iter().rev().is_sorted(), "{names:?}");
    let mut usages: Vec<String> = order("usage").iter().map(|region| word(region, "usage").into()).collect();
    usages.dedup();
    let all = usages.len();
    usages.sort();
    usages.dedup();
    assert_eq!(usages.len(), all, "each usage stands in one piece");
}

fn listed(text: &str) -> Vec<&str> {
    let heading =
        text.lines().position(|line| line.trim_start().starts_with("START ")).expect("a table of regions");
    text.lines().skip(heading + 1).take_while(|line| line.contains(" B ") || line.contains("iB ")).collect()
}

/// What is left out must be said.
#[test]
fn text_lists_25_regions_unless_all_are_wanted() {
    let (layout, pid) = layout();
    let count = crate::harness::oracle::smaps(layout.pid()).0.len();

    let short = text(&["map", &pid]);
    let long = text(&["map", &pid, "--all"]);

    assert!(short.contains(&format!("25 of {count} regions")), "{short}");
    assert_eq!(listed(&long).len(), count, "{long}");
    assert!(!long.contains(" of {count} regions"));
}

/// The largest resident regions come first, for that is what people look for.
#[test]
fn text_shows_the_largest_resident_region_first() {
    let (layout, pid) = layout();

    let shown = text(&["map", &pid]);

    let first = listed(&shown)[0];
    assert!(first.trim_start().starts_with(&format!("{:x} ", layout.number("committed"))), "{first}");
    assert!(first.contains("16.0 MiB"), "{first}");
}

#[test]
fn text_tells_each_kind_in_words() {
    let (layout, pid) = layout();

    let shown = text(&["map", &pid, "--all"]);

    for words in [
        "64-bit",
        "main heap (brk)",
        "allocator arenas",
        "thread stacks",
        "System V shared memory",
        "POSIX shared memory",
        "memfd",
        "JIT code",
        "vdso",
        "reserved",
        "BY USAGE",
        "BY TYPE",
        "BY STATE",
        "BY PROTECTION",
        "EXACT SIZE",
        "fragmentation index",
        "LARGEST FREE RANGES",
        "MADV_FREE",
        "(deleted)",
    ] {
        assert!(shown.contains(words), "no {words:?}: {shown}");
    }
    for fact in ["worker0_tid", "custom_tid", "sysv_id"] {
        let number = layout.number(fact).to_string();
        assert!(shown.contains(&number), "{fact} {number} is not shown: {shown}");
    }
}

#[test]
fn free_lists_as_many_ranges_as_asked() {
    let (_layout, pid) = layout();

    assert_eq!(rows(&document(&["map", &pid, "--free", "2"])["free"], "top").len(), 2);
    assert_eq!(rows(&document(&["map", &pid, "--free", "0"])["free"], "top").len(), 0);
}

#[test]
fn unknown_words_are_usage_errors_that_teach() {
    let (_layout, pid) = layout();

    for (arguments, words) in [
        (["--filter", "bogus=1"], &["bogus", "min-size"][..]),
        (["--filter", "usage=bogus"], &["bogus", "thread_stack"]),
        (["--filter", "usage"], &["usage", "="]),
        (["--filter", "min-size=many"], &["many", "128K"]),
        (["--filter", "protection=xyz"], &["xyz", "rw-p"]),
        (["--filter", "state=free"], &["free", "reserved"]),
        (["--filter", "name=("], &["("]),
        (["--sort", "bogus"], &["bogus", "rss"]),
        (["--gentle-above", "much"], &["much", "128K"]),
        (["--free", "-1"], &["-1"]),
    ] {
        let ran = residue(&[&["map", pid.as_str()][..], &arguments].concat()).ended(2);
        assert!(ran.out.is_empty(), "{arguments:?}");
        ran.says(words);
    }
}
