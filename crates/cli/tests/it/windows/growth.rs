use super::victim;
use crate::harness::{document, row_of, rows, text, word};

/// The process loses 4 MiB a second from a heap of its own, and says so.
#[test]
fn a_leak_is_seen_by_commit_with_its_place() {
    let mut victim = victim();
    victim.ask("leak 4194304");
    let report = document(&["triage", &victim.pid().to_string(), "--for", "12s"]);

    let verdict = &report["verdict"];
    assert_eq!(word(verdict, "verdict"), "likely_leak", "{verdict}");
    assert_eq!(word(verdict, "signal"), "commit", "{verdict}");
    let rate = verdict["rate_bytes_per_hour"]["estimate"].as_f64().expect("a rate") / 3600.0;
    assert!((3.0e6..6.0e6).contains(&rate), "it loses 4194304 a second: {rate}");
    row_of(rows(&report, "findings"), "id", "growth");
}

#[test]
fn a_watch_shows_commit_and_the_largest_free_range() {
    let victim = victim();
    let shown = text(&["watch", &victim.pid().to_string(), "--for", "1s", "--interval", "300ms"]);
    for words in ["COMMIT", "WORKING SET", "LARGEST FREE", "HANDLES"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let watched = document(&["watch", &victim.pid().to_string(), "--for", "1s", "--interval", "300ms"]);
    let sample = &rows(&rows(&watched, "series")[0], "samples")[0];
    assert!(sample["largest_free"].as_u64().is_some_and(|free| free > 1 << 30), "{sample}");
}

/// The demo loses memory by its own count; the counters of Windows must show it.
#[test]
fn the_demo_is_diagnosed() {
    let report = document(&["triage", "--demo"]);
    assert_eq!(word(&report["verdict"], "verdict"), "likely_leak", "{}", report["verdict"]);
}
