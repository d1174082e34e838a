//! `map`: address spaces that others choke on.

use residue_testkit::Program;

use crate::harness::{address, document, number, residue, row_of, rows, text};

/// 9 000 regions of one size are one cause, and must leap to the eye, not drown in 9 000 lines.
#[test]
fn equal_regions_lead_the_histogram() {
    let program = Program::build("equal_blocks").spawn(&["count=9000"]);
    let pid = program.pid().to_string();

    let map = document(&["map", &pid]);
    let shown = text(&["map", &pid]);

    let first = &rows(&map, "histogram")[0];
    assert_eq!(
        (number(first, "size"), number(first, "regions"), number(first, "total")),
        (131_072, 9000, program.number("bytes"))
    );
    let totals: Vec<u64> = rows(&map, "histogram").iter().map(|bin| number(bin, "total")).collect();
    assert!(totals.is_sorted_by(|a, b| a >= b), "most total first");
    let line = shown.lines().find(|line| line.contains("0x20000 ")).expect("the size stands in the text");
    assert!(line.starts_with("128.0 KiB") || line.trim_start().starts_with("128.0 KiB"), "{line}");
    assert!(line.contains("9,000") || line.contains("9000"), "{line}");
}

/// A 32-bit process with 400 MiB free in which no mapping of 4 MiB succeeds: the classic victim of fragmentation.
#[test]
fn a_32_bit_process_in_crumbs_is_warned_of() {
    let program = Program::build("fragmented32").bits32().spawn(&[]);
    let pid = program.pid().to_string();

    let map = document(&["map", &pid, "--free", "10000"]);
    let shown = text(&["map", &pid]);

    assert_eq!(number(&map["address_space"], "bits"), 32);
    let fragmentation = &map["fragmentation"];
    assert!(fragmentation["index"].as_f64().is_some_and(|index| index > 0.9), "{fragmentation}");
    assert_eq!(fragmentation["crumbled"], true);
    assert_eq!(number(fragmentation, "largest_free"), program.number("hole_bytes"));
    assert!(number(fragmentation, "total_free") >= program.number("free_bytes"));
    let holes = rows(&map["free"], "top").iter().filter(|hole| hole["size"] == 2 << 20).count() as u64;
    assert!(holes >= program.number("holes"), "{holes}");
    let first = program.number("first_hole");
    assert!(rows(&map["free"], "top").iter().any(|hole| address(hole, "start") == first));
    assert!(shown.contains("32-bit"), "{shown}");
    let warning =
        shown.lines().find(|line| line.contains("a mapping above") || line.contains("no mapping above"));
    assert!(warning.is_some_and(|line| line.contains("2.0 MiB")), "no warning: {shown}");
}

#[test]
fn a_process_with_room_is_not_warned_of() {
    let program = Program::build("equal_blocks").spawn(&["count=2000"]);
    let pid = program.pid().to_string();

    assert_eq!(document(&["map", &pid])["fragmentation"]["crumbled"], false);
    assert!(!text(&["map", &pid]).contains("mapping above"));
}

#[test]
fn sixty_thousand_regions_are_counted_to_the_last() {
    let program = Program::build("regions").spawn(&["count=60000"]);
    let pid = program.pid().to_string();

    let map = document(&["map", &pid]);

    let (start, end) = (program.number("start"), program.number("start") + program.number("bytes"));
    let inside = rows(&map, "regions")
        .iter()
        .filter(|region| (start..end).contains(&address(region, "start")))
        .collect::<Vec<_>>();
    assert_eq!(inside.len(), 60_000);
    assert!(inside.iter().all(|region| region["size"] == 4096 && region["rss"] == 4096));
    let usage = row_of(rows(&map["summary"], "by_usage"), "key", "anonymous_under_128k");
    assert!(number(usage, "regions") >= 60_000);
    assert_eq!(number(&map["summary"]["total"], "regions"), rows(&map, "regions").len() as u64);
}

/// Every region in the text and in the page too, and both in reasonable size.
#[test]
fn sixty_thousand_regions_can_be_printed() {
    let program = Program::build("regions").spawn(&["count=60000"]);
    let pid = program.pid().to_string();
    let folder = crate::harness::folder::Folder::new();
    let page = folder.file("map.html");

    let all = text(&["map", &pid, "--all", "--filter", "protection=r--p,min-rss=4096"]);
    residue(&["map", &pid, "--html", &page]).good();

    let lines = all.lines().filter(|line| line.contains(" r--p ")).count();
    assert!(lines >= 30_000, "{lines}");
    let size = std::fs::metadata(&page).expect("it was written").len();
    assert!((1 << 20..16 << 20).contains(&size), "{size}");
}
