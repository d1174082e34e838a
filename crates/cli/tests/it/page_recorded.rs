//! The page of `report --html` in a real browser.

use std::fs;
use std::time::{Duration, SystemTime};

use residue::model::recording::{AllocationKind, End, Histogram, Recording};
use residue::model::{Bytes, Gap};
use residue::write_recording;
use residue_testkit::Sketch;

use crate::harness::browser::Page;
use crate::harness::folder::Folder;
use crate::harness::residue;

/// A name that would run, if it became a part of the page.
const HOSTILE: &str = "<img src=x onerror=console.error(1)></script><script>console.error(2)</script>";

/// 100 slots of 100 ms: 300 blocks of 100 bytes stay, 40 of 1000 come between 4 s and 6 s, and others come and go at once.
fn shop(source: &str) -> Recording {
    Sketch::of("/usr/bin/shop", 100, Duration::from_millis(100))
        .stack(&[
            "malloc in libc.so.6",
            "inlined keep at basket.h:3",
            &format!("lose at {source}:2"),
            "main at shop.c:20",
        ])
        .blocks(100, |slot| u64::from(slot + 1) * 3)
        .stack(&["load at load.c:9", "main at shop.c:21"])
        .blocks(1000, |slot| if (40..60).contains(&slot) { 40 } else { 0 })
        .stack(&[&format!("{HOSTILE} at page.c:8"), "main at shop.c:22"])
        .blocks(40, |_| 0)
        .with(|sums| {
            (sums.allocations, sums.frees, sums.temporary) = (5000, 5000, 4990);
            (sums.allocated, sums.usable) = (Bytes(200_000), Bytes(240_000));
            sums.lifetimes = Histogram(vec![0, 0, 5000]);
        })
        .stack(&["map_index at index.c:77", "main at shop.c:23"])
        .blocks(1 << 20, |_| 4)
        .with(|sums| sums.kind = AllocationKind::Mapping)
        .whole(|recording| {
            recording.program.end = Some(End::Exited(3));
            recording.program.started = Some(SystemTime::now() + Duration::from_secs(60));
            recording.gaps = vec![Gap::new("calls of <jemalloc>", "it was linked into the program")];
        })
        .build()
}

fn opened(folder: &Folder, recording: &Recording, width: u32) -> Page {
    let (file, page) = (folder.file("shop.residue"), folder.file("shop.html"));
    write_recording(recording, file.as_ref()).expect("an own folder");
    residue(&["report", &file, "--html", &page]).good().says(&["wrote", &page]);
    Page::open_sized(&page, width, 1000)
}

fn shop_page(folder: &Folder) -> Page {
    let source = folder.file("lose.c");
    fs::write(&source, "int lose(void) {\n    return keep(malloc(100)); // here <b>\n}\n")
        .expect("own folder");
    opened(folder, &shop(&source), 1300)
}

/// The first column and the third of the table: site and what it is sorted by at first.
fn table(page: &mut Page) -> Vec<(String, String)> {
    let names = page.texts("#site-table .open");
    let numbers = page.texts("#site-table tbody tr[data-site] td:nth-child(3)");
    names.into_iter().map(|name| name.replace('\n', " ")).zip(numbers).collect()
}

fn calls(page: &mut Page) -> Vec<String> {
    page.texts("#flame .cell")
}

/// Drags over the timeline, from one part of its width to another.
fn drag(page: &mut Page, from: f64, to: f64) {
    page.value(&format!(
        "(() => {{ const e = document.querySelector('.stage svg'), r = e.getBoundingClientRect(); \
         const at = part => r.left + 74 + (r.width - 86) * part; \
         const send = (type, part) => e.dispatchEvent(new PointerEvent(type, \
             {{ bubbles: true, button: 0, pointerId: 1, clientX: at(part), clientY: r.top + 50 }})); \
         e.setPointerCapture = () => 0; \
         send('pointerdown', {from}); send('pointermove', {to}); send('pointerup', {to}); }})()"
    ));
    page.settle();
}

fn press(page: &mut Page, element: &str, key: &str) {
    page.value(&format!(
        "(() => {{ const e = {element}; e.focus(); \
         e.dispatchEvent(new KeyboardEvent('keydown', {{ key: {key:?}, bubbles: true }})); }})()"
    ));
    page.settle();
}

#[test]
fn a_recording_is_told_at_a_glance_and_no_name_can_break_it() {
    let folder = Folder::new();
    let mut page = shop_page(&folder);

    page.keep("recorded");
    let seen = page.text("document.body.innerText");
    for part in [
        "shop (pid 812)",
        "it ended with code 3",
        "every allocation was recorded",
        "1 site goes on growing to the end",
        "calls of <jemalloc>: it was linked into the program",
        "grows to the end",
        "lose",
        HOSTILE,
    ] {
        assert!(seen.contains(part), "no `{part}` in {seen}");
    }
    assert!(!seen.to_lowercase().contains("leaked"), "what lives is not called leaked: {seen}");
    assert!(!seen.contains("Lost"), "nobody looked for what is lost: {seen}");
    let rows = table(&mut page);
    assert_eq!(rows[0], ("keep basket.h:3".into(), "29.3 KiB".into()));
    assert_eq!(rows.len(), 3, "mappings stand apart: {rows:?}");
    page.assert_quiet();
}

#[test]
fn a_window_of_time_has_sums_of_its_own() {
    let folder = Folder::new();
    let mut page = shop_page(&folder);

    drag(&mut page, 0.305, 0.495);

    // 3 s … 5 s: 20 slots with 3 blocks of 100 bytes each, and the 40 blocks of 1000 that came at 4 s.
    page.keep("recorded-window");
    let words = page.text("document.getElementById('window-words').innerText");
    assert_eq!(words, "3 s … 5 s: +44.9 KiB growth, 44.9 KiB allocated, 53.7 KiB stood at its end");
    let rows = table(&mut page);
    assert_eq!(rows[0], ("load load.c:9".into(), "+39.1 KiB".into()));
    assert_eq!(rows[1], ("keep basket.h:3".into(), "+5.9 KiB".into()));
    let line = page.text("document.getElementById('flame-line').innerText");
    assert!(line.contains("44.9 KiB (46\u{a0}000 B) growth in the window"), "{line}");
    let pressed = page.texts("#flame [aria-label='Weighed by'] [aria-pressed=true]");
    assert_eq!(pressed, ["Growth"]);
    assert!(page.value("document.querySelector('[data-value=temporary]').disabled") == true);

    // The keyboard makes it end a slot later, and gives the whole time back.
    press(&mut page, "document.querySelectorAll('.end')[1]", "ArrowRight");
    let words = page.text("document.getElementById('window-words').innerText");
    assert!(words.starts_with("3 s … 5.1 s: +45.2 KiB growth"), "{words}");
    press(&mut page, "document.querySelectorAll('.end')[1]", "Escape");
    assert_eq!(table(&mut page)[0], ("keep basket.h:3".into(), "29.3 KiB".into()));
    page.assert_quiet();
}

#[test]
fn the_graph_is_weighed_zoomed_and_searched() {
    let folder = Folder::new();
    let mut page = shop_page(&folder);
    assert_eq!(calls(&mut page), ["all", "main", "lose", "keep"]);

    page.click("document.querySelector('[data-value=peak]')");
    assert_eq!(calls(&mut page).len(), 5, "at the peak the burst stands too");
    page.click("[...document.querySelectorAll('#flame .cell')].find(cell => cell.innerText === 'load')");
    assert_eq!(calls(&mut page), ["all", "main", "load"]);
    let line = page.text("document.getElementById('flame-line').innerText");
    assert!(
        line.starts_with("load at load.c:9 39.1 KiB (40\u{a0}000 B)") && line.contains("/usr/bin/shop"),
        "{line}"
    );
    page.click("document.getElementById('flame-sites')");
    assert_eq!(table(&mut page).len(), 1);
    page.click("document.getElementById('flame-out')");
    page.click("document.querySelector('#flame input')");
    page.write("load.c");
    let found = page.text("document.querySelector('#flame .found').innerText");
    let marked = page.texts("#flame .cell.match");
    assert_eq!((found.ends_with("% goes through it"), marked), (true, vec!["load".to_owned()]), "{found}");

    let top = "parseFloat([...document.querySelectorAll('#flame .cell')].at(-1).style.top)";
    let root = "parseFloat(document.querySelector('#flame .cell.root').style.top)";
    assert!(page.value(&format!("{top} < {root}")) == true, "a flame burns upwards");
    page.click("document.querySelector('[data-value=icicle]')");
    assert!(page.value(&format!("{top} > {root}")) == true, "an icicle hangs down");

    press(&mut page, "document.querySelector('#flame .cell.root')", "ArrowDown");
    let here = page.text("document.activeElement.getAttribute('aria-label')");
    assert!(here.starts_with("main, "), "{here}");
    page.click("document.querySelector(\"[aria-label='From whom'] [data-value=true]\")");
    assert_eq!(table(&mut page).len(), 1, "only the mapping");
    page.assert_quiet();
}

#[test]
fn a_site_opens_to_its_path_and_source() {
    let folder = Folder::new();
    let mut page = shop_page(&folder);

    page.click("document.querySelector('#site-table .open')");

    page.keep("recorded-site");
    let details = page.text("document.querySelector('.opened').innerText");
    for part in ["29.3 KiB in 300 blocks", "300 allocations", "grows to the end", "lose.c:2", "shop.c:20"] {
        assert!(details.contains(part), "no `{part}` in {details}");
    }
    assert_eq!(page.texts(".opened .inlined"), ["inlined"]);
    assert_eq!(page.texts(".opened .paths code"), ["keep", "lose", "main"]);
    // The innermost line that is there is shown without asking.
    let line = page.text("document.querySelector('.source .here').innerText");
    assert!(line.contains("return keep(malloc(100)); // here <b>"), "{line}");
    page.assert_quiet();
}

#[test]
fn the_table_is_sorted_and_filtered() {
    let folder = Folder::new();
    let mut page = shop_page(&folder);

    page.click("document.querySelector('#site-table [data-key=allocated]')");
    assert!(table(&mut page)[0].0.starts_with(HOSTILE), "200 000 bytes are the most");
    page.click("document.querySelector('#site-list input')");
    page.write("LOAD.C");
    assert_eq!(table(&mut page).len(), 1);
    let said = page.text("document.querySelector('.said').innerText");
    assert_eq!(said, "1 of 3 sites, 0 B not freed at the end.");
    page.assert_quiet();
}

/// On a narrow screen the page itself never scrolls sideways; thousands of paths are only drawn as far as they are seen.
#[test]
fn many_paths_fit_on_a_narrow_screen() {
    let mut sketch = Sketch::of("/usr/bin/wide", 50, Duration::from_secs(1));
    for path in 0..2000_u32 {
        let (inner, outer) =
            (format!("leaf_{path} at leaf.c:{path}"), format!("branch_{} at b.c:1", path % 40));
        sketch = sketch
            .stack(&[&inner, &outer, "main at m.c:1"])
            .blocks(64, |slot| u64::from((u32::from(slot) + path) % 7));
    }
    let folder = Folder::new();

    let mut page = opened(&folder, &sketch.build(), 400);

    page.keep("recorded-narrow");
    assert!(page.number("document.documentElement.scrollWidth") <= 400.0);
    assert_eq!(table(&mut page).len(), 100, "a part of the table");
    let drawn = page.number("document.querySelectorAll('#flame .cell').length");
    assert!((40.0..400.0).contains(&drawn), "{drawn} calls are wide enough to be seen");
    page.assert_quiet();
}
