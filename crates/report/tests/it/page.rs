use std::time::Duration;

use residue_analysis::recorded::{Question, Recorded};
use residue_report::html::{self, Source, Sources};
use residue_testkit::Sketch;

use crate::sample;

/// The page without its styles and scripts: what this crate's code says.
fn own_words(page: &str) -> String {
    let mut rest = page;
    let mut words = String::new();
    for (open, close) in
        std::iter::repeat_n([("<style>", "</style>"), ("<script>", "</script>")], 8).flatten()
    {
        if let Some((before, after)) = rest.split_once(open) {
            if before.contains("<script>") || before.contains("<style>") {
                continue;
            }
            words.push_str(before);
            rest = after.split_once(close).expect("what opens closes").1;
        }
    }
    words.push_str(rest);
    words.replace("><", ">\n<")
}

#[test]
fn the_map_page() {
    insta::assert_snapshot!("page_map", own_words(&html::map(&sample::map()).expect("memory")));
}

#[test]
fn the_triage_page() {
    let mut diagnosis = sample::diagnosis();
    diagnosis.watched.as_mut().expect("it was watched").series.samples.truncate(3);
    insta::assert_snapshot!("page_triage", own_words(&html::triage(&diagnosis).expect("memory")));
}

#[test]
fn a_page_needs_no_network_and_no_name_can_break_it() {
    for page in [html::map(&sample::map()), html::triage(&sample::diagnosis())] {
        let page = page.expect("memory");
        assert!(!page.contains("src=") && !page.contains("<link"), "everything is inside");
        let own = own_words(&page);
        assert!(!own.contains("http://") && !own.contains("https://"));
        assert_eq!(
            page.matches("<script").count(),
            page.matches("</script>").count(),
            "a name ended a script"
        );
    }
}

/// Names and sources that would end the data, or run. What the page shows of them is for the browser's tests.
#[test]
fn the_page_of_a_recording_needs_no_network_and_nothing_in_it_can_break_it() {
    let hostile = "</script><script>alert(1)</script><!--";
    let recording = Sketch::of(hostile, 20, Duration::from_secs(1))
        .stack(&[&format!("{hostile} at /src/a.c:2"), "main at /src/a.c:9"])
        .blocks(100, u64::from)
        .build();
    let source = Source { text: format!("one\n{hostile}\n"), is_newer: false };
    let sources = Sources::from([("/src/a.c".to_owned(), source)]);
    let mut page = Vec::new();

    html::recorded(&mut page, &Recorded::of(&recording, &Question::default()), &sources).expect("memory");

    let page = String::from_utf8(page).expect("text");
    let (before, data) = page.split_once("id=\"data\">").expect("there is data");
    let (data, scripts) = data.split_once("</script>").expect("what opens closes");
    let data: serde_json::Value = serde_json::from_str(data).expect("whole: no name has ended it");
    assert_eq!(data["sources"].as_object().map(serde_json::Map::len), Some(1), "{:#}", data["sources"]);
    assert!(data["texts"].as_array().is_some_and(|texts| texts.iter().any(|text| text == hostile)));
    assert!(!before.contains("<script>alert") && !scripts.contains("<script>alert"));
    assert!(!page.contains("src=") && !page.contains("<link") && !before.contains("http"));
}
