//! The examples, as a reader would try them; what they say is held against `/proc`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Asleep, built, compile, here, said, scratch};

/// The holes between regions, the largest first.
fn holes(asleep: &Asleep) -> Vec<(u64, u64)> {
    let mut at =
        fs::read_to_string("/proc/sys/vm/mmap_min_addr").expect("Linux").trim().parse().expect("a number");
    let mut holes = Vec::new();
    for (start, end) in asleep.regions() {
        // The kernel's own page stands above what a program can use.
        let start = start.min(0x7fff_ffff_f000);
        if start > at {
            holes.push((start - at, at));
        }
        at = end;
    }
    if at < 0x7fff_ffff_f000 {
        holes.push((0x7fff_ffff_f000 - at, at));
    }
    holes.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    holes
}

#[test]
fn watch_says_of_another_process_what_proc_says() {
    let program = compile("examples/watch.c", &scratch("watch"));
    let asleep = Asleep::start();
    let text = said(Command::new(program).args([&asleep.pid().to_string(), "2", "10"]));
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let word =
            line.and_then(|line| line.split_whitespace().next()).unwrap_or_else(|| panic!("{name}: {text}"));
        word.parse::<u64>().ok()
    };
    assert_eq!(field("working set"), Some(asleep.status("VmRSS")));
    assert_eq!(field("regions"), Some(asleep.regions().len() as u64));
    assert!(field("unique").expect("detail was asked for") > 0);
    assert_eq!(field("commit"), None, "Linux has none: {text}");
    let told = text.lines().filter(|line| line.starts_with("free at"));
    let told: Vec<String> =
        told.map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")).collect();
    let known = holes(&asleep);
    let known = known[..3].iter().map(|(size, start)| format!("{start:#014x} {} KiB", size / 1024));
    assert_eq!(told, known.collect::<Vec<_>>());
    let still = text.lines().filter(|line| line.contains("working set +0, largest free +0")).count();
    assert_eq!(still, 2, "who sleeps does not change: {text}");
}

#[test]
fn an_alarm_goes_off_once_and_its_callback_writes_the_page() {
    let folder = scratch("alarm");
    let program = compile("examples/alarm.c", &folder);
    let page = folder.join("service.html");
    let text = said(Command::new(program).arg(&page));
    assert!(text.contains("1 report(s) in 20 samples"), "{text}");
    let page = fs::read_to_string(page).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{} bytes", page.len());
    // Few samples had been taken: none for a curve, so it is the picture of the address space.
    assert!(page.contains("id=\"picture\"") && page.contains("(alarm)</title>"));
    let left: Vec<_> =
        fs::read_dir(&folder).expect("ours").map(|entry| entry.expect("readable").file_name()).collect();
    assert_eq!(left.len(), 2, "no draft is left: {left:?}");
}

#[test]
fn python_says_what_proc_says() {
    let asleep = Asleep::start();
    let script = here().join("examples/residue.py");
    let library = built().join("libresidue.so");
    let mut python = Command::new("python3");
    let text = said(python.arg(script).arg(library).arg(asleep.pid().to_string()));
    let rss = format!("{:20} {:>20}", "working_set", asleep.status("VmRSS") * 1024);
    assert!(text.contains(&rss), "{rss} in {text}");
    let (size, start) = holes(&asleep)[0];
    assert!(text.contains(&format!("free at {start:#014x}  {size:>16}")), "{text}");
    assert!(!text.contains("commit"), "what Linux does not give is not shown: {text}");
}

#[test]
fn examples_are_short() {
    for entry in fs::read_dir(here().join("examples")).expect("they are there") {
        let path = entry.expect("readable").path();
        assert!(lines(&path) <= 60, "{} has {} lines", path.display(), lines(&path));
    }
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).expect("text").lines().count()
}
