use std::collections::HashSet;

use residue_model::Recording;
use residue_report::dhat;
use serde_json::Value;

use super::program::{HOSTILE, shop};
use super::text;

fn document(recording: &Recording) -> Value {
    serde_json::from_str(&text(|out| dhat::write(out, recording))).expect("JSON")
}

#[test]
fn every_path_of_the_heap_is_a_point() {
    let document = document(&shop());

    insta::assert_snapshot!("dhat", serde_json::to_string_pretty(&document).expect("it was JSON"));
    let frames = document["ftbl"].as_array().expect("a table");
    assert!(frames.iter().any(|frame| frame.as_str().expect("text").contains("evil</script>")));
    assert!(!HOSTILE.is_empty() && frames.iter().all(|frame| !frame.as_str().expect("text").contains('\n')));
}

/// The viewer refuses a file in which two points have the same frames.
#[test]
fn paths_that_look_the_same_are_one_point() {
    let mut recording = shop();
    let again = recording.stacks[0].clone();
    recording.stacks.push(again);

    let document = document(&recording);

    let points = document["pps"].as_array().expect("points");
    let distinct: HashSet<String> = points.iter().map(|point| point["fs"].to_string()).collect();
    assert_eq!(points.len(), distinct.len());
    assert_eq!(points[0]["tbk"], 2000);
}
