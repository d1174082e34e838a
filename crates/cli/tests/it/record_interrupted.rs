//! A recording that is broken off: by Ctrl-C, by the end of the program, by that of the recorder.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use residue_testkit::{Facts, Program};

use crate::harness::folder::Folder;
use crate::harness::recorded::report;
use crate::harness::{BINARY, number, word};

const PATIENCE: Duration = Duration::from_secs(300);

/// A recording that goes on.
struct Going {
    folder: Folder,
    recorder: Child,
}

impl Going {
    /// In a group of its own, as a terminal gives it.
    fn new(words: impl FnOnce(&Folder) -> Vec<String>) -> Going {
        let folder = Folder::new();
        let words = words(&folder);
        let recorder = Command::new(BINARY)
            .args(["record", "-o", &folder.file("recording"), "--"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("the command starts");
        Going { folder, recorder }
    }

    fn pid(&self) -> i64 {
        i64::from(self.recorder.id())
    }

    fn ends(&mut self) -> Option<i32> {
        let recorder = &mut self.recorder;
        wait_until("the end of the recorder", || recorder.try_wait().expect("our child")).code()
    }

    fn recording(&self) -> std::path::PathBuf {
        self.folder.file("recording").into()
    }
}

impl Drop for Going {
    /// With all that it started: where a test fails, these may run on.
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.recorder.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.recorder.wait();
    }
}

/// Signals one process, or a group where the number is negative.
#[track_caller]
fn send(signal: &str, target: i64) {
    let status = Command::new("kill").args([signal, "--", &target.to_string()]).status();
    assert!(status.expect("kill starts").success(), "{target} is gone");
}

#[track_caller]
fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{what} does not come");
        sleep(Duration::from_millis(5));
    }
}

/// The first line of a file, once it is whole.
fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.split_once('\n')?.0.to_owned())
}

/// The process that runs a program, of those in this group.
fn process(group: i64, program: &Path) -> Option<i64> {
    let of_group = Command::new("pgrep").args(["-g", &group.to_string()]).output().expect("pgrep starts");
    let pids = String::from_utf8_lossy(&of_group.stdout).into_owned();
    let mut pids = pids.lines().filter_map(|pid| pid.parse().ok());
    pids.find(|pid: &i64| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program))
}

fn churn() -> std::path::PathBuf {
    let churn = Program::build("churn").flag("-O2").flag("-fomit-frame-pointer").path();
    churn.expect("it compiles").canonicalize().expect("it is there")
}

fn churning(folder: &Folder, operations: u64) -> Vec<String> {
    let out = folder.file("facts");
    vec![
        churn().display().to_string(),
        "threads=2".into(),
        format!("operations={operations}"),
        format!("out={out}"),
    ]
}

/// Nobody reads what the program writes any more: it waits for a while, then goes on alone.
#[test]
fn the_end_of_the_recorder_does_not_end_the_program() {
    let going = Going::new(|folder| churning(folder, 2_000_000));
    let facts = going.folder.file("facts");
    wait_until("the program", || Path::new(&facts).exists().then_some(()));

    send("-KILL", going.pid());

    let told = Facts::of(&wait_until("its end", || line(&facts)));
    assert_eq!((told.word(), told.number("operations")), ("done", 4_000_000));
    assert_eq!(told.number("allocations"), told.number("frees"));
}

/// What it had written is read after its end.
#[test]
fn a_program_that_is_killed_has_its_recording() {
    let mut going = Going::new(|folder| churning(folder, u64::MAX >> 16));
    let program = churn();
    let pid = wait_until("the program", || process(going.pid(), &program));
    let facts = going.folder.file("facts");
    wait_until("its work", || Path::new(&facts).exists().then_some(()));

    send("-KILL", pid);

    assert_eq!(going.ends(), Some(0));
    let report = report(&going.recording());
    assert_eq!((word(&report["target"], "end"), number(&report["target"], "signal")), ("killed", 9));
    assert!(number(&report["totals"], "allocations") > 0, "{}", report["totals"]);
    assert_eq!(number(&report["totals"], "dropped"), 0, "{}", report["totals"]);
}

const STUBBORN: &str =
    r#"trap 'echo caught > "$1/caught"; exit 7' INT; echo > "$1/up"; while :; do sleep 0.05; done"#;

/// A terminal sends it to all of the group: the program may do with it what it likes.
#[test]
fn an_interrupt_ends_the_recording_and_leaves_the_program_its_choice() {
    let mut going = Going::new(|folder| {
        ["sh", "-c", STUBBORN, "sh", &folder.path().display().to_string()].map(str::to_owned).to_vec()
    });
    let (up, caught) = (going.folder.file("up"), going.folder.file("caught"));
    wait_until("the program", || line(&up));

    send("-INT", -going.pid());

    going.ends();
    wait_until("its answer", || line(&caught));
    assert!(number(&report(&going.recording())["totals"], "allocations") > 0);
}
