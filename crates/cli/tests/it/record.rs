//! `record`: a program that is started with the recorder inside runs as it would, and leaves a recording however it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use residue::model::Recording;
use residue::model::recording::{AllocationKind, End, StackSums};
use residue_testkit::{Facts, Program};

use crate::harness::folder::Folder;
use crate::harness::{BINARY, Ran, command, oracle, residue};

fn path(program: &str) -> String {
    let path = Program::build(program).path().expect("it builds");
    path.to_str().expect("a plain name").to_owned()
}

fn recording(file: impl AsRef<Path>) -> Recording {
    residue::recording(file.as_ref()).expect("it is read")
}

/// The one call path that holds so many bytes.
#[track_caller]
fn holder(recording: &Recording, bytes: u64) -> &StackSums {
    let mut found =
        recording.stacks.iter().filter(|sums| sums.live.0 == bytes && sums.kind == AllocationKind::Heap);
    let sums = found.next().unwrap_or_else(|| panic!("nothing holds {bytes} bytes"));
    assert!(found.next().is_none(), "{bytes} bytes are held twice");
    sums
}

/// What it had allocated is told whole, whether it had a chance to say good-bye or not.
#[test]
fn a_program_loses_nothing_however_it_ends() {
    let (folder, program) = (Folder::new(), path("endings"));
    for (how, end) in [
        ("return", End::Exited(8)),
        ("_exit", End::Exited(10)),
        ("quick_exit", End::Exited(11)),
        ("kill", End::Killed(9)),
        ("segv", End::Killed(11)),
    ] {
        let file = folder.file(how);
        let ran = residue(&["record", "-o", &file, "--", &program, &format!("how={how}")]).good();

        assert!(ran.text().starts_with("done "), "its output is its own: {}", ran.text());
        ran.says(&["wrote ", &file, "next: residue report "]);
        let recording = recording(&file);
        let sums = holder(&recording, 48_000);
        assert_eq!((sums.live_blocks, sums.allocations, sums.frees), (1000, 1000, 0), "{how}");
        assert_eq!((sums.smallest.0, sums.largest.0), (48, 48), "{how}");
        assert_eq!(recording.program.end, Some(end), "{how}");
        assert_eq!(recording.program.executable, program);
        assert_eq!(recording.program.command, [program.clone(), format!("how={how}")]);
        assert_eq!((recording.totals.dropped, recording.totals.unknown_frees), (0, 0), "{how}");
    }
}

/// Two threads as fast as they can: the counts are those that the program has of itself.
#[test]
fn every_allocation_is_counted_and_the_file_stays_small() {
    let folder = Folder::new();
    let sizes = ["300000", "3000000"].map(|operations| {
        let file = folder.file(operations);
        let operations = format!("operations={operations}");
        let ran = residue(&["record", "-o", &file, "--", &path("churn"), "threads=2", &operations]);
        let facts = Facts::of(ran.good().text().trim_end());
        let recording = recording(&file);
        // The C library allocates a little for itself, and frees none of it: threads, streams.
        let beside = recording.totals.allocations - facts.number("allocations");
        assert!(beside < 100, "{beside} more than {} allocations", facts.number("allocations"));
        assert_eq!((recording.totals.dropped, recording.totals.unknown_frees), (0, 0));
        assert_eq!(recording.totals.allocations - recording.totals.frees, recording.totals.live_blocks);
        let stacks = recording.stacks.iter().map(|sums| sums.live_blocks).sum::<u64>();
        assert_eq!(stacks, recording.totals.live_blocks);
        fs::metadata(&file).expect("it stands").len()
    });

    assert!(sizes[1] < 2 * sizes[0] && sizes[1] < 2 << 20, "{sizes:?}");
}

/// Thousands of threads that live for a moment: each has a ring, and what it wrote there is read before the next has it.
#[test]
fn threads_that_come_and_go_lose_nothing() {
    let folder = Folder::new();
    let file = folder.file("a");
    residue(&["record", "-o", &file, "--", &path("swarm"), "case=brief"]).good();

    let totals = recording(&file).totals;

    assert!(totals.threads > 2000, "{totals:?}");
    assert_eq!((totals.dropped, totals.unknown_frees), (0, 0));
}

/// Each program of a process has a recording of its own; the last one has the name that was asked for.
#[test]
fn programs_that_follow_each_other_have_a_file_each() {
    let folder = Folder::new();
    let file = folder.file("chain.residue");
    residue(&["record", "-o", &file, "--", &path("processes"), "case=exec", "links=3"]).good();

    let last = recording(&file);
    let pid = last.program.pid;
    let mut ends: Vec<Option<End>> = vec![last.program.end];
    for entry in folder.path().read_dir().expect("it is there").flatten() {
        let name = entry.file_name().into_string().expect("plain");
        if name != "chain.residue" {
            assert!(name.starts_with(&format!("chain.{pid}")) && name.ends_with(".residue"), "{name}");
            ends.push(recording(entry.path()).program.end);
        }
    }

    assert_eq!(ends[0], Some(End::Exited(0)));
    assert!(ends.len() > 2, "{ends:?}");
    assert!(ends[1..].iter().all(|end| *end == Some(End::Replaced)), "{ends:?}");
}

#[test]
fn children_are_recorded_unless_they_are_not_wanted() {
    let program = path("endings");
    // A shell that waits, so that it does not become the program itself.
    let line = format!("{program} how=exit; true");
    for (option, files) in [(None, true), (Some("--no-children"), false)] {
        let folder = Folder::new();
        let file = folder.file("sh");
        let arguments =
            [&["record", "-o", &file][..], option.as_slice(), &["--", "sh", "-c", &line]].concat();
        residue(&arguments).good();

        let recordings: Vec<Recording> = folder
            .path()
            .read_dir()
            .expect("it is there")
            .flatten()
            .map(|entry| recording(entry.path()))
            .collect();
        let is_child = |recording: &&Recording| recording.stacks.iter().any(|sums| sums.live.0 == 48_000);
        assert_eq!(recordings.iter().filter(is_child).count(), usize::from(files), "{option:?}");
        assert!(recording(&file).program.executable.contains("sh"));
    }
}

#[test]
fn what_cannot_be_recorded_is_refused_before_it_starts() {
    let folder = Folder::new();
    let file = folder.file("a");
    let program = Program::build("endings").flag("-static").path().expect("it builds");
    let program = program.to_str().expect("plain");

    residue(&["record", "-o", &file, "--", program]).ended(3).says(&[
        "is a static executable",
        "help: ",
        "residue watch",
        "residue leaks",
    ]);
    residue(&["record", "-o", &file, "--", "no-such-program-anywhere"])
        .ended(3)
        .says(&["there is no program"]);
    residue(&["record", "-o", "/nowhere/at/all", "--", "true"]).ended(4).says(&["/nowhere/at", "help: "]);
    residue(&["record", "-o", &file]).ended(2);
    assert!(!Path::new(&file).exists());
}

/// A recording that goes on, of a program that ends when it is told to.
struct Running {
    residue: Child,
    told: ChildStdin,
}

impl Running {
    fn start(arguments: &[&str]) -> Running {
        let mut residue = command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let told = residue.stdin.take().expect("it was asked for");
        Running { residue, told }
    }

    /// The program, once the recorder is in it.
    fn program(&self) -> u32 {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < Duration::from_secs(60), "the program never began");
            let children = format!("/proc/{0}/task/{0}/children", self.residue.id());
            let children = fs::read_to_string(children).expect("it runs");
            let child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
            let is_recorded = |pid: &u32| {
                fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains("/image-"))
            };
            if let Some(pid) = child.filter(is_recorded) {
                return pid;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: &str) {
        oracle::tool("kill", &[signal, &self.residue.id().to_string()]);
    }
}

/// Who presses Ctrl-C twice wants the recording to end; what the program makes of it is the program's own affair.
#[test]
fn an_interrupted_recording_is_kept_and_the_program_runs_on() {
    let folder = Folder::new();
    let file = folder.file("a");
    let mut running =
        Running::start(&["record", "-o", &file, "--", "sh", "-c", "echo ready; read line; echo got $line"]);
    let program = running.program();
    // A recording without any event is not written.
    let mut told = BufReader::new(running.residue.stdout.take().expect("asked for"));
    told.read_line(&mut String::new()).expect("it speaks");

    running.signal("-INT");
    running.signal("-TERM");
    let code = running.residue.wait().expect("it ends").code();
    assert!(Path::new(&format!("/proc/{program}")).exists(), "the program runs on");
    // The program has our streams too: they end with it.
    writeln!(running.told, "word").expect("it listens");
    let (mut out, mut err) = (String::new(), String::new());
    told.read_to_string(&mut out).expect("text");
    running.residue.stderr.take().expect("asked for").read_to_string(&mut err).expect("text");

    assert_eq!((out.as_str(), code), ("got word\n", Some(130)));
    assert!(err.contains("runs on") && err.contains(&file), "{err}");
    assert_eq!(recording(&file).program.end, Some(End::Left));
}

/// The collector is killed while threads write as fast as they can: they find that nobody reads, and go on.
#[test]
fn a_program_survives_its_collector() {
    let folder = Folder::new();
    let program = path("churn");
    let arguments = ["record", "-o", &folder.file("a"), "--", &program, "threads=2", "operations=2000000"];
    let mut running = Running::start(&arguments);
    running.program();

    running.signal("-KILL");
    let mut out = String::new();
    running.residue.stdout.take().expect("asked for").read_to_string(&mut out).expect("text");

    assert!(Facts::of(out.trim_end()).number("allocations") > 1_000_000, "{out}");
    running.residue.wait().expect("it ended");
    // What it left is cleared away by the next one.
    residue(&["record", "-o", &folder.file("b"), "--", "true"]).good();
}

/// `nohup` and its like: what is ignored before stays ignored in the program.
#[test]
fn the_program_has_the_signals_that_it_would_have() {
    let folder = Folder::new();
    let line = format!(
        "trap '' HUP INT; exec {BINARY} record -o {} -- grep SigIgn /proc/self/status",
        folder.file("a")
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).stdin(Stdio::null());

    let ran = Ran::of(shell).good();

    let ignored = u64::from_str_radix(ran.text().trim_start_matches("SigIgn:").trim(), 16).expect("a mask");
    assert_eq!(ignored & 0b11, 0b11, "{}", ran.text());
}

/// What is not freed at the end is not lost yet: only what nobody could reach is, and a ring is, too.
#[test]
fn what_is_lost_at_the_end_is_told_from_what_is_held() {
    let (folder, program) = (Folder::new(), path("partings"));
    let file = folder.file("return");
    let ran = residue(&["record", "-o", &file, "--", &program]).good();
    let facts = Facts::of(ran.text().trim_end());

    let recording = recording(&file);
    let lost = |sums: &StackSums| Some((sums.lost_blocks?, sums.lost?.0));
    let all: Vec<(u64, u64)> =
        recording.stacks.iter().map(|sums| lost(sums).expect("somebody looked")).collect();
    let sum = all.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(sum, (facts.number("lost"), facts.number("lost_bytes")));
    let held = holder(&recording, facts.number("held_bytes"));
    assert_eq!((held.live_blocks, lost(held)), (facts.number("held"), Some((0, 0))));
    assert!(residue(&["report", &file]).good().text().contains("LOST: "));
    residue(&["report", &file, "--fail-on", "lost"]).ended(1);
}

/// A program that ends without a word cannot be asked: then nobody looked, which is not the same as nothing lost.
#[test]
fn what_ends_at_once_is_not_asked_what_is_lost() {
    let (folder, program) = (Folder::new(), path("partings"));
    let file = folder.file("exit");
    residue(&["record", "-o", &file, "--", &program, "how=_exit"]).good();

    let recording = recording(&file);
    assert!(recording.stacks.iter().all(|sums| sums.lost_blocks.is_none() && sums.lost.is_none()));
    assert!(!recording.stacks.is_empty());
    assert!(residue(&["report", &file]).good().text().contains("nobody could look"));
    residue(&["record", "--no-lost", "-o", &file, "--", &program]).good();
    assert!(self::recording(&file).stacks.iter().all(|sums| sums.lost_blocks.is_none()));
}
