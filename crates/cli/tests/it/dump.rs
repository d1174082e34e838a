//! `dump`: a core that debuggers read, of a process that goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use residue_testkit::{Program, Running};
use serde_json::json;

use crate::harness::dumped::Dumped;
use crate::harness::folder::Folder;
use crate::harness::oracle::{self, tool};
use crate::harness::stranger::Stranger;
use crate::harness::{document, number, residue, rows, word};

fn needles() -> Running {
    Program::build("needles").spawn(&[])
}

/// Which files stand in a folder.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("it is there").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What the kernel says of all regions, with their addresses and without their counters.
fn layout(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/maps")).expect("the program runs")
}

/// Who is stopped must not notice: nothing is changed in it, and all its threads count on.
#[test]
fn the_process_goes_on_as_it_was() {
    let (mut program, folder) = (needles(), Folder::new());
    let before = layout(program.pid());

    residue(&["dump", &program.pid().to_string(), "-o", &folder.file("core")]).good();

    assert_eq!(program.ask("onward").word(), "on", "every thread counts further");
    assert_eq!(layout(program.pid()), before);
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).expect("it runs");
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
}

/// Memory holds secrets.
#[test]
fn the_core_is_its_owners_alone() {
    let (program, folder) = (needles(), Folder::new());
    for (name, compress) in [("core", None), ("core.zst", Some("--compress"))] {
        let core = folder.file(name);
        let arguments = ["dump", &program.pid().to_string(), "-o", &core];

        residue(&[&arguments[..], compress.as_slice()].concat()).good();

        let mode = fs::metadata(&core).expect("it was written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}: {mode:o}");
    }
    assert_eq!(names(&folder).len(), 2, "nothing but the cores is left: {:?}", names(&folder));
}

#[test]
fn what_it_cost_is_told_before_and_after() {
    let (program, folder) = (needles(), Folder::new());
    let (pid, core) = (program.pid().to_string(), folder.file("core"));

    let ran = residue(&["dump", &pid, "-o", &core, "--json"]).good();

    ran.says(&[&pid, "will stand still for about "]);
    let dumped = ran.json();
    assert_eq!((word(&dumped, "schema"), word(&dumped, "file")), ("residue.dump/1", core.as_str()));
    assert!(dumped["stopped_ms"].as_f64().is_some_and(|stopped| stopped > 0.0), "{dumped}");
    assert!(dumped["estimate_ms"].as_f64().is_some_and(|estimate| estimate > 0.0), "{dumped}");
    assert_eq!(dumped["gaps"], json!([]));
    assert_eq!(number(&dumped, "threads"), program.number("threads"));
    assert_eq!(number(&dumped, "regions"), layout(program.pid()).lines().count() as u64);
    let file = fs::metadata(&core).expect("it was written");
    assert_eq!(number(&dumped, "file_size"), file.len());
    // Of the meadow only the pages with needles were ever touched: holes cost neither disk nor time.
    let pond = program.number("pond_bytes");
    assert!((pond..pond + (4 << 20)).contains(&number(&dumped, "saved")), "{dumped}");
    assert!(file.len() > 20 << 20 && number(&dumped, "disk") < 8 << 20, "{dumped}");
}

#[test]
fn people_read_what_was_written_and_what_to_do_next() {
    let (program, folder) = (needles(), Folder::new());
    let core = folder.file("core");

    let said = residue(&["dump", &program.pid().to_string(), "-o", &core]).good().text();

    for words in [&format!("wrote {core}: "), "4 threads", "the process stood still for ", "next: "] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.join(" ").contains(&format!("residue triage {core}")), "{said}");
}

/// The words after `next` must work: gdb reads no packed core.
#[test]
fn a_packed_core_is_not_offered_to_gdb() {
    let (program, folder) = (needles(), Folder::new());
    let core = folder.file("core.zst");

    let said = residue(&["dump", &program.pid().to_string(), "-o", &core, "--compress"]).good().text();

    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(!words.join(" ").contains(&format!("gdb -c {core}")), "{said}");
}

#[test]
fn gdb_reads_the_threads_and_the_memory() {
    let dumped = Dumped::of("needles", &[]);
    let binary = Program::build("needles").path().expect("it was built");
    let place = dumped.program.number("pond") + 0x2345;

    let said = tool(
        "gdb",
        &[
            "-batch",
            "-nx",
            "-ex",
            "info threads",
            "-ex",
            &format!("x/s {place:#x}"),
            "-ex",
            "thread apply all backtrace 20",
            binary.to_str().expect("a plain path"),
            &dumped.core,
        ],
    );

    let threads = said.lines().filter(|line| line.contains("(LWP ") && line.contains("Thread ")).count();
    assert!(threads as u64 >= dumped.program.number("threads"), "{said}");
    for thread in fs::read_dir(format!("/proc/{}/task", dumped.pid())).expect("it runs").flatten() {
        let number = format!("(LWP {})", thread.file_name().to_string_lossy());
        assert!(said.contains(&number), "gdb sees no thread {number}: {said}");
    }
    assert!(said.contains(&format!("{place:#x}:\t\"tawny owl 4711\"")), "{said}");
    let counting = said.lines().filter(|line| line.contains("count_on (")).count();
    assert_eq!(counting, 3, "the registers lead through each worker's stack: {said}");
    assert!(said.contains(" main (count="), "{said}");
}

/// A core that is there may be the only one of a crash.
#[test]
fn a_file_that_is_there_is_kept_unless_forced() {
    let (program, folder) = (needles(), Folder::new());
    let (pid, core) = (program.pid().to_string(), folder.with("core", "the only one"));

    let ran = residue(&["dump", &pid, "-o", &core]).ended(4);

    ran.says(&["error: ", &core, "help: ", "--force"]);
    assert_eq!(fs::read(&core).expect("it is there"), b"the only one");
    assert_eq!(names(&folder), ["core"]);

    residue(&["dump", &pid, "-o", &core, "--force"]).good();
    assert!(fs::read(&core).expect("it is there").starts_with(b"\x7fELF"));
    assert_eq!(fs::metadata(&core).expect("it is there").permissions().mode() & 0o777, 0o600);
}

#[test]
fn where_nothing_can_be_written_is_said_and_the_process_runs_on() {
    let mut program = needles();
    let folder = Folder::new();

    for place in ["no-such-folder/core", "."] {
        let ran = residue(&["dump", &program.pid().to_string(), "-o", &folder.file(place)]).ended(4);
        ran.says(&["error: ", folder.path().to_str().expect("a plain name")]);
    }

    assert_eq!(program.ask("onward").word(), "on");
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn what_is_no_process_cannot_be_dumped() {
    let folder = Folder::new();
    let core = folder.file("core");
    let most = fs::read_to_string("/proc/sys/kernel/pid_max").expect("Linux");

    for (target, words) in
        [(most.trim(), "there is no process"), ("no-such-program-runs", "no process is called")]
    {
        residue(&["dump", target, "-o", &core]).ended(3).says(&["error: ", words, target, "help: "]);
    }
    residue(&["dump", "1"]).ended(2).says(&["error: ", "--output"]);
    assert!(!Path::new(&core).exists());
}

#[test]
fn another_users_process_cannot_be_dumped_and_the_remedy_is_named() {
    let (mut program, stranger) = (needles(), Stranger::new());
    let core = "/tmp/residue-it-stranger.core";

    let ran = stranger.residue(&["dump", &program.pid().to_string(), "-o", core]).ended(3);

    ran.says(&["error: ", &program.pid().to_string(), "help: ", "root"]);
    assert!(!Path::new(core).exists());
    assert_eq!(program.ask("onward").word(), "on");
}

/// What the program wants kept out of dumps stays out unless somebody asks for it.
#[test]
fn files_are_saved_on_request_only() {
    let (program, folder) = (Program::build("layout").spawn(&[]), Folder::new());
    let pid = program.pid().to_string();
    let text_in = |core: &str| {
        let map = document(&["map", core]);
        let saved = |region: &&serde_json::Value| word(region, "usage") == "text";
        rows(&map, "regions").iter().filter(saved).map(|region| number(region, "saved")).sum::<u64>()
    };

    let (small, whole) = (folder.file("small"), folder.file("whole"));
    residue(&["dump", &pid, "-o", &small]).good();
    residue(&["dump", &pid, "-o", &whole, "--all-files"]).good();

    assert_eq!(text_in(&small), 0);
    let smaps = oracle::smaps(program.pid());
    let code = smaps.iter().filter(|map| {
        map.perms.contains(procfs::process::MMPermissions::EXECUTE)
            && matches!(map.pathname, procfs::process::MMapPath::Path(_))
    });
    assert_eq!(text_in(&whole), code.map(|map| map.address.1 - map.address.0).sum::<u64>());
}
