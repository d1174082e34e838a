//! Any process can call itself anything: no name may write to the reader's terminal or break a line.

use std::fs;

use residue_testkit::{Program, Running};

use crate::harness::folder::Folder;
use crate::harness::{Ran, document, residue, word};

/// Fails the test if a byte stands in the output that a terminal would act on.
#[track_caller]
fn harmless(what: &str, output: &[u8]) {
    let bad = output.iter().position(|&byte| (byte < b' ' && byte != b'\n') || byte == 0x7f);
    if let Some(at) = bad {
        let near =
            String::from_utf8_lossy(&output[at.saturating_sub(60)..(at + 20).min(output.len())]).into_owned();
        panic!("{what} holds the byte {:#04x}: {near:?}", output[at]);
    }
    let text = std::str::from_utf8(output).unwrap_or_else(|error| panic!("{what} is not UTF-8: {error}"));
    let control = text.chars().find(|&character| character.is_control() && character != '\n');
    assert_eq!(control, None, "{what}");
}

fn deaf() -> (Running, String) {
    let deaf = Program::build("deaf").spawn(&[]);
    let pid = deaf.pid().to_string();
    (deaf, pid)
}

fn each_command(pid: &str) -> Vec<(String, Ran)> {
    let folder = Folder::new();
    let page = folder.file("page.html");
    let condition = format!("pid={pid}");
    let mut ran = Vec::new();
    for arguments in [
        &["ps", "--filter", &condition, "--columns", "pid,name,command"][..],
        &["ps", "--filter", &condition, "--bar"],
        &["ps", "--filter", &condition, "--by", "mapping"],
        &["ps", "--filter", &condition, "--json"],
        &["map", pid, "--all"],
        &["map", pid, "--json"],
        &["map", pid, "--html", &page],
        &["watch", pid, "--for", "1s"],
        &["watch", pid, "--for", "1s", "--json"],
        &["watch", pid, pid, "--for", "1s"],
        &["triage", pid, "--for", "1s"],
        &["triage", pid, "--for", "1s", "--json"],
    ] {
        ran.push((format!("{arguments:?}"), residue(arguments).good()));
    }
    ran
}

#[test]
fn a_process_name_cannot_write_to_the_terminal() {
    let (_deaf, pid) = deaf();

    for (what, ran) in each_command(&pid) {
        harmless(&what, &ran.out);
        harmless(&what, ran.err.as_bytes());
    }
}

#[test]
fn a_file_name_cannot_write_to_the_terminal() {
    let layout = Program::build("layout").spawn(&[]);

    for (what, ran) in each_command(&layout.pid().to_string()) {
        harmless(&what, &ran.out);
        harmless(&what, ran.err.as_bytes());
    }
}

/// Harmless is not enough: what stands there must still tell which process it is.
#[test]
fn an_odd_name_is_told_in_escapes() {
    let (_deaf, pid) = deaf();

    let document = document(&["ps", "--filter", &format!("pid={pid}")]);

    let row = &document["processes"][0];
    assert_eq!(word(row, "name"), r"d) R\x0a\x1b[31m\xff");
    let command = r"deaf) \x1b[31mred two\x0alines \xff\xfe  last one";
    assert_eq!(word(row, "command"), command);
}

/// Neither may the parsers stumble: the parenthesis in the name ends no field of `stat`.
#[test]
fn an_odd_name_does_not_shift_the_numbers() {
    let (deaf, pid) = deaf();

    let document = document(&["ps", "--filter", &format!("pid={pid}")]);

    let row = &document["processes"][0];
    assert_eq!(row["threads"], 1);
    assert_eq!(row["rss"], crate::harness::oracle::status(deaf.pid(), "VmRSS"));
    assert_eq!(row["state"], "alive");
}

/// An error message names what the user typed, and what the user typed may come from anywhere.
#[test]
fn errors_do_not_repeat_escapes() {
    for arguments in [
        &["map", "no\x1b[31msuch"][..],
        &["watch", "no\x1b[31msuch", "--for", "1s"],
        &["triage", "no\x1b[31msuch"],
        &["ps", "--from", "/no/\x1b[31msuch"],
        &["ps", "--columns", "pid,\x1b[31mred"],
        &["map", "1", "--filter", "usage=\x1b[31mred"],
    ] {
        let ran = residue(arguments);
        assert_ne!(ran.code, Some(0), "{arguments:?}");
        harmless(&format!("{arguments:?}"), ran.err.as_bytes());
    }
}

/// A page is read by a browser: there a name must not become markup either.
#[test]
fn a_name_is_no_markup_of_a_page() {
    let folder = Folder::new();
    let place = folder.path().join("<img src=x onerror=alert(1)>");
    fs::copy("/bin/sleep", &place).expect("a copy");
    let mut child = std::process::Command::new(&place).arg("600").spawn().expect("it starts");
    let page = folder.file("page.html");

    let ran = residue(&["map", &child.id().to_string(), "--html", &page]);
    let _ = child.kill();
    let _ = child.wait();

    ran.good();
    let html = fs::read_to_string(&page).expect("it was written");
    assert!(html.contains("onerror"), "the name stands in the page");
    assert!(!html.contains("<img"), "as text");
}
