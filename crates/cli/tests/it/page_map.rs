//! The page of `map --html` in a real browser: what a person sees and does.

use residue_testkit::{Program, Running};

use crate::harness::browser::Page;
use crate::harness::folder::Folder;
use crate::harness::{Ran, oracle, residue};

struct Opened {
    layout: Running,
    page: Page,
    _folder: Folder,
}

fn open() -> Opened {
    let layout = Program::build("layout").spawn(&[]);
    let folder = Folder::new();
    let path = folder.file("map.html");
    let ran: Ran = residue(&["map", &layout.pid().to_string(), "--html", &path]).good();
    ran.says(&["wrote", &path]);
    Opened { page: Page::open(&path), layout, _folder: folder }
}

/// Opens from disk, asks nobody for anything, and nothing goes wrong.
#[test]
fn the_page_needs_nothing_but_itself() {
    let mut opened = open();

    opened.page.keep("map");

    let title = opened.page.text("document.title");
    assert!(title.contains(&opened.layout.pid().to_string()) && title.contains("layout"), "{title}");
    opened.page.assert_quiet();
}

#[test]
fn the_legend_lists_what_memory_is_used_for() {
    let mut opened = open();

    let legend = opened.page.texts("#legend button b");

    for usage in
        ["main heap (brk)", "thread stacks", "allocator arenas", "System V shared memory", "JIT code", "text"]
    {
        assert!(legend.contains(&usage.to_owned()), "{usage}: {legend:?}");
    }
    assert!(!legend.contains(&"devices".to_owned()), "what the process does not have is not listed");
}

/// The picture is painted, and in as many colours as there are uses of memory.
#[test]
fn the_strip_is_painted() {
    let mut opened = open();
    let colours = "(() => { const c = document.getElementById('strip'); \
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const seen = new Set(); \
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) seen.add((d[i] << 16) + (d[i + 1] << 8) + d[i + 2]); \
        return seen.size; })()";

    let count = opened.page.number(colours);

    assert!(count > 8.0, "{count} colours");
    let overview = colours.replace("'strip'", "'overview'");
    assert!(opened.page.number(&overview) > 3.0);
}

/// Whoever points at a region learns what it is.
#[test]
fn pointing_at_a_region_tells_its_name() {
    let mut opened = open();
    let start = opened.layout.number("committed");
    opened.page.value(&format!("residue.zoomTo({start}, {start} + 16777216)"));
    opened.page.settle();
    assert_eq!(opened.page.value("document.getElementById('tooltip').hidden"), true);

    let at = opened.page.value(
        "(() => { const s = document.getElementById('strip'); s.scrollIntoView({block: 'center'}); \
         const r = s.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()",
    );
    opened.page.point(at[0].as_f64().expect("x"), at[1].as_f64().expect("y"));

    let said = opened.page.text("document.getElementById('tooltip').innerText");
    assert_eq!(opened.page.value("document.getElementById('tooltip').hidden"), false);
    for word in ["anonymous 1 … 64 MiB", &format!("{start:#x}"), "16.0 MiB", "rw-p"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let width = opened.page.number("document.getElementById('strip').clientWidth");
    let region = opened.page.value(&format!("residue.regionAt({})", width / 2.0));
    assert_eq!((region["kind"].as_str(), region["start"].as_u64()), (Some("region"), Some(start)));
}

/// Free address space is part of the picture: fragmentation is seen, not computed.
#[test]
fn gaps_are_part_of_the_picture() {
    let mut opened = open();
    let (end, next) = (opened.layout.number("anon_64k") + 65536, opened.layout.number("anon_256k"));
    opened.page.value(&format!("residue.zoomTo({}, {})", end - 65536, next + 65536));
    opened.page.settle();

    let kinds = opened.page.value(
        "(() => { const w = document.getElementById('strip').clientWidth; \
         return [...Array(w).keys()].map(x => residue.regionAt(x)?.kind); })()",
    );

    let kinds = kinds.as_array().expect("a kind for each pixel");
    assert!(kinds.iter().any(|kind| kind == "free"), "no gap under any pixel");
    assert!(kinds.iter().any(|kind| kind == "region"), "no region under any pixel");
    let key = opened.page.text("document.querySelector('#legend .key').innerText");
    assert!(key.contains("free") && key.contains("not resident"), "{key}");
}

fn column(page: &mut Page, number: usize) -> Vec<String> {
    page.texts(&format!("#region-table tbody tr[data-index] td:nth-child({number})"))
}

fn heading(page: &mut Page, label: &str) -> usize {
    let labels = page.texts("#region-table thead th");
    let place =
        labels.iter().position(|text| text.trim_end_matches(['▲', '▼', ' ']).eq_ignore_ascii_case(label));
    place.unwrap_or_else(|| panic!("no column {label}: {labels:?}")) + 1
}

/// Bytes of a size as the page prints it.
fn bytes(text: &str) -> f64 {
    let mut words = text.split_whitespace();
    let number: f64 =
        words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no size: {text:?}"));
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = words.next().and_then(|unit| units.iter().position(|&one| one == unit)).expect("a unit");
    number * 1024_f64.powi(i32::try_from(unit).expect("small"))
}

#[test]
fn a_click_on_a_heading_sorts_the_regions() {
    let mut opened = open();
    let page = &mut opened.page;
    let place = heading(page, "RSS");
    let button = format!("document.querySelector('#region-table thead th:nth-child({place}) button')");

    page.click(&button);
    let down: Vec<f64> = column(page, place).iter().map(|text| bytes(text)).collect();
    page.click(&button);
    let up: Vec<f64> = column(page, place).iter().map(|text| bytes(text)).collect();

    assert!(down.len() > 20 && down[0] > down[20], "{down:?}");
    assert!(down.is_sorted_by(|a, b| a >= b), "largest first: {down:?}");
    assert!(up.is_sorted(), "and then smallest first: {up:?}");
}

#[test]
fn typing_into_the_filter_leaves_what_fits() {
    let mut opened = open();
    let all = oracle::smaps(opened.layout.pid()).0.len();
    let page = &mut opened.page;
    let count = page.text("document.getElementById('region-count').innerText");
    assert!(count.starts_with(&format!("{all} regions")), "{count}");

    page.click("document.querySelector('#region-filter input')");
    page.write("libc.so");

    let name = heading(page, "Name");
    let names = column(page, name);
    assert!((3..=8).contains(&names.len()), "{names:?}");
    assert!(names.iter().all(|name| name.contains("libc.so")), "{names:?}");
    let count = page.text("document.getElementById('region-count').innerText");
    assert!(count.starts_with(&format!("{} of {all} regions", names.len())), "{count}");
}

/// The table and the picture show the same thing: a row that is picked is selected above.
#[test]
fn a_picked_row_is_shown_in_the_picture() {
    let mut opened = open();
    let page = &mut opened.page;
    page.click("document.querySelector('#region-filter input')");
    page.write("JIT");

    page.click("document.querySelector('#region-table tbody tr[data-index]')");

    let view = page.value("residue.view()");
    let (start, end) =
        (view["start"].as_f64().expect("an address"), view["end"].as_f64().expect("an address"));
    let jit = opened.layout.number("jit") as f64;
    assert!(start <= jit && jit < end && end - start < 1e9, "{view} does not show {jit}");
    let said = opened.page.text("document.getElementById('selection').innerText");
    assert!(said.contains("JIT code") && said.contains("16.0 KiB"), "{said}");
}

/// Picking a use in the legend leaves only its regions in the table.
#[test]
fn picking_a_use_in_the_legend_filters_the_table() {
    let mut opened = open();
    let page = &mut opened.page;

    page.click(
        "[...document.querySelectorAll('#legend button')].find(e => e.dataset.key === 'thread_stack')",
    );

    let usage = heading(page, "Usage");
    assert_eq!(column(page, usage), vec!["thread stacks"; 5]);
}

#[test]
fn a_narrow_window_needs_no_sideways_scrolling() {
    let layout = Program::build("layout").spawn(&[]);
    let folder = Folder::new();
    let path = folder.file("map.html");
    residue(&["map", &layout.pid().to_string(), "--html", &path]).good();

    let mut page = Page::open_sized(&path, 400, 800);

    let wide = page.number("document.documentElement.scrollWidth");
    assert!(wide <= 400.0, "the page is {wide} pixels wide");
    page.keep("map-narrow");
    page.assert_quiet();
}

/// Tens of thousands of regions must not bring the browser to its knees.
#[test]
fn a_page_of_60_000_regions_works() {
    let program = Program::build("regions").spawn(&["count=60000"]);
    let folder = Folder::new();
    let path = folder.file("map.html");
    residue(&["map", &program.pid().to_string(), "--html", &path]).good();

    let mut page = Page::open(&path);

    let rows = page.number("document.querySelectorAll('#region-table tbody tr').length");
    assert!(rows < 500.0, "{rows} rows stand in the document");
    let count = page.text("document.getElementById('region-count').innerText");
    assert!(count.starts_with("60,0"), "{count}");
    page.assert_quiet();
}
