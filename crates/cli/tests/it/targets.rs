//! What can stand for TARGET, and what is said when it cannot be read.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use residue_testkit::{Facts, Program};
use serde_json::Value;

use crate::harness::dumped::{Dumped, fixture};
use crate::harness::folder::Folder;
use crate::harness::{Ran, document, number, residue, row_of, rows, word};

/// Asks every command about a target that none can read.
#[track_caller]
fn each_refuses(target: &str, words: &[&str]) {
    for arguments in
        [&["map", target][..], &["watch", target, "--for", "1s"], &["triage", target, "--for", "1s"]]
    {
        let ran = residue(arguments).ended(3);
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.text());
        ran.says(&["error: "]);
        ran.says(words);
    }
}

/// No process has the number that the kernel never gives: `pid_max` itself.
#[test]
fn a_pid_that_nobody_has() {
    let most = fs::read_to_string("/proc/sys/kernel/pid_max").expect("Linux");
    let most = most.trim();

    each_refuses(most, &["there is no process", most, "help: ", "residue ps"]);
    each_refuses("99999999999999999999", &["99999999999999999999"]);
}

#[test]
fn a_name_that_nobody_has() {
    each_refuses("no-such-program-runs", &["no-such-program-runs", "help: ", "residue ps"]);
    residue(&["map", ""]).ended(3).says(&["error: "]);
}

/// What a file is gets decided by looking: each kind is named, and what can be read instead is said.
#[test]
fn a_file_is_no_process() {
    let folder = Folder::new();

    for (file, kind) in [
        ("/bin/sleep".to_owned(), "an ELF program or library"),
        (folder.with("notes.txt", "hello"), "neither an ELF core nor a minidump"),
        (folder.with("nothing", ""), "is empty"),
        (folder.file("."), "a directory"),
        (folder.with("crash.bin", b"MDMP\x93\xa7\0\0"), "minidump"),
    ] {
        for command in
            [&["map", &file][..], &["triage", &file], &["search", &file, "x"], &["read", &file, "0", "1"]]
        {
            let ran = residue(command).ended(3);
            assert!(ran.out.is_empty(), "{command:?}: {}", ran.text());
            ran.says(&["error: ", &file, kind, "\n  help: "]);
        }
        residue(&["dump", &file, "-o", &folder.file("core")]).ended(3).says(&["error: ", &file, "help: "]);
    }
}

/// A file of the user's is no process that is called so, and nothing but a core shows one moment.
#[test]
fn a_file_that_is_no_dump_cannot_be_watched() {
    let folder = Folder::new();

    for file in [
        "/bin/sleep".to_owned(),
        folder.with("notes.txt", "hello"),
        folder.with("nothing", ""),
        folder.file("."),
    ] {
        let ran = residue(&["watch", &file, "--for", "1s"]).ended(3);
        ran.says(&["error: ", &file, "help: "]);
        assert!(!ran.err.contains("is a dump"), "{}", ran.err);
    }
}

/// A dump is read wherever one moment is enough; growth needs a process that runs.
#[test]
fn a_dump_is_a_target_of_all_but_what_needs_time() {
    let dumped = Dumped::of("needles", &[]);
    let minidump = fixture("minidump/breakpad-tiny-exe-with-cet-xsave.dmp");

    for dump in [&dumped.core, &minidump] {
        assert_eq!(document(&["map", dump])["target"]["kind"], "dump");
        assert_eq!(document(&["triage", dump])["target"]["kind"], "dump");
        assert_eq!(document(&["search", dump, "x"])["target"]["kind"], "dump");
        let ran = residue(&["watch", dump, "--for", "1s"]).ended(3);
        assert!(ran.out.is_empty(), "{}", ran.text());
        ran.says(&["error: ", dump, "is a dump", "\n  help: ", &format!("residue triage {dump}")]);
        residue(&["dump", dump, "-o", &dumped.folder.file("again")])
            .ended(3)
            .says(&["error: ", dump, "help: "]);
    }
}

struct Sleeper(Child);

impl Sleeper {
    fn start(path: &Path) -> Sleeper {
        Sleeper(Command::new(path).arg("600").spawn().expect("it starts"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A name means one process or none: to diagnose any of several would be luck.
#[test]
fn a_name_must_fit_one_process() {
    let folder = Folder::new();
    // Longer than the 15 bytes that the kernel keeps of a name.
    let name = format!("residue-sleeps-{}", std::process::id());
    let program = folder.path().join(&name);
    fs::copy("/bin/sleep", &program).expect("a copy");

    let one = Sleeper::start(&program);
    let found = document(&["map", &name]);
    let two = Sleeper::start(&program);

    assert_eq!(number(&found["target"], "pid"), u64::from(one.0.id()));
    let pids = [one.0.id().to_string(), two.0.id().to_string()];
    each_refuses(&name, &["2 processes are called", &name, "help: ", &pids[0], &pids[1], "600"]);
}

#[test]
fn a_zombie_has_no_memory_and_that_is_said() {
    let program = Program::build("zombie").spawn(&[]);
    let zombie = program.fact("zombie").to_owned();

    each_refuses(&zombie, &[&zombie, "zombie", "help: ", &program.pid().to_string()]);

    let listed = document(&["ps", "--filter", &format!("pid={zombie}")]);
    let row = row_of(rows(&listed, "processes"), "state", "zombie");
    assert_eq!((&row["rss"], &row["pss"]), (&Value::from(0), &Value::from(0)), "these zeros are known");
}

/// Source: `include/linux/sched.h`, `PF_KTHREAD`.
fn kernel_thread() -> String {
    let folders = fs::read_dir("/proc").expect("Linux").flatten();
    let mut pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    let is_kernel = |pid: &u32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let flags =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(6)?.parse::<u32>().ok());
        flags.is_some_and(|flags| flags & 0x0020_0000 != 0)
    };
    let found = pids.find(is_kernel);
    found
        .expect("this machine shows no kernel thread (a pid namespace?): run the tests where one is visible")
        .to_string()
}

#[test]
fn a_kernel_thread_has_no_memory_and_that_is_said() {
    let pid = kernel_thread();

    each_refuses(&pid, &[&pid, "kernel thread", "help: ", "residue ps --by system"]);

    let listed = document(&["ps", "--filter", &format!("pid={pid}")]);
    assert_eq!(listed["processes"], serde_json::json!([]), "it is no process with memory");
}

/// Several targets: that one of them is missing is said before an hour is spent on the rest.
#[test]
fn one_missing_target_of_several_is_an_error() {
    let still = Program::build("equal_blocks").spawn(&["count=1"]);

    let ran = residue(&["watch", &still.pid().to_string(), "no-such-program-runs", "--for", "1h"]).ended(3);

    ran.says(&["no-such-program-runs"]);
}

/// A program in namespaces of its own, and its pid as it is seen from outside.
struct Enclosed {
    unshare: Child,
    stdin: Option<ChildStdin>,
    pid: u32,
    facts: Facts,
}

impl Enclosed {
    fn start(program: &Path) -> Enclosed {
        let mut unshare = Command::new("unshare")
            .args(["--fork", "--pid", "--mount-proc", "--ipc", "--kill-child", "--"])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts (util-linux)");
        let stdin = unshare.stdin.take();
        let mut line = String::new();
        let mut output = BufReader::new(unshare.stdout.take().expect("stdout was asked for"));
        output.read_line(&mut line).expect("it speaks");
        let id = unshare.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("it runs");
        let pid = children.trim().parse().expect("unshare has one child");
        Enclosed { unshare, stdin, pid, facts: Facts::of(line.trim()) }
    }
}

impl Drop for Enclosed {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.flush();
        }
        let _ = self.unshare.wait();
    }
}

/// Numbers inside are others than outside; memory is the same, and what may be misread is said.
#[test]
fn a_process_in_namespaces_of_its_own_is_read() {
    let program = Program::build("layout").path().expect("it builds");
    let enclosed = Enclosed::start(&program);

    let map = document(&["map", &enclosed.pid.to_string()]);

    assert_eq!(number(&map["target"], "pid"), u64::from(enclosed.pid));
    let start = format!("{:#x}", enclosed.facts.number("committed"));
    let region = row_of(rows(&map, "regions"), "start", &start);
    assert_eq!((number(region, "size"), number(region, "rss")), (16 << 20, 16 << 20));
    let stacks = rows(&map, "regions").iter().filter(|region| region["usage"] == "thread_stack").count();
    assert_eq!(stacks, 5);
    assert!(word(row_of(rows(&map, "regions"), "usage", "text"), "name").ends_with("/layout"));
    let gap = rows(&map, "gaps").iter().find(|gap| word(gap, "what").contains("namespace"));
    let gap = gap.unwrap_or_else(|| panic!("what may be misread is not said: {}", map["gaps"]));
    for kind in ["mnt", "pid", "ipc"] {
        assert!(word(gap, "what").contains(kind), "{gap}");
    }
}

/// From inside only what is inside can be seen: pids are those of the namespace.
#[test]
fn residue_runs_inside_a_pid_namespace() {
    let mut command = Command::new("unshare");
    command.args(["--fork", "--pid", "--mount-proc", "--", crate::harness::BINARY, "ps", "--json"]);

    let document = Ran::of(command).good().json();

    let processes = rows(&document, "processes");
    assert_eq!(processes.len(), 1, "{processes:#?}");
    assert_eq!((number(&processes[0], "pid"), word(&processes[0], "name")), (1, "residue"));
    assert!(number(&processes[0], "pss") > 0);
}
