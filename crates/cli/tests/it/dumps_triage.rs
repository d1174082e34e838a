//! `triage` on a dump: what makes it large, and what is in it, without a hint.

use std::fmt::Write as _;

use residue_testkit::Facts;
use serde_json::{Value, json};

use crate::harness::browser::Page;
use crate::harness::dumped::Dumped;
use crate::harness::{address, document, number, residue, row_of, rows, text, word};

const BLOCK: u64 = 0x20000;

/// A process that leaks pages of one web site, and its core.
fn leaked_pages(count: &str) -> Dumped {
    Dumped::of("pages", &[count])
}

/// How often a text stands in the blocks, as the program itself counts.
fn truth(dumped: &mut Dumped, text: &str) -> Facts {
    let mut question = "count ".to_owned();
    for byte in text.bytes() {
        write!(question, "{byte:02x}").expect("a string takes everything");
    }
    dumped.program.ask(&question)
}

/// The row of contents for the leaked blocks.
#[track_caller]
fn blocks(report: &Value) -> &Value {
    let found = rows(report, "contents").iter().find(|row| row["region_size"] == BLOCK);
    found.unwrap_or_else(|| panic!("nothing is said of the blocks: {}", report["contents"]))
}

/// Fails the test unless the share of a kind of content is told with an interval that holds the truth.
#[track_caller]
fn holds(contents: &Value, content: &str, truth: f64) {
    let share = row_of(rows(contents, "shares"), "content", content);
    let bound = |key: &str| share[key].as_f64().expect("a share");
    assert!(bound("low") <= truth && truth <= bound("high"), "{content} is {truth}: {share}");
    assert!(bound("low") <= bound("share") && bound("share") <= bound("high"), "{share}");
    assert!(bound("high") - bound("low") < 0.25, "an interval that holds everything tells nothing: {share}");
}

/// The whole of what nobody told it: how many, how large, what they are, which site, and how often it stands where.
#[test]
fn a_leak_of_web_pages_explains_itself() {
    let mut dumped = leaked_pages("count=1200");
    let fact = |dumped: &Dumped, name: &str| dumped.program.number(name) as f64;
    let all = fact(&dumped, "blocks");

    let report = document(&["triage", &dumped.core]);

    assert_eq!(report["verdict"], json!(null), "a dump shows no growth");
    let finding = &rows(&report, "findings")[0];
    assert_eq!((word(finding, "id"), word(finding, "severity")), ("equal_regions", "warning"));
    for words in ["1200 regions", "128.0 KiB", "150.0 MiB", "HTML"] {
        assert!(word(finding, "title").contains(words), "{words}: {finding}");
    }
    let contents = blocks(&report);
    assert_eq!(contents, &rows(&report, "contents")[0], "what takes most comes first");
    assert_eq!((number(contents, "regions"), number(contents, "total")), (1200, 1200 * BLOCK));
    let first = dumped.program.number("first");
    let end = first + 1199 * dumped.program.number("stride") + BLOCK;
    assert_eq!((address(contents, "start"), address(contents, "end")), (first, end));
    holds(contents, "html", fact(&dumped, "pages") / all);
    holds(contents, "zero", fact(&dumped, "zeros") / all);
    holds(contents, "encrypted", fact(&dumped, "noises") / all);

    let counted: Vec<&Value> =
        rows(contents, "strings").iter().filter(|string| !string["counted"].is_null()).collect();
    assert!(!counted.is_empty(), "{contents}");
    for string in counted {
        let told = truth(&mut dumped, word(string, "text"));
        assert!(told.number("times") > 0, "it is in no page: {string}");
        let ours = (number(&string["counted"], "count"), number(&string["counted"], "regions"));
        assert_eq!(ours, (told.number("times"), told.number("blocks")), "{string}");
        let spread = rows(&string["counted"], "spread").iter().map(|part| part.as_u64().expect("a count"));
        assert_eq!(spread.sum::<u64>(), ours.0);
    }
    let string = word(&rows(contents, "strings")[0], "text");
    assert!(word(finding, "next").starts_with("residue search ") && word(finding, "next").contains(string));
}

#[test]
fn people_read_the_same_on_one_page() {
    let dumped = leaked_pages("count=300");

    let said = text(&["triage", &dumped.core]);

    for words in [
        "ELF core of pages",
        "FINDINGS",
        "300 regions of exactly 128.0 KiB",
        "% HTML",
        "telling: `",
        "WHAT IS IN IT",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    for words in ["INCONCLUSIVE", "GROWTH BY CLASS", "LEAK"] {
        assert!(!said.contains(words), "a dump shows no growth, but says {words}: {said}");
    }
}

/// Exit codes make scripts: a warning is one, a leak is not what a dump can show.
#[test]
fn a_script_can_ask_for_what_was_found() {
    let dumped = Dumped::of("equal_blocks", &["count=250"]);

    residue(&["triage", &dumped.core, "--fail-on", "warning"]).ended(1);
    residue(&["triage", &dumped.core, "--fail-on", "critical"]).ended(0);
    residue(&["triage", &dumped.core, "--fail-on", "leak"]).ended(0);
}

#[test]
fn the_page_tells_what_is_in_it() {
    let dumped = leaked_pages("count=300");
    let path = dumped.folder.file("triage.html");
    residue(&["triage", &dumped.core, "--html", &path]).good().says(&["wrote", &path]);

    let mut page = Page::open(&path);

    page.keep("triage-dump");
    let seen = page.text("document.body.innerText");
    for words in ["300 regions of exactly 128.0 KiB", "% HTML", "residue search ", "lots"] {
        assert!(seen.contains(words), "{words}: {seen}");
    }
    assert!(!seen.to_uppercase().contains("INCONCLUSIVE"), "a dump shows no growth: {seen}");
    page.assert_quiet();
}

/// The process still runs: the same is told of it, from samples, and nothing is counted in all of its memory.
#[test]
fn a_live_process_is_looked_into_too() {
    let mut dumped = leaked_pages("count=600");
    let pid = dumped.pid();

    let report = document(&["triage", &pid, "--for", "300ms"]);

    assert!(report["verdict"].is_object());
    let contents = blocks(&report);
    assert_eq!((number(contents, "regions"), number(contents, "total")), (600, 600 * BLOCK));
    assert!(number(contents, "sampled") < 600, "only samples: {contents}");
    holds(contents, "html", dumped.program.number("pages") as f64 / 600.0);
    let strings = rows(contents, "strings");
    assert!(!strings.is_empty());
    for string in strings {
        assert_eq!(string["counted"], json!(null), "{string}");
    }
    assert!(truth(&mut dumped, word(&strings[0], "text")).number("times") > 0, "{}", strings[0]);
    let finding = row_of(rows(&report, "findings"), "id", "equal_regions");
    assert!(word(finding, "title").contains("HTML"), "{finding}");
    assert!(word(finding, "next").contains(&pid), "{finding}");
}
