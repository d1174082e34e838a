//! The DLL as C programs meet it on Windows, under Wine.
//!
//! `RESIDUE_WINDOWS_DLL` names `residue.dll`, which `cargo xtask test --leg windows` builds, and Wine is set up by its own
//! variables. Without the variable these tests fail: none passes that has not looked.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const COMPILER: &str = "x86_64-w64-mingw32-gcc";

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn dll() -> PathBuf {
    let path = std::env::var_os("RESIDUE_WINDOWS_DLL");
    let path = path
        .expect("RESIDUE_WINDOWS_DLL names residue.dll: cargo xtask test --leg windows builds and names it");
    fs::canonicalize(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder of one test's own, with the DLL in it: Windows looks for it beside the program.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wine-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    fs::copy(dll(), folder.join("residue.dll")).expect("the DLL is copied");
    folder
}

/// How a program comes by the DLL.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Linking,
    Loading,
}

fn compile(source: &str, folder: &Path, by: By) -> PathBuf {
    let source = here().join(source);
    let program = folder.join(source.file_stem().expect("a file")).with_extension("exe");
    let mut cc = Command::new(COMPILER);
    cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]);
    // GetProcAddress gives one type of function for all, and each is called by its own.
    cc.args(["-Wno-cast-function-type", "-I"]).arg(here().join("include"));
    cc.arg(&source).arg("-o").arg(&program).arg("-lpsapi");
    if by == By::Linking {
        cc.arg(folder.join("residue.dll"));
    }
    said(&mut cc);
    program
}

fn wine(program: &Path, arguments: &[&str]) -> String {
    // With a pipe for its input Wine's server would keep it open.
    let folder = program.parent().expect("a folder");
    said(Command::new("wine").arg(program).args(arguments).current_dir(folder).stdin(Stdio::null()))
        .replace('\r', "")
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

fn page(folder: &Path, name: &str) -> String {
    let page = fs::read_to_string(folder.join(name)).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{} bytes", page.len());
    page
}

#[test]
fn watch_watches_itself() {
    let folder = scratch("watch");
    let text = wine(&compile("examples/watch.c", &folder, By::Linking), &["self", "2", "10"]);
    print!("{text}");
    let has_commit = text.lines().any(|line| line.starts_with("commit") && line.ends_with("KiB"));
    assert!(text.contains("working set") && has_commit, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("free at")).count(), 3, "{text}");
}

#[test]
fn an_alarm_goes_off_once_and_its_callback_writes_the_page() {
    let folder = scratch("alarm");
    let text = wine(&compile("examples/alarm.c", &folder, By::Linking), &["service.html"]);
    assert!(text.contains("1 report(s) in 20 samples"), "{text}");
    assert!(page(&folder, "service.html").contains("(alarm.exe)</title>"));
}

#[test]
fn wrong_calls_give_their_status_and_change_nothing() {
    let folder = scratch("errors");
    fs::write(folder.join("text"), "no dump at all, but long enough to be looked at")
        .expect("it can be written");
    let dump = here().join("../../fixtures/dumps/minidump/lldb-linux-x86_64.dmp");
    fs::copy(dump, folder.join("a.dmp")).expect("a fixture");
    let text = wine(&compile("tests/c/errors.c", &folder, By::Linking), &["a.dmp", "text"]);
    assert_eq!(text, "0 faults\n");
}

#[test]
fn it_is_loaded_and_unloaded_fifty_times() {
    let folder = scratch("reload");
    let text = wine(&compile("tests/c/reload.c", &folder, By::Loading), &["residue.dll"]);
    assert_eq!(text, "50 rounds\n");
}

#[test]
fn two_hundred_thousand_calls_leave_memory_flat() {
    let folder = scratch("flat");
    let text = wine(&compile("tests/c/flat.c", &folder, By::Linking), &[]);
    print!("{text}");
    assert!(text.starts_with("200000 calls"), "{text}");
}

#[test]
fn a_service_that_leaks_finds_out_by_itself() {
    let folder = scratch("leaky");
    let text = wine(&compile("tests/c/leaky.c", &folder, By::Linking), &["page.html"]);
    print!("{text}");
    assert!(text.contains("likely leak") && text.contains("alarms 1"), "{text}");
    assert!(page(&folder, "page.html").contains("id=\"series\""));
}

/// Printed, not asserted: the machine may be busy.
#[test]
fn speed_is_shown() {
    let folder = scratch("speed");
    let program = compile("tests/c/speed.c", &folder, By::Linking);
    let text = wine(&program, &["self", "40", "1"]);
    assert!(text.contains("calls/s"), "{text}");
    print!("{text}");
}
