//! What must not happen to a process whose core is written.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use residue_model::{Bytes, ProcessId};
use residue_target::live::linux::{DumpOptions, dump};
use residue_target::{DumpProgress, ErrorKind};
use residue_testkit::{Program, Running};

use super::{Folder, await_state, dumped, eventually, pid, proc_dir, signal, status, threads};

fn runs_on(pulse: &mut Running) {
    let who = pid(pulse);
    assert_eq!(status(who, "TracerPid"), "0");
    pulse.ask("once");
    let beats = pulse.ask("again").number("beats");
    assert!(beats > 0, "it stands still");
    let state = status(who, "State");
    assert!(state.starts_with(['S', 'R']), "{state}");
}

/// Another thread of it runs on too, whenever its turn comes.
fn counts_on(posed: &mut Running) {
    let before = posed.ask("once").number("beats");
    eventually("its other thread counts on", || posed.ask("again").number("beats") > before);
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
    counts_on(&mut posed);
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
    counts_on(&mut posed);
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
    eventually("the signal arrives", || status(who, "State").starts_with('Z'));
}

/// So many chunks and no more: where that is not enough for all of it, a process stands until the writer has written.
const LEAST: DumpOptions<'_> = DumpOptions {
    all_files: false,
    excluded: false,
    compress: false,
    force: false,
    staging: Some(Bytes(0)),
    interrupted: &|| false,
};

/// Runs in a process of its own, which the test below kills. By itself it does nothing.
///
/// While the process stands, it comes to a halt where it is told of progress for the so-many-th time, and says so.
#[test]
fn a_dump_that_another_test_kills() {
    let told = ["PID", "PATH", "HALT"].map(|name| env::var(format!("RESIDUE_TEST_DUMP_{name}")));
    let [Ok(pid), Ok(path), Ok(halt)] = told else { return };
    let pid = ProcessId(pid.parse().expect("a number"));
    let halt: u32 = halt.parse().expect("a number");
    let mut stands = 0;
    let _ = dump(&proc_dir(), pid, &LEAST, Path::new(&path), &mut |progress| {
        stands += u32::from(stands > 0 || progress == DumpProgress::Stopped);
        if stands == halt {
            println!("{HALTED}");
            // Until it is killed, or its test is gone.
            let _ = io::stdin().read_line(&mut String::new());
        }
    });
}

const HALTED: &str = "halted in the middle";

fn start_dump(pid: ProcessId, path: &Path, halt: u32) -> Child {
    let test =
        format!("{}::a_dump_that_another_test_kills", module_path!().split_once("::").expect("a path").1);
    Command::new(env::current_exe().expect("it runs"))
        .args(["--exact", &test, "--nocapture"])
        .env("RESIDUE_TEST_DUMP_PID", pid.to_string())
        .env("RESIDUE_TEST_DUMP_PATH", path)
        .env("RESIDUE_TEST_DUMP_HALT", halt.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

#[test]
fn a_killed_dump_leaves_the_process_running_and_no_core() {
    let mut pulse = Program::build("pulse").spawn(&["mib=128"]);
    let who = pid(&pulse);
    for halt in 1..=20 {
        let folder = Folder::new();
        let mut dump = start_dump(who, &folder.core(), halt);
        let mut lines = BufReader::new(dump.stdout.take().expect("it was asked for")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line.contains(HALTED))), "{halt}: it ended before");
        assert_ne!(status(who, "TracerPid"), "0", "{halt}: it stands");
        dump.kill().expect("it was started here");
        dump.wait().expect("it was started here");
        runs_on(&mut pulse);
        assert!(!folder.core().exists(), "{halt}: not all of it was written");
    }
}

#[test]
fn a_process_killed_while_it_stands_is_told_and_leaves_no_file() {
    let pulse = Program::build("pulse").spawn(&["mib=64"]);
    let who = pid(&pulse);
    let folder = Folder::new();
    let error = dump(&proc_dir(), who, &LEAST, &folder.core(), &mut |progress| {
        if progress == DumpProgress::Stopped {
            signal(who, "-KILL");
            // A signal is sent at once and takes effect later. The reader waits meanwhile, for most has no room yet.
            eventually("it is dead", || status(who, "State").starts_with('Z'));
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
