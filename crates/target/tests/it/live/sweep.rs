use std::fs;

use procfs::process::Process as Oracle;
use residue_model::{Bytes, Footprint, Process, ProcessId, ProcessState};
use residue_target::Care;
use residue_target::capture::{Archive, replay};
use residue_target::live::linux::{save, sweep};
use residue_target::{Census, File, Files, Selection};
use residue_testkit::{Program, Running};

use super::{agreed, pid, proc_dir};

fn take(files: Files, select: &dyn Fn(&Process) -> bool) -> Census {
    let selection = Selection { files, select, care: Care::Exact, progress: &|_, _| {} };
    sweep(&proc_dir(), &selection, &mut |_, _| true).expect("/proc can be read")
}

fn one(files: Files, who: ProcessId) -> Process {
    let census = take(files, &|process| process.pid == who);
    let [process] = census.processes.as_slice() else { panic!("{:?}", census.processes) };
    process.clone()
}

/// `Rss`, `Pss`, `Swap` and `SwapPss` in bytes.
fn rollup(program: &Running) -> [Option<Bytes>; 4] {
    let oracle = Oracle::new(i32::try_from(program.pid()).expect("a pid"));
    let rollup = oracle.and_then(|process| process.smaps_rollup()).expect("the oracle reads it");
    let map = &rollup.memory_map_rollup.0[0].extension.map;
    ["Rss", "Pss", "Swap", "SwapPss"].map(|key| map.get(key).copied().map(Bytes))
}

#[test]
fn the_rollup_of_a_process_is_what_the_oracle_sees() {
    let layout = Program::build("layout").spawn(&[]);
    let files = Files::default().with(File::Rollup).with(File::Statm);

    let sums = |found: &Footprint| [found.rss, found.pss, found.swap, found.swap_pss];
    let read = || one(files, pid(&layout));
    let process = agreed(|| rollup(&layout), read, |known, read| sums(&read.footprint) == *known);

    assert_eq!((process.name.as_str(), process.threads), ("layout", Some(layout.number("threads"))));
}

/// Truth is the kernel's own sum.
#[test]
fn regions_sum_up_to_the_rollup() {
    let regions = Program::build("regions").spawn(&["count=300"]);

    let read = || one(Files::all(), pid(&regions));
    let process = agreed(
        || rollup(&regions),
        read,
        |&[rss, pss, swap, _], read| {
            let found = &read.footprint;
            // Each region's `Pss` is rounded down to a KiB.
            let rounded = pss.zip(found.pss).map(|(pss, found)| pss.0.checked_sub(found.0));
            (found.rss, found.swap) == (rss, swap)
                && rounded.flatten().is_some_and(|rounded| rounded <= 1024 * read.maps.unwrap_or_default())
        },
    );

    assert!(process.maps >= Some(300));
}

#[test]
fn zombies_are_listed_with_nothing_and_kernel_threads_are_not() {
    let zombie = Program::build("zombie").spawn(&[]);
    let number = u32::try_from(zombie.number("zombie")).expect("a pid");

    let census = take(Files::all(), &|process| process.pid.0 == number || process.pid.0 == 2);

    let dead = census.processes.iter().find(|process| process.pid.0 == number).expect("it is listed");
    assert_eq!((dead.state, dead.footprint.pss), (ProcessState::Zombie, Some(Bytes::ZERO)));
    assert!(census.processes.iter().all(|process| process.state != ProcessState::Kernel));
}

/// Bytes that this thread has read so far. Source: `proc_pid_io(5)`.
fn bytes_read() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").expect("the kernel counts I/O");
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("it comes first");
    line.parse().expect("a number")
}

fn cost(files: Files, select: &dyn Fn(&Process) -> bool) -> u64 {
    let before = bytes_read();
    take(files, select);
    bytes_read() - before
}

/// The kernel itself counts what was read: the regions of one, and not those of the twenty beside it.
#[test]
fn nothing_is_read_of_processes_that_nobody_asked_for() {
    let chosen = Program::build("regions").spawn(&["count=3000"]);
    let mut crowd =
        Program::build("crowd").spawn(&["count=20", "regions=300", "private_kib=1200", "shared_kib=64"]);
    let listed = crowd.ask("pids").text("pids").to_owned();
    let bystanders: Vec<ProcessId> =
        listed.split(',').map(|number| ProcessId(number.parse().expect("a pid"))).collect();
    let files = Files::default().with(File::Stat).with(File::Maps).with(File::Smaps);
    let text = |who: ProcessId| fs::read(format!("/proc/{who}/smaps")).expect("it runs").len() as u64;
    let (mine, theirs) = (text(pid(&chosen)), bystanders.iter().map(|&who| text(who)).sum::<u64>());

    let nobody = cost(files, &|_| false);
    let one = cost(files, &|process| process.pid == pid(&chosen));
    let all = cost(files, &|process| process.pid == pid(&chosen) || bystanders.contains(&process.pid));

    // Each process of the machine costs its `stat` either way, and they come and go.
    let stats = theirs / 10;
    assert!(one + stats > nobody + mine, "{nobody} and {mine} are not {one}");
    assert!(one < nobody + mine + mine / 4 + stats, "{nobody} and {mine} are not {one}");
    assert!(all + stats > one + theirs, "{one} and {theirs} are not {all}");
}

#[test]
fn files_that_nobody_asked_for_leave_their_columns_unknown() {
    let layout = Program::build("layout").spawn(&[]);
    let process = one(Files::default().with(File::Stat), pid(&layout));

    assert_eq!((process.command, process.uid, process.oom_score, process.maps), (None, None, None, None));
    assert_eq!((process.footprint.pss, process.footprint.uss, process.footprint.swap), (None, None, None));
    assert!(process.footprint.rss.is_some() && process.threads.is_some());
}

#[test]
fn what_is_saved_comes_back() {
    let layout = Program::build("layout").spawn(&[]);
    let mut bytes = Vec::new();
    let mut archive = Archive::new(&mut bytes, true);
    save(&proc_dir(), &mut archive, &|_, _| {}).expect("memory takes everything");
    archive.finish().expect("memory takes everything");

    let is_ours = |process: &Process| process.pid == pid(&layout);
    let census = replay(|| Ok(bytes.as_slice()), Files::all(), &is_ours, &mut |_, _| true).expect("our own");

    let [saved] = census.processes.as_slice() else { panic!("{:?}", census.processes) };
    let live = one(Files::all(), pid(&layout));
    assert_eq!((&saved.name, &saved.command, saved.uid), (&live.name, &live.command, live.uid));
    assert_eq!((&saved.user, saved.maps, saved.start_ticks), (&live.user, live.maps, live.start_ticks));
    assert_eq!((saved.footprint.vss, saved.footprint.anon), (live.footprint.vss, live.footprint.anon));
}
