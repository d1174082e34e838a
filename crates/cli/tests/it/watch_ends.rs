//! `watch` and `triage` end early: by Ctrl-C, by the target's end. What was gathered is kept.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::{command, oracle, rows};

/// A command that has begun and is not over.
struct Begun {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Begun {
    fn new(arguments: &[&str]) -> Begun {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        let out = BufReader::new(child.stdout.take().expect("stdout was asked for"));
        Begun { child, out }
    }

    /// Waits until a line is there: lines must come as they are read, into a pipe too.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("text");
        assert!(!line.is_empty(), "it ended too early");
        line
    }

    /// Waits until it has sampled a few times: a document is printed at the end only, but between samples it sleeps.
    fn sampling(&self) {
        let begin = Instant::now();
        self.catches_interrupts();
        // Who samples holds the page table of its target open; reading the first map may sleep too.
        while !self.holds("pagemap") {
            assert!(begin.elapsed() < Duration::from_secs(60), "it never opened the page table");
            std::thread::sleep(Duration::from_millis(5));
        }
        let before = self.sleeps();
        while self.sleeps() < before + 5 {
            assert!(begin.elapsed() < Duration::from_secs(60), "it never sampled");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has a file of that name open.
    fn holds(&self, name: &str) -> bool {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs");
        open.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.ends_with(name)))
    }

    /// Waits until Ctrl-C is listened for, and gives how often it has slept so far.
    fn catches_interrupts(&self) -> u64 {
        let begin = Instant::now();
        loop {
            let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
            let caught = u64::from_str_radix(caught.trim(), 16).expect("hexadecimal");
            if caught & (1 << 1) != 0 {
                return self.sleeps();
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "it never listened for Ctrl-C");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How often its main thread has waited for something.
    fn sleeps(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let sleeps =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("a count");
        sleeps.trim().parse().expect("a count")
    }

    fn interrupt(&self) {
        oracle::tool("kill", &["-INT", &self.child.id().to_string()]);
    }

    /// The rest of what it prints, and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("text");
        (rest, self.child.wait().expect("it ends").code())
    }
}

#[test]
fn an_interrupted_watch_prints_its_verdict() {
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=8000000"]);
    let mut watch = Begun::new(&["watch", &leaky.pid().to_string(), "--interval", "50ms"]);
    for _ in 0..5 {
        watch.line();
    }

    watch.interrupt();

    let (rest, code) = watch.end();
    assert_eq!(code, Some(130), "{rest}");
    assert!(rest.contains("INCONCLUSIVE") && rest.contains("next"), "{rest}");
}

#[test]
fn an_interrupted_watch_prints_a_whole_document() {
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=8000000"]);
    let watch = Begun::new(&["watch", &leaky.pid().to_string(), "--interval", "50ms", "--json"]);
    watch.sampling();

    watch.interrupt();

    let (out, code) = watch.end();
    assert_eq!(code, Some(130), "{out}");
    let document: Value = serde_json::from_str(&out).expect("a whole document");
    let series = &document["series"][0];
    assert!(!rows(series, "samples").is_empty());
    assert_eq!(series["verdict"], "inconclusive");
}

#[test]
fn an_interrupted_triage_still_diagnoses() {
    let blocks = Program::build("equal_blocks").spawn(&["count=5000"]);
    let triage = Begun::new(&["triage", &blocks.pid().to_string(), "--for", "10m", "--json"]);
    triage.sampling();

    triage.interrupt();

    let (out, code) = triage.end();
    assert_eq!(code, Some(130), "{out}");
    let document: Value = serde_json::from_str(&out).expect("a whole document");
    assert!(rows(&document, "findings").iter().any(|finding| finding["id"] == "equal_regions"), "{out}");
}

/// The end of a target is an answer, no failure: what was seen until then is judged.
#[test]
fn a_target_that_ends_ends_the_watch() {
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=8000000"]);
    let mut watch = Begun::new(&["watch", &leaky.pid().to_string(), "--interval", "50ms"]);
    for _ in 0..4 {
        watch.line();
    }

    leaky.stop();

    let (rest, code) = watch.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("ended"), "it must say so: {rest}");
}

#[test]
fn a_document_says_that_the_target_ended() {
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=8000000"]);
    let stays = Program::build("leaky").spawn(&["mode=flat"]);
    let pids = [leaky.pid().to_string(), stays.pid().to_string()];
    let watch = Begun::new(&["watch", &pids[0], &pids[1], "--interval", "50ms", "--for", "3s", "--json"]);
    watch.sampling();

    leaky.stop();

    let (out, code) = watch.end();
    assert_eq!(code, Some(0), "{out}");
    let document: Value = serde_json::from_str(&out).expect("a whole document");
    let series = rows(&document, "series");
    assert_eq!((&series[0]["ended"], &series[1]["ended"]), (&Value::Bool(true), &Value::Bool(false)));
    assert!(rows(&series[1], "samples").len() > rows(&series[0], "samples").len());
}

/// The address space is gone by then: the one from the start is shown, and that is said.
#[test]
fn a_target_that_ends_is_diagnosed_by_what_was_seen() {
    let blocks = Program::build("equal_blocks").spawn(&["count=5000"]);
    let triage = Begun::new(&["triage", &blocks.pid().to_string(), "--for", "60s", "--json"]);
    triage.sampling();

    blocks.stop();

    let (out, code) = triage.end();
    assert_eq!(code, Some(0), "{out}");
    let document: Value = serde_json::from_str(&out).expect("a whole document");
    assert_eq!(document["ended"], true);
    assert!(rows(&document, "findings").iter().any(|finding| finding["id"] == "equal_regions"), "{out}");
    assert!(rows(&document, "gaps").iter().any(|gap| gap["why"].to_string().contains("ended")), "{out}");
}
