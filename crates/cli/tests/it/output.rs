//! Where the output goes: closed pipes, full disks, narrow terminals.

use std::fs::OpenOptions;
use std::process::Command;

use residue_testkit::{Program, Running};

use crate::harness::{BINARY, Ran, command, oracle, residue};

fn regions(count: usize) -> (Running, String) {
    let program = Program::build("regions").spawn(&[&format!("count={count}")]);
    let pid = program.pid().to_string();
    (program, pid)
}

/// `residue … | head -1`: whoever reads has seen enough. No panic, no complaint, no failure of the script.
#[test]
fn a_closed_pipe_ends_quietly() {
    let (_program, pid) = regions(20_000);

    for arguments in [
        format!("map {pid} --all"),
        format!("map {pid} --json"),
        "ps --json".to_owned(),
        format!("watch {pid} --interval 50ms"),
    ] {
        let script = format!("{BINARY:?} {arguments} 2>&3 | head -c 20 >/dev/null; echo ${{PIPESTATUS[0]}}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("exec 3>&2; {script}")]);
        let ran = Ran::of(bash).good();
        assert_eq!((ran.text().trim(), ran.err.as_str()), ("0", ""), "{arguments}");
    }
}

/// A report that could not be written is no success, whatever was found.
#[test]
fn a_full_disk_is_our_own_failure() {
    let (_program, pid) = regions(100);
    let condition = format!("pid={pid}");

    for arguments in [
        &["ps"][..],
        &["ps", "--json"],
        &["ps", "--by", "system"],
        &["ps", "--filter", &condition, "--bar"],
        &["map", &pid],
        &["map", &pid, "--json"],
        &["watch", &pid, "--for", "300ms"],
        &["watch", &pid, "--for", "300ms", "--json"],
        &["triage", &pid, "--for", "300ms"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let mut command = command(arguments);
        command.stdout(full).stderr(std::process::Stdio::piped());
        let child = command.spawn().expect("the command starts");
        let ran = Ran::from(child.wait_with_output().expect("it ends")).ended(4);
        ran.says(&["error: ", "cause: ", "space"]);
    }
    residue(&["map", &pid, "--html", "/dev/full"]).ended(4).says(&["/dev/full", "cause: "]);
}

/// Columns that a line takes: each of the letters, blocks and bars that Residue prints takes one.
fn width(line: &str) -> usize {
    line.chars().count()
}

/// A command to copy is never cut or broken: it would not run.
fn is_command(line: &str) -> bool {
    line.contains("residue ")
}

fn assert_fits(arguments: &[&str], columns: usize) {
    let mut command = command(arguments);
    command.env("COLUMNS", columns.to_string());
    let shown = Ran::of(command).good().text();
    assert!(shown.lines().count() > 3, "{shown}");
    for line in shown.lines().filter(|line| !is_command(line)) {
        assert!(width(line) <= columns, "{arguments:?}: {} columns: {line:?}", width(line));
    }
}

#[test]
fn a_terminal_of_40_columns_shows_ps() {
    assert_fits(&["ps", "--top", "20", "--totals"], 40);
    assert_fits(&["ps", "--by", "user"], 40);
    assert_fits(&["ps", "--by", "mapping", "--top", "20"], 40);
    assert_fits(&["ps", "--by", "system"], 40);
    assert_fits(&["ps", "--bar", "--top", "5"], 40);
}

#[test]
fn a_terminal_of_40_columns_shows_map() {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid().to_string();
    let other = Program::build("equal_blocks").spawn(&["count=20"]);

    assert_fits(&["map", &pid], 40);
    assert_fits(&["map", &pid, "--all"], 40);
    assert_fits(&["map", &pid, "--diff", &other.pid().to_string()], 40);
}

#[test]
fn a_terminal_of_40_columns_shows_triage_and_watch() {
    let blocks = Program::build("equal_blocks").spawn(&["count=5000"]);
    let layout = Program::build("layout").spawn(&[]);
    let pid = blocks.pid().to_string();

    assert_fits(&["triage", &pid, "--for", "1s"], 40);
    assert_fits(&["triage", &layout.pid().to_string(), "--for", "1s"], 40);
    assert_fits(&["watch", &pid, "--for", "1s"], 40);
    assert_fits(&["watch", &pid, &layout.pid().to_string(), "--for", "1s"], 40);
}

#[test]
fn the_usual_80_columns_are_kept() {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid().to_string();

    assert_fits(&["ps", "--top", "20"], 80);
    assert_fits(&["map", &pid, "--all"], 80);
    assert_fits(&["triage", &pid, "--for", "1s"], 80);
}

/// Into a file or pipe nothing is cut: who greps for a name must find all of it.
#[test]
fn nothing_is_cut_without_a_terminal() {
    let layout = Program::build("layout").spawn(&[]);
    let gone = String::from_utf8(layout.bytes("deleted_path")).expect("a plain path");

    let shown = residue(&["map", &layout.pid().to_string(), "--all"]).good().text();

    assert!(shown.contains(&gone), "{gone} is not in: {shown}");
    assert!(
        !shown.contains('…')
            || shown.matches('…').count()
                == shown.matches("KiB … 1 MiB").count() + shown.matches("1 … 64 MiB").count()
    );
}

/// What a terminal of 100 columns shows, made by `script` of util-linux.
fn on_a_terminal(arguments: &str, environment: &str) -> String {
    let line = format!("stty cols 100 rows 40; {environment} {BINARY} {arguments}");
    oracle::tool("script", &["--quiet", "--return", "--command", &line, "/dev/null"])
}

#[test]
fn colour_is_for_terminals_and_can_be_refused() {
    let (_program, pid) = regions(5000);
    let arguments = format!("triage {pid} --for 1s");

    let coloured = on_a_terminal(&arguments, "env -u NO_COLOR TERM=xterm-256color");
    let plain = on_a_terminal(&arguments, "env NO_COLOR=1 TERM=xterm-256color");
    let piped = residue(&["triage", &pid, "--for", "1s"]).good().text();

    assert!(coloured.contains("\x1b[1m") || coloured.contains("\x1b[3"), "{coloured:?}");
    // The progress bar moves the cursor; colour it must not.
    assert!(!plain.contains("\x1b[3") && !plain.contains("\x1b[1m"), "{plain:?}");
    assert!(!piped.contains('\x1b'), "{piped:?}");
}

#[test]
fn a_page_is_written_where_it_was_asked_for() {
    let (_program, pid) = regions(100);

    residue(&["map", &pid, "--html", "/nowhere/at/all.html"])
        .ended(4)
        .says(&["/nowhere/at/all.html", "cause: "]);
}
