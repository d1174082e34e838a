use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use residue_model::recording::{
    Ages, AllocationKind, CallTree, Code, CodeId, End, Histogram, Mark, MarkSums, Node, Place, Point,
    Program, RecordedModule, Sampling, StackId, StackSums, Timeline, Total, Totals,
};
use residue_model::{Bytes, Gap, Recording};
use residue_target::ErrorKind;

use super::{bytes, open, read, write};

/// A recording with something in every field.
fn full() -> Recording {
    Recording {
        program: Program {
            command: vec!["server".into(), "--port".into(), "80".into()],
            executable: "/usr/bin/server".into(),
            pid: 4711,
            parent: Some(1),
            started: Some(SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5)),
            recorded: Duration::from_millis(1234),
            end: Some(End::Killed(9)),
            system: vec!["Linux 6.18 x86_64".into()],
        },
        sampling: Some(Sampling { interval: Bytes::kib(512) }),
        modules: vec![
            RecordedModule {
                path: "/usr/bin/server".into(),
                build_id: Some(vec![0xab, 0x01]),
                start: 0x1000,
                end: 0x5000,
                bias: 0x1000,
            },
            RecordedModule::default(),
        ],
        calls: CallTree {
            nodes: vec![
                Node::default(),
                Node { caller: StackId(0), code: CodeId(1) },
                Node { caller: StackId(1), code: CodeId(1) },
            ],
            codes: vec![Code::default(), Code { module: Some(0), address: 0x1234, places: places() }],
        },
        stacks: vec![stack(2), StackSums { kind: AllocationKind::Mapping, ..StackSums::default() }],
        timeline: Timeline {
            slot: Duration::from_millis(10),
            totals: vec![
                Total { rss: Some(Bytes(4096)), ..Total::default() },
                Total::default(),
                Total::default(),
            ],
        },
        marks: vec![Mark {
            name: "load".into(),
            begun: 3,
            ended: 2,
            time: Duration::from_secs(1),
            stacks: vec![MarkSums { stack: StackId(2), net_blocks: -4, net: -64, ..MarkSums::default() }],
        }],
        totals: Totals { allocations: 10, frees: 4, peak: Bytes(77), threads: 2, ..Totals::default() },
        gaps: vec![Gap::new("frames of plugin.so", "it has no unwind tables")],
    }
}

fn places() -> Vec<Place> {
    vec![
        Place { function: Some("grow".into()), line: Some(7), is_inlined: true, ..Place::default() },
        Place::default(),
    ]
}

fn stack(number: u32) -> StackSums {
    StackSums {
        stack: StackId(number),
        allocations: 10,
        frees: 4,
        live: Bytes(600),
        sizes: Histogram(vec![0, 0, 10]),
        lifetimes: Histogram(vec![4]),
        ages: Ages(vec![(Duration::from_millis(3), 6, Bytes(600))]),
        variance: [1.5, 2.5, 0.0],
        points: vec![
            Point { slot: 0, live: Bytes(900), live_blocks: 9, allocated: Bytes(900), allocations: 9 },
            Point { slot: 2, live: Bytes(600), live_blocks: 6, allocated: Bytes(100), allocations: 1 },
        ],
        ..StackSums::default()
    }
}

#[test]
fn a_recording_comes_back_from_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.residue");

    write(&full(), &path).expect("it is written");

    assert_eq!(open(&path).expect("it is read"), full());
    assert_eq!(folder.path().read_dir().expect("listed").count(), 1, "nothing but the file is left");
}

#[test]
fn an_older_recording_is_replaced_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.residue");
    write(&full(), &path).expect("it is written");

    write(&Recording { calls: CallTree::default(), stacks: vec![], marks: vec![], ..full() }, &path)
        .expect("again");

    assert_eq!(open(&path).expect("it is read").stacks, []);
}

#[test]
fn a_file_that_cannot_be_written_is_told_by_its_name() {
    let error = write(&full(), "/nowhere/at/all.residue".as_ref()).expect_err("there is no such folder");

    assert_eq!(error.kind(), ErrorKind::Write);
    assert_eq!(error.to_string(), "failed to write /nowhere/at/all.residue");
}

#[test]
fn what_is_no_recording_is_refused() {
    for content in [&b""[..], b"\x7fELF", &[0; 4096]] {
        let error = read(content, "x").expect_err("it is none");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unsupported, "x is no recording".into()));
        assert!(error.remedy().is_some());
    }
}

#[test]
fn a_newer_version_is_refused_as_such() {
    let mut bytes = bytes(&full());
    bytes[8] = 200;

    let error = read(&bytes[..], "x").expect_err("it is newer");

    assert!(error.to_string().contains("newer version"), "{error}");
}

#[test]
fn a_file_that_was_cut_short_is_refused_wherever_it_ends() {
    let bytes = bytes(&full());
    for length in 32..bytes.len() {
        let error = read(&bytes[..length], "x").expect_err("it is cut");
        assert_eq!(error.to_string(), "x is cut short or damaged", "at {length} of {}", bytes.len());
    }
}

#[test]
fn a_caller_behind_its_callee_is_refused() {
    let mut recording = full();
    recording.calls.nodes[1].caller = StackId(2);

    let error = read(&bytes(&recording)[..], "x").expect_err("it is a ring");

    assert_eq!(error.to_string(), "x is damaged: a call path leads nowhere");
}

/// A small file must not make much of itself by naming one text many times.
#[test]
fn one_long_text_that_stands_everywhere_is_refused() {
    let mut recording = full();
    recording.program.command = vec!["a".repeat(1 << 20); 1000];

    let refusal = super::decode::recording(&super::encode::recording(&recording));

    assert_eq!(refusal, Err("a long text stands everywhere"));
}

proptest! {
    /// Whatever stands in the unpacked part, reading ends, and does not take more memory than the file pays for.
    #[test]
    fn any_change_of_a_byte_is_read_or_refused(at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut payload = super::encode::recording(&full());
        let at = at.index(payload.len());
        payload[at] = value;
        let _ = super::decode::recording(&payload);
    }
}
