//! The words that users meet first. A change is meant, or it is a mistake: `cargo insta review` shows it.

use insta::assert_snapshot;

use crate::harness::{Ran, command};

fn help(arguments: &[&str]) -> String {
    let mut command = command(arguments);
    command.env("COLUMNS", "100");
    Ran::of(command).good().text()
}

#[test]
fn help_of_residue() {
    assert_snapshot!(help(&["--help"]));
}

#[test]
fn help_of_triage() {
    assert_snapshot!(help(&["triage", "--help"]));
}

#[test]
fn help_of_ps() {
    assert_snapshot!(help(&["ps", "--help"]));
}

#[test]
fn help_of_map() {
    assert_snapshot!(help(&["map", "--help"]));
}

#[test]
fn help_of_gdb() {
    assert_snapshot!(help(&["gdb", "--help"]));
}

#[test]
fn help_of_watch() {
    assert_snapshot!(help(&["watch", "--help"]));
}

#[test]
fn help_of_report() {
    assert_snapshot!(help(&["report", "--help"]));
}

/// Help that runs over the edge of a terminal is read by nobody.
#[test]
fn help_fits_a_narrow_terminal() {
    for subcommand in ["triage", "ps", "map", "gdb", "watch", "report"] {
        let mut command = command(&[subcommand, "-h"]);
        command.env("COLUMNS", "80");
        let text = Ran::of(command).good().text();
        let examples = text.find("Examples:").expect("each command shows examples");
        for line in text[..examples].lines() {
            assert!(line.chars().count() <= 80, "{subcommand}: {line:?}");
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = help(&["--version"]);
    assert_eq!(version, format!("residue {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn help_of_record() {
    assert_snapshot!(help(&["record", "--help"]));
}
