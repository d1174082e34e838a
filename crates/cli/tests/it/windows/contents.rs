use super::victim;
use crate::harness::folder::Folder;
use crate::harness::{document, number, residue, rows, text, word};

#[test]
fn a_text_is_found_where_it_stands_and_read() {
    let victim = victim();
    let pid = victim.pid().to_string();
    let at = format!("{:#x}", victim.number("needle"));

    let found = document(&["search", &pid, "tawny owl 4711", "--in", "usage=unknown"]);
    let shown = text(&["read", &pid, &at, "14", "--text"]);

    assert_eq!(number(&found, "count"), 1, "{found}");
    assert_eq!(word(&rows(&found, "matches")[0], "address"), at);
    assert!(shown.contains("tawny owl 4711"), "{shown}");
}

/// The first touch of a guard page, even by another process, takes the guard away: a stack could not grow any more.
#[test]
fn looking_everywhere_leaves_guard_pages_as_they_were() {
    let mut victim = victim();
    let pid = victim.pid().to_string();
    let guard = format!("{:#x}", victim.number("guard"));

    document(&["search", &pid, "no such text in there"]);
    document(&["triage", &pid, "--for", "1s"]);
    let read = residue(&["read", &pid, &guard, "64"]);

    assert_eq!(victim.ask("guard").number("guarded"), 1);
    assert_ne!(read.code, Some(0), "a guard page is not read: {:?}", read.out);
}

/// The dump holds what was there, every command reads it, and the process goes on.
#[test]
fn a_minidump_holds_the_process_which_goes_on() {
    let mut victim = victim();
    let folder = Folder::new();
    let file = &folder.file("victim.dmp");

    let ran = residue(&["dump", &victim.pid().to_string(), "-o", file, "--json"]).good();
    ran.says(&["will stand still for about"]);
    let dumped = ran.json();
    let found = document(&["search", file, "tawny owl 4711"]);
    let again = residue(&["dump", &victim.pid().to_string(), "-o", file]);

    assert!(number(&dumped, "saved") > 8 << 20, "{dumped}");
    assert!(dumped["stopped_ms"].as_f64().is_some_and(|stopped| stopped > 0.0), "{dumped}");
    assert!(
        rows(&found, "matches")
            .iter()
            .any(|row| word(row, "address") == format!("{:#x}", victim.number("needle")))
    );
    assert_eq!(victim.ask("guard").number("guarded"), 1);
    again.ended(4).says(&["exists already", "--force"]);
}
