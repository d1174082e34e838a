//! A process read again and again, on both systems.

use std::hint::black_box;

use residue_model::{Bytes, Extent, ProcessId, Range, State};
use residue_target::live::host::{Host, Probe};
use residue_target::{Detail, ErrorKind};
use residue_testkit::Program;

fn extents(probe: &mut Probe) -> Vec<Extent> {
    let mut extents = Vec::new();
    probe.extents(&mut |extent| extents.push(*extent)).expect("it lives");
    extents
}

fn private(probe: &mut Probe) -> Bytes {
    probe.sample(Detail::Quick).expect("it lives").footprint.private().expect("both systems tell it")
}

#[test]
fn extents_come_in_order_within_the_address_space() {
    let mut probe = Probe::own().expect("ourselves");
    let extents = extents(&mut probe);
    assert!(extents.len() > 10);
    assert!(extents.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start), "{extents:?}");
    assert!(extents.iter().all(|extent| extent.size() > Bytes::ZERO));
    assert!(extents.iter().any(|extent| extent.protection.execute && extent.state == State::Mapped));
    let space = probe.space();
    let inside = extents.iter().filter(|extent| extent.range.overlap(space.range).is_some()).count();
    // The kernel lends Linux programs a page above it.
    assert!(inside + 1 >= extents.len(), "{inside} of {}", extents.len());
}

/// Memory that was touched is private memory at once, and memory that was given back is not.
#[test]
fn counters_follow_what_the_process_does() {
    const SIZE: usize = 64 << 20;
    let mut probe = Probe::own().expect("ourselves");
    let before = private(&mut probe);
    let taken = black_box(vec![1_u8; SIZE]);
    let during = private(&mut probe);
    drop(taken);
    let after = private(&mut probe);
    assert!(during.signed_since(before).abs_diff(64 << 20) < 16 << 20, "{before} and {during}");
    assert!(after < during, "{during} and {after}");
}

/// A block that was just allocated is in the very next walk.
#[test]
fn a_walk_shows_the_address_space_as_it_is_now() {
    let mut probe = Probe::own().expect("ourselves");
    for _ in 0..3 {
        let taken = black_box(vec![1_u8; 32 << 20]);
        let at = residue_model::Address(taken.as_ptr() as u64);
        let holds = |extent: &&Extent| extent.range.contains(at);
        let extents = extents(&mut probe);
        let extent = extents.iter().find(holds).expect("it is mapped");
        assert!(extent.protection.write && extent.state == State::Mapped);
    }
}

/// The same regions as the full snapshot has, which is read in another way.
#[test]
fn another_process_is_read_region_for_region() {
    #[cfg(target_os = "linux")]
    let program = Program::build("layout").spawn(&[]);
    #[cfg(windows)]
    let program = Program::build("victim").spawn(&[]);
    let pid = ProcessId(program.pid());
    let mut probe = Probe::open(pid).expect("our child");

    let ranges: Vec<Range> = extents(&mut probe).iter().map(|extent| extent.range).collect();

    assert_eq!(ranges, snapshot(pid));
    let sample = probe.sample(Detail::Full).expect("it lives");
    assert!(sample.threads.is_some());
    assert!(sample.footprint.rss > Some(Bytes::ZERO) && sample.footprint.peak_rss >= sample.footprint.rss);
}

fn snapshot(pid: ProcessId) -> Vec<Range> {
    use residue_target::Care;
    use residue_target::live::host::Process;
    let _ = Host::open().expect("this system");
    let process = Process::find(&pid.to_string(), Care::DEFAULT).expect("it lives");
    let snapshot = residue_target::Target::layout(&process).expect("it lives");
    let end = snapshot.space.range.end;
    snapshot.regions.iter().map(|region| region.range).filter(|range| range.start < end).collect()
}

/// A number may be given to another process: a probe must not go on with that one.
#[test]
fn a_process_that_has_ended_stays_ended() {
    #[cfg(target_os = "linux")]
    let program = Program::build("layout").spawn(&[]);
    #[cfg(windows)]
    let program = Program::build("victim").spawn(&[]);
    let mut probe = Probe::open(ProcessId(program.pid())).expect("our child");
    program.stop();
    for _ in 0..3 {
        let error = probe.sample(Detail::Quick).expect_err("it has ended");
        assert_eq!(error.kind(), ErrorKind::Ended, "{error}");
        let error = probe.extents(&mut |_| {}).expect_err("it has ended");
        assert_eq!(error.kind(), ErrorKind::Ended, "{error}");
    }
}

#[test]
fn what_does_not_exist_cannot_be_probed() {
    let error = Probe::open(ProcessId(4_000_000)).err().expect("no such process");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.remedy().is_some());
}
