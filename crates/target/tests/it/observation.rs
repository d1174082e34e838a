//! Recordings of real systems, concluded again: what was seen there must be seen here, on every OS.

use residue_model::{Bytes, Os, Snapshot, Source};
use residue_target::windows::{Outcome, Selfcheck, checks};
use residue_target::{ErrorKind, open_dump};

use crate::fixtures;

fn path(name: &str) -> String {
    format!("{}/../../fixtures/observation/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

fn snapshot(name: &str) -> Snapshot {
    let target = open_dump(&path(name), &mut |_, _| {}).expect("a recording");
    target.snapshot().expect("a recording can be concluded")
}

/// How much is free between the regions, and the largest hole, reckoned here by hand.
fn free(snapshot: &Snapshot) -> (u64, u64) {
    let space = snapshot.space.range;
    let (mut at, mut total, mut largest) = (space.start.0, 0, 0);
    let ends = snapshot.regions.iter().map(|region| (region.range.start.0, region.range.end.0));
    for (start, end) in ends.chain([(space.end.0, space.end.0)]) {
        let hole = start.min(space.end.0).saturating_sub(at);
        total += hole;
        largest = largest.max(hole);
        at = at.max(end);
    }
    (total, largest)
}

/// The old experiment on 32 bits: 32 rounds of 100 MiB and one block, until none fits. The program found that it could
/// have 102 563 840 bytes; the map of its end must show no hole above that, with as much free as ever.
#[test]
fn the_largest_hole_shrinks_while_the_total_stays() {
    let (before, after) = (snapshot("wine-8.0-x86-before"), snapshot("wine-8.0-x86-after"));
    assert_eq!((before.space.bits, after.space.bits), (32, 32));
    let ((total_before, largest_before), (total_after, largest_after)) = (free(&before), free(&after));
    assert!(largest_before > 400 << 20, "{largest_before}");
    assert!(largest_after <= 102_563_840, "{largest_after}");
    assert!(total_before.abs_diff(total_after) < total_before / 50, "{total_before} and {total_after}");
}

/// A 64-bit program looks at a 32-bit one: the address space is that of the program looked at, and both see the same.
#[test]
fn a_32_bit_process_looks_the_same_to_a_64_bit_program() {
    let (narrow, wide) = (snapshot("wine-8.0-x86-after"), snapshot("wine-8.0-wow64-after"));
    assert_eq!((wide.space.bits, wide.machine.cpu.as_deref()), (32, Some("x86-64")));
    assert_eq!(narrow.machine.cpu.as_deref(), Some("x86"));
    assert_eq!(free(&narrow), free(&wide));
}

#[test]
fn what_was_not_counted_there_is_unknown_here() {
    let snapshot = snapshot("wine-8.0-x86-64");
    assert_eq!((snapshot.machine.os, snapshot.source), (Os::Windows, Source::VirtualQuery));
    assert_eq!(snapshot.space.bits, 64);
    let windows = snapshot.process.footprint.windows.expect("a Windows process");
    assert!(windows.commit > Some(Bytes::ZERO) && windows.working_set > Some(Bytes::ZERO));
    assert_eq!((windows.paged_pool, windows.nonpaged_pool, windows.private_working_set), (None, None, None));
    assert!(snapshot.gaps.iter().any(|gap| gap.why.contains("Wine 8.0")), "{:?}", snapshot.gaps);
    assert!(snapshot.gaps.iter().any(|gap| gap.what == "what is in memory"), "contents were not recorded");
}

/// What was compared there comes out the same here: a later version may compare more, and must not contradict.
#[test]
fn every_check_comes_out_as_it_did() {
    for name in fixtures::names("observation", |name| name.starts_with("wine")) {
        let recorded: Selfcheck = serde_json::from_slice(&fixtures::read(&name)).expect("a recording");
        let again = checks(&recorded.observation);
        for check in &again {
            let then = recorded.checks.iter().find(|then| then.what == check.what);
            assert_eq!(then.map(|then| then.outcome), Some(check.outcome), "{name}: {}", check.what);
        }
        assert!(again.iter().any(|check| check.outcome == Outcome::Pass), "{name}");
    }
}

#[test]
fn a_damaged_recording_is_refused_with_the_reason() {
    for name in ["damaged-cut", "damaged-address"] {
        let error = open_dump(&path(name), &mut |_, _| {}).err().expect("damaged");
        assert_eq!(error.kind(), ErrorKind::Syntax, "{name}: {error}");
        assert!(error.remedy().is_some_and(|help| help.contains("selfcheck")), "{name}");
    }
}
