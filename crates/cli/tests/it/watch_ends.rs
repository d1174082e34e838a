//! `watch` and `triage` end early: by Ctrl-C, by the target's end. What was gathered is kept.

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::begun::Begun;
use crate::harness::rows;

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
