//! The picture of `report --flamegraph` in a real browser.

use std::time::Duration;

use residue::model::recording::Recording;
use residue::write_recording;
use residue_testkit::Sketch;

use crate::harness::browser::Page;
use crate::harness::folder::Folder;
use crate::harness::residue;

/// 3000 bytes by `load`, of which 2000 through `parse`; 1000 by a function whose name would run.
fn shop() -> Recording {
    Sketch::of("/usr/bin/shop", 2, Duration::from_secs(1))
        .stack(&["parse at json.c:5 in /lib/libjson.so", "load at load.c:9", "main at shop.c:20"])
        .blocks(1000, |_| 2)
        .stack(&["load at load.c:12", "main at shop.c:20"])
        .blocks(1000, |_| 1)
        .stack(&["<script>console.error(1)</script>", "main at shop.c:21"])
        .blocks(1000, |_| 1)
        .build()
}

fn opened(folder: &Folder, recording: &Recording) -> Page {
    let (file, picture) = (folder.file("shop.residue"), folder.file("shop.svg"));
    write_recording(recording, file.as_ref()).expect("an own folder");
    residue(&["report", &file, "--flamegraph", &picture]).good();
    Page::open_sized(&picture, 1000, 600)
}

/// Names of the functions that are seen, with how many pixels each is wide.
fn seen(page: &mut Page) -> Vec<(String, u64)> {
    let frames = "[...document.querySelectorAll('#frames > g')].filter(g => g.style.display !== 'none')\
        .map(g => [g.dataset.name, Math.round(g.querySelector('rect').getBoundingClientRect().width)])";
    serde_json::from_value(page.value(frames)).expect("names and widths")
}

fn frame(name: &str) -> String {
    format!("document.querySelector('#frames > g[data-name=\"{name}\"] rect')")
}

fn press(page: &mut Page, key: &str) {
    let is_f = key == "f";
    page.value(&format!(
        "(document.activeElement ?? document.documentElement).dispatchEvent(new KeyboardEvent('keydown', \
         {{ key: {key:?}, ctrlKey: {is_f}, bubbles: true, cancelable: true }})) && 0",
    ));
    page.settle();
}

#[test]
fn a_click_makes_a_function_as_wide_as_the_window() {
    let folder = Folder::new();
    let mut page = opened(&folder, &shop());
    page.keep("flame");
    let hostile = "<script>console.error(1)</script>";
    let whole = [("all", 999), ("main", 999), ("load", 749), (hostile, 249), ("parse", 499)];
    let whole = whole.map(|(name, width)| (name.to_owned(), width));
    assert_eq!(seen(&mut page), whole);

    page.click(&frame("load"));

    page.keep("flame-zoomed");
    let zoomed = [("all", 999), ("main", 999), ("load", 999), ("parse", 666)];
    assert_eq!(seen(&mut page), zoomed.map(|(name, width)| (name.to_owned(), width)));
    press(&mut page, "Escape");
    assert_eq!(seen(&mut page), whole);
    page.assert_quiet();
}

#[test]
fn what_is_searched_is_marked_and_weighed() {
    let folder = Folder::new();
    let mut page = opened(&folder, &shop());

    press(&mut page, "f");
    page.write("LIBJSON");

    page.keep("flame-searched");
    let marked = page.value("[...document.querySelectorAll('.match')].map(g => g.dataset.name).join()");
    assert_eq!(marked, "parse", "its module fits");
    assert_eq!(page.text("document.querySelector('[role=status]').textContent"), "50 % goes through it");
    page.click("document.querySelector('.bar button')");
    assert_eq!(page.value("document.querySelectorAll('.match').length"), 0);
    page.assert_quiet();
}

/// The root is what a reader begins with, and the name of the program is not lost above.
#[test]
fn a_tall_picture_opens_at_its_root() {
    let folder = Folder::new();
    let deep: Vec<String> = (0..200).map(|level| format!("level_{level} at deep.c:{level}")).collect();
    let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
    let recording =
        Sketch::of("/usr/bin/deep", 1, Duration::from_secs(1)).stack(&deep).blocks(8, |_| 1).build();

    let mut page = opened(&folder, &recording);

    page.settle();
    page.keep("flame-deep");
    let within = |page: &mut Page, element: &str| {
        let place = format!(
            "(() => {{ const r = {element}.getBoundingClientRect(); return r.top >= -1 && r.bottom <= innerHeight; }})()"
        );
        page.value(&place) == true
    };
    assert!(within(&mut page, &frame("all")), "the root");
    assert!(within(&mut page, "document.querySelector('#head .name')"), "the name");
    assert!(!within(&mut page, &frame("level_0")), "the inner end is far up");
    page.assert_quiet();
}
