//! Real programs under the recorder as it is shipped, and what it says of them.

mod session;

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;

use residue_recording::wire::{CAPACITY, Event, Kind};
use session::{Pace, Program, RECORDER, Seen, Session, dropped, within};

fn only_image(session: &Session) -> residue_preload::segment::Segment {
    let images: Vec<_> = session.images().copied().collect();
    assert_eq!(images.len(), 1);
    images[0]
}

fn of_size(seen: &[Seen], size: u64) -> Vec<Seen> {
    seen.iter().copied().filter(|seen| seen.event.size == size).collect()
}

fn kinds_and_sizes(events: &[Event]) -> Vec<(Kind, u64, u64)> {
    events.iter().map(|event| (event.kind().expect("a kind"), event.size, event.alignment())).collect()
}

#[test]
fn each_function_is_recorded_as_it_was_called() {
    use Kind::*;
    let program = Program::build("family.c", &[]);
    let mut session = Session::new();

    let ended = session.run(&mut program.command(&[]), Pace::Always);

    let events = within(&session.seen, &only_image(&session), "family");
    let (allocations, rest) = events.split_at(16);
    assert_eq!(
        kinds_and_sizes(allocations),
        [
            (Allocate, 1001, 0),
            (Allocate, 1101, 0),
            (Allocate, 1201, 0),
            (ReallocateBegin, 0, 0),
            (ReallocateEnd, 100_301, 0),
            (ReallocateBegin, 0, 0),
            (ReallocateFailed, 0, 0),
            (ReallocateBegin, 0, 0),
            (ReallocateEnd, 1401, 0),
            (Allocate, 1501, 64),
            (Allocate, 1536, 128),
            (Allocate, 1601, 256),
            (Allocate, 1701, 4096),
            (Allocate, 1801, 4096),
            (Allocate, 0, 0),
            (Free, 0, 0),
        ]
    );
    let given = [0, 1, 8, 9, 10, 11, 12, 13, 14].map(|place| format!("{:x}", allocations[place].address()));
    assert_eq!(ended.told.split_whitespace().collect::<Vec<_>>(), given);
    assert!(
        allocations[..15].iter().all(|event| (event.stack != 0) == (event.size != 0 || event.slack() != 0))
    );
    assert_eq!(
        kinds_and_sizes(&rest[8..]),
        [
            (Map, 12_288, 0),
            (Unmap, 12_288, 0),
            (Map, 20_480, 0),
            (Unmap, 20_480, 0),
            (BreakUp, 8192, 0),
            (BreakDown, 8192, 0)
        ]
    );
}

/// An allocator's operators do not call `malloc`, and what is thrown must find its way.
#[test]
fn operators_of_an_allocator_are_recorded_once() {
    use Kind::*;
    let allocator = Program::build("operators.cpp", &["-DALLOCATOR", "-shared", "-fPIC"]);
    let program = Program::build("operators.cpp", &[]);
    let mut session = Session::new();

    let both = format!("{}:{}", RECORDER.display(), allocator.path().display());
    let ended = session.run_as(program.command(&[]).env("LD_PRELOAD", both), Pace::Always);

    assert!(ended.status.success(), "it is thrown and caught");
    let events = within(&session.seen, &only_image(&session), "operators");
    let own: Vec<Event> = events.into_iter().filter(|event| event.size <= 128).collect();
    assert_eq!(
        kinds_and_sizes(&own[..6]),
        [(Allocate, 4, 0), (Allocate, 128, 64), (Allocate, 1, 0), (Free, 0, 0), (Free, 0, 0), (Free, 0, 0)]
    );
}

/// A C++ library's operators call `malloc`: each is one allocation, not two.
#[test]
fn operators_of_a_library_are_recorded_once() {
    let program = Program::build("operators.cpp", &[]);
    let mut session = Session::new();

    session.run(&mut program.command(&[]), Pace::Always);

    let events = within(&session.seen, &only_image(&session), "operators");
    let sizes: Vec<u64> =
        events.iter().filter(|event| event.kind() == Some(Kind::Allocate)).map(|event| event.size).collect();
    assert_eq!(sizes[..3], [4, 128, 1]);
}

#[test]
fn threads_that_end_leave_their_rings_to_others() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();

    session.run(&mut program.command(&["threads", "2000"]), Pace::Always);

    let (left, destroyed) = (of_size(&session.seen, 777), of_size(&session.seen, 778));
    assert_eq!((left.len(), destroyed.len()), (2000, 2000));
    let threads: HashSet<u32> = left.iter().map(|seen| seen.thread).collect();
    assert!(threads.len() > 1);
    let freed: HashSet<u64> = session
        .seen
        .iter()
        .filter(|seen| seen.event.kind() == Some(Kind::Free))
        .map(|seen| seen.event.address())
        .collect();
    assert!(
        destroyed.iter().all(|seen| freed.contains(&seen.event.address())),
        "what destructors free is seen"
    );
    let segment = only_image(&session);
    assert!(segment.header().rings_used.load(Relaxed) < 500);
    assert_eq!(dropped(&segment), 0);
}

#[test]
fn more_threads_than_rings_lose_nothing() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();

    session.run(&mut program.command(&["together", "1100"]), Pace::Always);

    assert_eq!(of_size(&session.seen, 777).len(), 1100);
    assert_eq!(dropped(&only_image(&session)), 0);
}

#[test]
fn children_are_processes_of_their_own() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();

    session.run(&mut program.command(&["children", "20"]), Pace::Always);

    let children: HashSet<u32> = of_size(&session.seen, 779).iter().map(|seen| seen.process).collect();
    assert_eq!(children.len(), 20);
    let segment = only_image(&session);
    let parent = segment.header().processes[0].pid.load(Relaxed);
    assert!(!children.contains(&parent));
    assert!(segment.header().processes[1..21].iter().all(|child| child.parent.load(Relaxed) == parent));
}

#[test]
fn children_are_let_alone_when_they_are_not_to_be_followed() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();
    session.control().flags.store(0, Relaxed);

    session.run(&mut program.command(&["children", "3"]), Pace::Always);
    assert_eq!(of_size(&session.seen, 779).len(), 0);

    let other = "/lib/none.so";
    let ended = session.run_as(
        Command::new("sh").args(["-c", "env"]).env("LD_PRELOAD", format!("{}:{other}", RECORDER.display())),
        Pace::Always,
    );
    let lines: Vec<&str> = ended.told.lines().collect();
    assert!(lines.contains(&format!("LD_PRELOAD={other}").as_str()), "what was set stays");
    assert!(!ended.told.contains("RESIDUE_SESSION"));
}

/// The writer waits, however late the reader is.
#[test]
fn a_full_ring_is_waited_for() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();

    session.run(&mut program.command(&["churn", "100000"]), Pace::WhenFull);

    let segment = only_image(&session);
    assert_eq!((of_size(&session.seen, 64).len(), dropped(&segment)), (100_000, 0));
    assert!(
        segment.rings().iter().take(1).chain(&segment.rings()[1..2]).any(|ring| ring.waits.load(Relaxed) > 0)
    );
}

#[test]
fn a_dead_collector_is_not_waited_for() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();

    session.run(&mut program.command(&["churn", "100000"]), Pace::Never);

    let read = session.seen.len() as u64;
    assert_eq!(read, CAPACITY as u64, "as much as had room");
    assert!(dropped(&only_image(&session)) >= 200_000 - read);
}

#[test]
fn a_recording_that_has_ended_is_not_written_to() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();
    session.control().stopped.store(1, Relaxed);

    session.run(&mut program.command(&["churn", "1000"]), Pace::Always);

    assert_eq!((session.images().count(), session.seen.len()), (0, 0));
}

#[test]
fn a_sample_tells_of_the_whole() {
    const INTERVAL: u64 = 8192;
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();
    session.control().sample_interval.store(INTERVAL, Relaxed);

    session.run(&mut program.command(&["grow", "100000"]), Pace::Always);

    let allocated = of_size(&session.seen, 1024);
    let chance = 1.0 - (-1024.0 / INTERVAL as f64).exp();
    let estimate = allocated.len() as f64 / chance;
    assert!((95_000.0..105_000.0).contains(&estimate), "{estimate}: five standard deviations are 4.5 %");
    let addresses: HashSet<u64> = allocated.iter().map(|seen| seen.event.address()).collect();
    let is_own_end =
        |seen: &&Seen| seen.event.kind() == Some(Kind::Free) && addresses.contains(&seen.event.address());
    let freed = session.seen.iter().filter(is_own_end).count() as f64;
    assert!((0.45..0.55).contains(&(freed / allocated.len() as f64)), "half of them are freed: {freed}");
}

/// Strict seccomp ends who makes a system call, and who reads the time stamp.
#[test]
fn a_program_that_binds_itself_goes_on_and_is_recorded() {
    let program = Program::build("crowd.c", &[]);
    let mut session = Session::new();

    session.run(&mut program.command(&["strict"]), Pace::Always);

    assert_eq!((of_size(&session.seen, 780).len(), of_size(&session.seen, 781).len()), (1, 1));
}

#[test]
fn real_programs_do_what_they_do() {
    let programs: [&[&str]; 4] = [
        &["python3", "-c", "print(sum(len(str(n)) for n in range(100000)))"],
        &["git", "--version"],
        &["gcc", "-O2", "-x", "c", "-", "-o", "/dev/null", "-c"],
        &["sh", "-c", "for n in 1 2 3; do ls / | sort | head -n 2; done"],
    ];
    for words in programs {
        let plain = Command::new(words[0])
            .args(&words[1..])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("it runs");
        let mut session = Session::new();
        let ended = session
            .run(Command::new(words[0]).args(&words[1..]).stdin(std::process::Stdio::null()), Pace::Always);
        assert_eq!(ended.told.as_bytes(), plain.stdout, "{words:?}");
        assert!(!session.seen.is_empty(), "{words:?}");
        assert!(session.images().all(|segment| dropped(segment) == 0), "{words:?}");
    }
}

/// It must load beside any C library, into any program.
#[test]
fn the_shared_object_stands_alone() {
    let told = |flags: &str| {
        let output =
            Command::new("readelf").args(["-W", flags]).arg::<&Path>(&RECORDER).output().expect("readelf");
        String::from_utf8(output.stdout).expect("text")
    };
    let dynamic = told("-d");
    for no in ["NEEDED", "TEXTREL", "VERNEED", "SONAME"] {
        assert!(!dynamic.contains(no), "{dynamic}");
    }
    assert!(
        dynamic.contains("BIND_NOW") && dynamic.contains("SYMBOLIC") && dynamic.contains("STATIC_TLS"),
        "{dynamic}"
    );
    let symbols = told("--dyn-syms");
    let missing: Vec<&str> =
        symbols.lines().filter(|line| line.contains(" UND ") && !line.trim().starts_with("0:")).collect();
    assert!(missing.iter().all(|line| line.contains("WEAK")), "{missing:?}");
    assert!(told("-l").lines().any(|line| line.contains("GNU_RELRO")));
    let tls = told("-l")
        .lines()
        .find_map(|line| line.trim().strip_prefix("TLS").map(str::to_owned))
        .expect("a segment");
    assert!(tls.contains("0x000040 R"), "no more than a line of the cache: {tls}");
}
