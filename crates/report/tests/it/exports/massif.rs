use residue_model::Recording;
use residue_report::massif;

use super::program::shop;
use super::text;

#[test]
fn the_heap_over_time_with_its_peak() {
    insta::assert_snapshot!("massif", text(|out| massif::write(out, &shop())));
}

/// `ms_print` divides by what it finds and dies on a file without a snapshot.
#[test]
fn an_empty_recording_has_a_beginning_a_peak_and_an_end() {
    insta::assert_snapshot!("massif_empty", text(|out| massif::write(out, &Recording::default())));
}
