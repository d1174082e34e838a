use insta::assert_snapshot;
use residue_analysis::{RegionFilter, RegionView};
use residue_report::json::{self, Target};

use crate::sample;

/// A document as a person would lay it out; the version is not part of the promise.
fn laid_out(document: &[u8]) -> String {
    let mut value: serde_json::Value = serde_json::from_slice(document).expect("a document");
    value["residue"] = "[version]".into();
    serde_json::to_string_pretty(&value).expect("it came from text")
}

#[test]
fn the_documents() {
    let mut out = Vec::new();
    json::processes(&mut out, Target::Capture { file: "host.tar" }, &sample::table()).expect("memory");
    assert_snapshot!("json_ps", laid_out(&out));

    let mut out = Vec::new();
    let filter = RegionFilter::parse("usage=sysv_shm|thread_stack").expect("known");
    json::map(&mut out, &sample::map(), &RegionView { filter, ..RegionView::default() }, 2).expect("memory");
    assert_snapshot!("json_map", laid_out(&out));

    let mut watched = sample::watched();
    watched.series.samples.truncate(2);
    let mut out = Vec::new();
    json::watch(&mut out, &[watched], &[]).expect("memory");
    assert_snapshot!("json_watch", laid_out(&out));

    let mut diagnosis = sample::diagnosis();
    diagnosis.watched.as_mut().expect("it was watched").series.samples.truncate(1);
    let mut out = Vec::new();
    json::triage(&mut out, &diagnosis).expect("memory");
    assert_snapshot!("json_triage", laid_out(&out));
}

#[test]
fn a_saved_map_can_be_compared_with() {
    let mut out = Vec::new();
    json::map(&mut out, &sample::map(), &RegionView::default(), 2).expect("memory");
    let read = json::read_map(out.as_slice()).expect("our own document");
    let regions = sample::map().snapshot.regions;
    assert_eq!(read, regions.iter().map(residue_analysis::DiffRegion::from).collect::<Vec<_>>());
}

#[test]
fn other_documents_are_refused() {
    for wrong in ["", "{}", "[]", r#"{"schema": "residue.ps/1", "regions": []}"#] {
        assert!(json::read_map(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
