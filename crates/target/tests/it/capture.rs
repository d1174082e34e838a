use residue_model::{Bytes, Process, ProcessState};
use residue_target::capture::{Visitor, replay};
use residue_target::{Census, ErrorKind, File, Files, Result};

use crate::fixtures;

fn census(
    name: &str,
    files: Files,
    select: &dyn Fn(&Process) -> bool,
    visitor: &mut Visitor<'_>,
) -> Result<Census> {
    let bytes = fixtures::read(&format!("capture/{name}"));
    replay(|| Ok(bytes.as_slice()), files, select, visitor)
}

fn all(name: &str) -> Result<Census> {
    census(name, Files::all(), &|_| true, &mut |_, _| true)
}

#[test]
fn a_capture_gives_back_what_the_machine_had() {
    let census = all("ours.tar").expect("our own");
    let [bash, redis] = census.processes.as_slice() else { panic!("{:?}", census.processes) };

    assert_eq!((bash.pid.0, bash.name.as_str(), bash.user.as_deref()), (101, "bash", Some("anna")));
    assert_eq!((bash.command.as_deref(), bash.oom_score), (Some("bash -l"), Some(666)));
    assert_eq!((redis.pid.0, redis.name.as_str(), redis.threads), (102, "redis-server", Some(5)));
    assert_eq!((redis.state, redis.maps), (ProcessState::Alive, Some(2)));
    assert_eq!(census.system.total, Some(Bytes::kib(24_757_248)));
    assert_eq!(census.gaps, []);
}

/// Regions win over the rollup: both are there, and the filter by mapping works on regions.
#[test]
fn only_mappings_that_count_are_summed() {
    let heaps = census("ours.tar", Files::all(), &|_| true, &mut |_, record| record.name == b"/usr/bin/bash");
    let footprints: Vec<_> =
        heaps.expect("our own").processes.into_iter().map(|process| process.footprint.vss).collect();
    assert_eq!(footprints, [Some(Bytes::kib(772 + 36)), Some(Bytes::ZERO)]);
}

#[test]
fn gzip_changes_nothing() {
    let (plain, packed) = (all("ours.tar").expect("our own"), all("ours.tar.gz").expect("our own"));
    assert_eq!((plain.processes, plain.system), (packed.processes, packed.system));
}

#[test]
fn what_other_tools_write_is_read_too() {
    for name in ["smem-form.tar", "pax-form.tar"] {
        let census = all(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let process = &census.processes[0];
        assert_eq!(
            (process.pid.0, process.name.as_str(), process.user.as_deref()),
            (101, "bash", Some("anna"))
        );
        assert_eq!(process.footprint.pss, Some(Bytes::kib(54 + 36)), "{name}");
    }
}

#[test]
fn only_the_chosen_are_read() {
    let mut seen = Vec::new();
    let chosen = census("ours.tar", Files::all(), &|process| process.name == "bash", &mut |process, _| {
        seen.push(process.pid.0);
        true
    });
    assert_eq!(chosen.expect("our own").processes.len(), 1);
    assert_eq!(seen, [101, 101]);
}

#[test]
fn sums_need_no_regions() {
    let files = Files::default().with(File::Rollup);
    let census = census("ours.tar", files, &|_| true, &mut |_, _| panic!("no region was asked for"));
    assert_eq!(census.expect("our own").processes[0].footprint.pss, Some(Bytes::kib(528)));
}

#[test]
fn damage_is_refused_and_says_what_it_should_be() {
    for name in ["damaged-cut.tar", "damaged-checksum.tar", "damaged-cut.tar.gz"] {
        let error = all(name).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Syntax, "{name}");
        assert!(error.remedy().is_some_and(|help| help.contains("residue ps --save")), "{name}");
    }
}

#[test]
fn a_capture_of_nobody_is_refused() {
    let error = all("without-processes.tar").expect_err("nobody");
    assert_eq!(error.to_string(), "the capture holds no process");
}
