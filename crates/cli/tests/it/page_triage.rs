//! The page of `triage --html` in a real browser.

use residue_testkit::Program;

use crate::harness::browser::Page;
use crate::harness::folder::Folder;
use crate::harness::residue;

/// How much of a canvas is painted, in pixels.
const PAINTED: &str = "(selector => { const c = document.querySelector(selector + ' canvas'); if (!c) return 0; \
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; \
    for (let i = 3; i < d.length; i += 4) if (d[i]) n += 1; return n; })";

#[test]
fn a_leak_is_told_in_words_and_plots() {
    let leaky = Program::build("leaky").spawn(&["mode=malloc", "rate=8000000"]);
    let pid = leaky.pid().to_string();
    let folder = Folder::new();
    let path = folder.file("triage.html");
    let ran = residue(&["triage", &pid, "--for", "9s", "--html", &path]).good();
    ran.says(&["wrote", &path]);

    let mut page = Page::open(&path);

    page.keep("triage");
    let verdict = page.text("document.querySelector('.verdict').innerText");
    for word in ["LIKELY LEAK", "heap", "/h", &format!("residue watch {pid}")] {
        assert!(verdict.to_uppercase().contains(&word.to_uppercase()), "{word}: {verdict}");
    }
    let finding = page.text("document.querySelector('#findings article').innerText");
    assert!(finding.contains("likely leak") && finding.contains("residue "), "{finding}");
    for plot in ["#plot-series", "#plot-classes"] {
        let painted = page.number(&format!("{PAINTED}('{plot}')"));
        assert!(painted > 2000.0, "{plot}: {painted} pixels are painted");
    }
    let legend = page.texts("#plot-series .u-legend .u-label");
    for line in ["private anonymous + swap", "RSS", "shared memory", "trend"] {
        assert!(legend.iter().any(|label| label == line), "{line}: {legend:?}");
    }
    let classes = page.texts("#plot-classes .u-legend .u-label");
    assert!(classes.iter().any(|label| label.contains("heap")), "{classes:?}");
    let footprint = page.text("document.getElementById('footprint').innerText");
    assert!(footprint.contains("main heap (brk)") && footprint.contains("MiB"), "{footprint}");
    page.assert_quiet();
}

/// Too few samples for a plot still make a page: the verdict says that they are too few.
#[test]
fn a_short_look_makes_a_page_without_errors() {
    let layout = Program::build("layout").spawn(&[]);
    let folder = Folder::new();
    let path = folder.file("triage.html");
    residue(&["triage", &layout.pid().to_string(), "--for", "300ms", "--html", &path]).good();

    let mut page = Page::open(&path);

    let verdict = page.text("document.querySelector('.verdict').innerText");
    assert!(verdict.to_uppercase().contains("INCONCLUSIVE"), "{verdict}");
    let deleted = page.text("document.getElementById('findings').innerText");
    assert!(deleted.contains("deleted") && deleted.contains("/gone"), "{deleted}");
    page.assert_quiet();
}

#[test]
fn what_was_not_seen_stands_on_the_page() {
    let layout = Program::build("layout").spawn(&[]);
    let folder = Folder::new();
    let path = folder.file("triage.html");
    residue(&["triage", &layout.pid().to_string(), "--for", "300ms", "--gentle", "--html", &path]).good();

    let mut page = Page::open(&path);

    let seen = page.text("document.body.innerText").to_lowercase();
    assert!(seen.contains("not seen") && seen.contains("--exact"), "{seen}");
    page.assert_quiet();
}

#[test]
fn the_sums_can_be_sorted() {
    let layout = Program::build("layout").spawn(&[]);
    let folder = Folder::new();
    let path = folder.file("triage.html");
    residue(&["triage", &layout.pid().to_string(), "--for", "300ms", "--html", &path]).good();
    let mut page = Page::open(&path);
    let first = "document.querySelector('table.sortable tbody tr td').innerText";
    let before = page.text(first);

    page.click("document.querySelector('table.sortable thead th button')");
    let once = page.text(first);
    page.click("document.querySelector('table.sortable thead th button')");
    let twice = page.text(first);

    assert_ne!(once, twice, "a second click turns the order round; at first it was {before}");
    page.assert_quiet();
}
