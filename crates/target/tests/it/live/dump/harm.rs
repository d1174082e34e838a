//! What must not happen to a process whose core is written.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use residue_model::ProcessId;
use residue_target::live::linux::{DumpOptions, dump};
use residue_target::{DumpProgress, ErrorKind};
use residue_testkit::{Program, Running};

use super::{CoreFile, Folder, await_state, dumped, pid, proc_dir, signal, status, threads};

fn runs_on(pulse: &mut Running) {
    let who = pid(pulse);
    assert_eq!(status(who, "TracerPid"), "0");
    pulse.ask("once");
    thread::sleep(Duration::from_millis(20));
    let beats = pulse.ask("again").number("beats");
    assert!(beats > 0, "it stands still");
    let state = status(who, "State");
    assert!(state.starts_with(['S', 'R']), "{state}");
}

#[test]
fn a_running_process_runs_on() {
    let mut pulse = Program::build("pulse").spawn(&["mib=32"]);
    for _ in 0..5 {
        let folder = Folder::new();
        dumped(pid(&pulse), &DumpOptions::default(), &folder.core());
        runs_on(&mut pulse);
    }
}

#[test]
fn a_stopped_process_stays_stopped_until_it_is_continued() {
    let mut posed = Program::build("posed").spawn(&["threads=4"]);
    let who = pid(&posed);
    signal(who, "-STOP");
    await_state(who, 'T');
    let folder = Folder::new();
    let found = dumped(who, &DumpOptions::default(), &folder.core());
    assert_eq!(found.threads, 6);
    await_state(who, 'T');
    assert_eq!(status(who, "TracerPid"), "0");

    signal(who, "-CONT");
    let before = posed.ask("once").number("beats");
    thread::sleep(Duration::from_millis(20));
    assert!(posed.ask("again").number("beats") > before);
}

/// The parent of a `vfork` stops for nobody. The others do, and it runs no line of the program meanwhile.
#[test]
fn a_thread_that_cannot_be_stopped_is_a_gap_and_holds_nobody_up() {
    let mut posed = Program::build("posed").spawn(&["threads=2", "forking=1"]);
    let folder = Folder::new();
    let asleep = |tid: &u32| {
        let status = fs::read_to_string(format!("/proc/{}/task/{tid}/status", posed.pid())).expect("it runs");
        status.contains("State:\tD")
    };
    let thread = loop {
        if let Some(tid) = threads(&posed).into_iter().find(asleep) {
            break tid;
        }
    };
    let found = dumped(pid(&posed), &DumpOptions::default(), &folder.core());

    assert_eq!(found.threads, 4);
    let what = format!("registers of thread {thread} of process {}", posed.pid());
    assert!(found.gaps.iter().any(|gap| gap.what == what), "{:?}", found.gaps);
    assert!(found.stopped < Duration::from_secs(1), "{:?}", found.stopped);
    assert_eq!(status(pid(&posed), "TracerPid"), "0");
    let before = posed.ask("once").number("beats");
    thread::sleep(Duration::from_millis(20));
    assert!(posed.ask("again").number("beats") > before);
}

/// A signal on its way must arrive once, and kill nobody whom it did not.
#[test]
fn signals_arrive_through_a_dump() {
    let posed = Program::build("posed").spawn(&[]);
    let who = pid(&posed);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10 {
                let folder = Folder::new();
                dumped(who, &DumpOptions::default(), &folder.core());
            }
        });
        for _ in 0..50 {
            signal(who, "-WINCH");
            thread::sleep(Duration::from_millis(1));
        }
    });
    let folder = Folder::new();
    let killed = dump(&proc_dir(), who, &DumpOptions::default(), &folder.core(), &mut |progress| {
        if progress == DumpProgress::Stopped {
            signal(who, "-TERM");
        }
    });
    assert!(killed.is_ok(), "it stands, and gets the signal when it runs again: {killed:?}");
    for _ in 0..2000 {
        if status(who, "State").starts_with('Z') {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("the signal was lost");
}

/// Runs in a process of its own, which the test below kills. By itself it does nothing.
#[test]
fn a_dump_that_another_test_kills() {
    let (Ok(pid), Ok(path)) = (env::var("RESIDUE_TEST_DUMP_PID"), env::var("RESIDUE_TEST_DUMP_PATH")) else {
        return;
    };
    let pid = ProcessId(pid.parse().expect("a number"));
    let _ = dump(&proc_dir(), pid, &DumpOptions::default(), Path::new(&path), &mut |_| {});
}

fn start_dump(pid: ProcessId, path: &Path) -> Child {
    let test =
        format!("{}::a_dump_that_another_test_kills", module_path!().split_once("::").expect("a path").1);
    Command::new(env::current_exe().expect("it runs"))
        .args(["--exact", &test, "--nocapture"])
        .env("RESIDUE_TEST_DUMP_PID", pid.to_string())
        .env("RESIDUE_TEST_DUMP_PATH", path)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

#[test]
fn a_killed_dump_leaves_the_process_running_and_no_core() {
    let mut pulse = Program::build("pulse").spawn(&["mib=256"]);
    let who = pid(&pulse);
    let mut caught = 0;
    for round in 0..20 {
        let folder = Folder::new();
        let mut dump = start_dump(who, &folder.core());
        // Until it has hold of the process, and then a little more each round.
        while status(who, "TracerPid") == "0" && dump.try_wait().is_ok_and(|ended| ended.is_none()) {}
        thread::sleep(Duration::from_millis(round * 3));
        caught += u32::from(status(who, "TracerPid") != "0");
        dump.kill().expect("it was started here");
        dump.wait().expect("it was started here");
        runs_on(&mut pulse);
        if folder.core().exists() {
            // Then it is a whole one.
            let core = CoreFile::open(&folder.core());
            assert!(core.bytes(pulse.number("start"), 256 << 20).is_some());
        }
    }
    assert!(caught >= 5, "only {caught} were killed while the process stood");
}

#[test]
fn a_process_killed_while_it_stands_is_told_and_leaves_no_file() {
    let pulse = Program::build("pulse").spawn(&["mib=512"]);
    let folder = Folder::new();
    let error = dump(&proc_dir(), pid(&pulse), &DumpOptions::default(), &folder.core(), &mut |progress| {
        if progress == DumpProgress::Stopped {
            signal(pid(&pulse), "-KILL");
        }
    })
    .expect_err("half of it is gone");
    assert_eq!(error.kind(), ErrorKind::Ended, "{error:?}");
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn an_interrupted_dump_leaves_the_process_running_and_no_file() {
    for compress in [false, true] {
        let mut pulse = Program::build("pulse").spawn(&["mib=64"]);
        let folder = Folder::new();
        let asked = std::cell::Cell::new(false);
        let interrupted = || asked.get();
        let options = DumpOptions { compress, interrupted: &interrupted, ..DumpOptions::default() };
        let error = dump(&proc_dir(), pid(&pulse), &options, &folder.core(), &mut |progress| {
            asked.set(match progress {
                DumpProgress::Compressed(..) => true,
                _ => !compress,
            });
        })
        .expect_err("it was interrupted");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(folder.names(), [""; 0]);
        runs_on(&mut pulse);
    }
}

/// A small file system of its own. Needs root.
struct Disk(Folder);

impl Disk {
    fn of(mib: u32) -> Disk {
        let disk = Disk(Folder::new());
        let size = format!("size={mib}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(disk.0.core().parent().expect("it stands in a folder"))
            .status();
        assert!(mounted.is_ok_and(|status| status.success()), "root may mount");
        disk
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.core().parent().expect("it stands in a folder")).status();
    }
}

#[test]
fn a_disk_that_fills_meanwhile_is_told_and_nothing_is_left() {
    let mut pulse = Program::build("pulse").spawn(&["mib=64"]);
    let disk = Disk::of(100);
    let filler = disk.0.core().with_file_name("filler");
    let error = dump(&proc_dir(), pid(&pulse), &DumpOptions::default(), &disk.0.core(), &mut |progress| {
        if progress == DumpProgress::Stopped {
            fs::write(&filler, vec![1; 60 << 20]).expect("there is still room");
        }
    })
    .expect_err("it is full");
    assert_eq!(error.kind(), ErrorKind::Write, "{error:?}");
    assert!(error.remedy().is_some_and(|help| help.contains("nothing is left")), "{error:?}");
    assert_eq!(disk.0.names(), ["filler"]);
    runs_on(&mut pulse);

    let error = dump(&proc_dir(), pid(&pulse), &DumpOptions::default(), &disk.0.core(), &mut |progress| {
        panic!("too little room, known before: {progress:?}")
    })
    .expect_err("it is full");
    assert!(error.to_string().starts_with("not enough room"), "{error}");
}
