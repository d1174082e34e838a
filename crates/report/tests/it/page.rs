use residue_report::html;

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
