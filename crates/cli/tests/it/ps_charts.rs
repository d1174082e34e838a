//! `ps --bar` and `--pie`: pictures of the same numbers.

use std::fs;

use crate::harness::crowd::Crowd;
use crate::harness::folder::Folder;
use crate::harness::{Ran, command, residue, text};

fn chart(crowd: &Crowd, kind: &str, path: &str) -> Vec<u8> {
    let ran = residue(&["ps", "--filter", &crowd.filter(), kind, path]).good();
    ran.says(&["wrote", path]);
    fs::read(path).expect("it was written")
}

/// Width, height and whether the picture is closed. Source: PNG specification, 5.2, 5.6 and 11.2.2.
fn png_size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[12..16], b"IHDR");
    assert_eq!(&png[png.len() - 8..png.len() - 4], b"IEND");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

#[test]
fn bars_and_pies_are_drawn_as_png() {
    let crowd = Crowd::of("png", 3);
    let folder = Folder::new();

    for kind in ["--bar", "--pie"] {
        let png = chart(&crowd, kind, &folder.file("memory.png"));
        let (width, height) = png_size(&png);
        assert!((400..=4000).contains(&width) && (100..=4000).contains(&height), "{width}×{height}");
        // An empty canvas of this size packs to some 3 KiB.
        assert!(png.len() > 5_000, "{} bytes hold no picture", png.len());
    }
}

#[test]
fn bars_and_pies_are_drawn_as_svg() {
    let crowd = Crowd::of("svg", 3);
    let folder = Folder::new();

    for (kind, shape) in [("--bar", "<rect"), ("--pie", "<poly")] {
        let svg = String::from_utf8(chart(&crowd, kind, &folder.file("memory.svg"))).expect("SVG is text");
        assert!(svg.trim_start().starts_with("<svg"), "{svg:.80}");
        assert!(svg.trim_end().ends_with("</svg>"));
        let drawn = svg.matches(shape).count() + svg.matches("<path").count();
        assert!(drawn >= 4, "{kind} of four processes: {drawn} shapes");
        for pid in &crowd.pids {
            assert!(svg.contains(&pid.to_string()), "{kind} does not name {pid}");
        }
    }
}

/// A name from a process must not become markup of the picture.
#[test]
fn names_are_escaped_in_pictures() {
    let crowd = Crowd::with("markup", 1, &["<script>&"]);
    let folder = Folder::new();

    let svg = String::from_utf8(chart(&crowd, "--bar", &folder.file("memory.svg"))).expect("SVG is text");

    assert!(!svg.contains("<script"), "{svg}");
}

/// On the terminal a bar is as long as its number; the largest fills the line.
#[test]
fn bars_are_drawn_on_the_terminal_without_a_file() {
    let crowd = Crowd::with("terminal", 2, &["private_kib=20480"]);
    let filter = crowd.filter();
    let mut command = command(&["ps", "--filter", &filter, "--sort", "uss", "--bar"]);
    command.env("COLUMNS", "100");

    let drawn = Ran::of(command).good().text();

    let bar = |pid: u32| {
        let line = drawn.lines().find(|line| line.contains(&pid.to_string()));
        line.unwrap_or_else(|| panic!("{pid} is not drawn: {drawn}")).matches('█').count()
    };
    assert!(bar(crowd.pids[0]) > 30, "{drawn}");
    assert_eq!(bar(crowd.pids[0]), bar(crowd.pids[1]));
    assert!(drawn.contains("USS") && drawn.lines().all(|line| line.chars().count() <= 100), "{drawn}");
    let pie = text(&["ps", "--filter", &crowd.filter(), "--pie"]);
    assert!(pie.contains('█'), "a pie without a file is bars: {pie}");
}

#[test]
fn a_picture_that_cannot_be_written_is_our_own_failure() {
    residue(&["ps", "--bar", "/nowhere/at/all/memory.svg"]).ended(4).says(&["/nowhere/at/all/memory.svg"]);
}
