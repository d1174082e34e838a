//! `search`: needles that a program planted, found where it says it planted them, in the process and in its core.

use residue_testkit::Program;
use serde_json::{Value, json};

use crate::harness::begun::Begun;
use crate::harness::dumped::{Dumped, addresses};
use crate::harness::{address, document, number, residue, row_of, rows, text, word};

/// What the needle is; it stands nowhere in memory but where it was planted.
const NEEDLE: &str = "tawny owl 4711";

struct Stage(Dumped);

impl Stage {
    fn new() -> Stage {
        Stage(Dumped::of("needles", &[]))
    }

    /// Where needles of these kinds stand, in order of address.
    fn places(&self, kinds: &[&str]) -> Vec<u64> {
        let mut places: Vec<u64> =
            kinds.iter().flat_map(|kind| addresses(self.0.program.fact(kind))).collect();
        places.sort_unstable();
        places
    }

    /// Fails the test unless a search finds just these places, in the process and in its core, and every sum is theirs.
    #[track_caller]
    fn finds(&self, arguments: &[&str], places: &[u64]) {
        for found in self.0.documents("search", arguments) {
            let addresses: Vec<u64> =
                rows(&found, "matches").iter().map(|hit| address(hit, "address")).collect();
            assert_eq!(addresses, places, "{arguments:?}");
            self.sums_up(&found, places);
        }
    }

    #[track_caller]
    fn sums_up(&self, found: &Value, places: &[u64]) {
        let pond = self.0.program.number("pond");
        let (low, high): (Vec<u64>, Vec<u64>) = places.iter().partition(|&&place| place < pond);
        let sides = [("anonymous_1m_to_64m", "meadow", &low), ("anonymous_128k_to_1m", "pond", &high)];
        let hit: Vec<_> = sides.into_iter().filter(|side| !side.2.is_empty()).collect();
        assert_eq!(number(found, "count"), places.len() as u64);
        assert_eq!(number(found, "regions_hit"), hit.len() as u64);
        assert_eq!((address(found, "first"), address(found, "last")), (places[0], places[places.len() - 1]));
        assert_eq!((rows(found, "by_usage").len(), rows(found, "by_region").len()), (hit.len(), hit.len()));
        for (usage, region, places) in hit {
            let row = row_of(rows(found, "by_usage"), "usage", usage);
            assert_eq!((number(row, "count"), number(row, "regions")), (places.len() as u64, 1), "{usage}");
            let row = row_of(rows(found, "by_region"), "usage", usage);
            assert_eq!(address(row, "region"), self.0.program.number(region), "{region}");
            assert_eq!(number(row, "size"), self.0.program.number(&format!("{region}_bytes")), "{region}");
            let told = (number(row, "count"), address(row, "first"), address(row, "last"));
            assert_eq!(told, (places.len() as u64, places[0], places[places.len() - 1]), "{region}");
        }
        let spread: u64 = rows(found, "spread").iter().map(|part| part.as_u64().expect("a count")).sum();
        assert_eq!(spread, places.len() as u64, "the spread is of all matches");
        assert_eq!(found["interrupted"], false);
    }
}

/// Across pages, across what is read at a time, up to the last byte of a region: everywhere, and once.
#[test]
fn a_text_is_found_wherever_it_stands() {
    let stage = Stage::new();

    stage.finds(&[NEEDLE], &stage.places(&["text"]));
    stage.finds(&[NEEDLE, "--ascii"], &stage.places(&["text"]));
}

#[test]
fn case_is_ignored_on_request_only() {
    let stage = Stage::new();

    stage.finds(&["tAWNY OWL 4711", "--ignore-case"], &stage.places(&["text", "loud"]));
    stage.finds(&["Tawny OWL 4711"], &stage.places(&["loud"]));
}

/// Windows and Java keep text so; it may stand at an odd address too.
#[test]
fn text_of_two_bytes_a_character_is_found() {
    let stage = Stage::new();

    stage.finds(&[NEEDLE, "--utf16"], &stage.places(&["wide"]));
    stage.finds(&[NEEDLE, "-u", "-a"], &stage.places(&["wide", "text"]));

    let found = document(&["search", &stage.0.core, NEEDLE, "--utf16"]);
    let preview = word(&rows(&found, "matches")[0], "preview");
    assert!(preview.contains(NEEDLE), "people read text, not its bytes: {preview:?}");
}

#[test]
fn bytes_are_found_with_a_wildcard_for_any_digit() {
    let stage = Stage::new();
    let all = stage.places(&["bytes"]);

    stage.finds(&["--hex", "9e 4b ?? 05 c1 d2 41"], &all);
    stage.finds(&["--hex", "9E4B1?05C1D241"], &[all[0], all[2]]);
    stage.finds(&["-x", "9e4b?d05c1d241"], &all[1..2]);
    stage.finds(&["-x", "9e4bfd05c1d241"], &all[1..2]);
}

#[test]
fn an_expression_is_found() {
    let stage = Stage::new();
    let all = stage.places(&["numbered"]);

    stage.finds(&["--regex", "wing_id=[0-9]+"], &all);
    stage.finds(&["-e", "wing_id=[0-9]{2,}"], &all[1..]);
    stage.finds(&["-e", "WING_ID=7", "-i"], &all[..1]);
}

/// Compilers align pointers: what has the same bytes elsewhere is another thing, and the bytes themselves can be asked for.
#[test]
fn a_pointer_is_found_where_it_is_aligned() {
    let stage = Stage::new();

    stage.finds(&["--pointer", "0x100000005a5a"], &stage.places(&["pointer"]));
    stage.finds(&["-q", "1000`00005a5a"], &stage.places(&["pointer"]));
    stage.finds(&["--hex", "5a5a000000100000"], &stage.places(&["pointer", "crooked"]));
}

#[test]
fn a_search_can_be_kept_to_some_regions() {
    let stage = Stage::new();
    let places = stage.places(&["text"]);

    for (filter, expected, searched) in [
        ("usage=anonymous_1m_to_64m,size=20M", &places[..5], 20 << 20),
        ("size=0x40000,protection=rw-p", &places[5..], 256 << 10),
    ] {
        for found in stage.0.documents("search", &[NEEDLE, "--in", filter]) {
            stage.sums_up(&found, expected);
            assert_eq!(number(&found, "searched_regions"), 1, "{filter}");
            assert_eq!((number(&found, "searched"), number(&found, "unreadable")), (searched, 0), "{filter}");
        }
    }
}

/// Thousands of matches fit no screen, and yet the count is what was asked for.
#[test]
fn all_are_counted_where_few_are_listed() {
    let stage = Stage::new();
    let places = stage.places(&["text"]);

    for found in stage.0.documents("search", &[NEEDLE, "--limit", "2"]) {
        let listed: Vec<u64> = rows(&found, "matches").iter().map(|hit| address(hit, "address")).collect();
        assert_eq!(listed, places[..2]);
        stage.sums_up(&found, &places);
    }
    let said = text(&["search", &stage.0.core, NEEDLE, "--limit", "2"]);
    assert!(said.contains("the first 2 of 7 matches"), "{said}");
}

#[test]
fn people_see_where_it_stands_and_what_stands_around_it() {
    let stage = Stage::new();

    for target in stage.0.targets() {
        let said = text(&["search", &target, "owl 4711"]);

        assert!(said.starts_with("7 matches in 2 of "), "{said}");
        for words in ["first 0x100000000006", "last 0x10004000234b", "tawny owl 4711", "BY USAGE", "71 %"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let line = said.lines().find(|line| line.starts_with("10004000234b")).expect("the last match");
        assert!(line.contains("tawny owl 4711") && line.contains("anonymous 128 KiB"), "{line}");
    }
}

/// That nothing was found is an answer, and no failure.
#[test]
fn what_stands_nowhere_is_found_zero_times() {
    let stage = Stage::new();

    for found in stage.0.documents("search", &["tawny owl 4712"]) {
        assert_eq!((number(&found, "count"), number(&found, "regions_hit")), (0, 0));
        assert_eq!(
            (&found["first"], &found["last"], &found["matches"]),
            (&json!(null), &json!(null), &json!([]))
        );
        assert!(number(&found, "searched") > 20 << 20, "it was looked for");
    }
    assert!(text(&["search", &stage.0.core, "tawny owl 4712"]).starts_with("0 matches in 0 of "));
}

/// In a core some memory is missing: that a text is not in the rest does not mean that it was nowhere.
#[test]
fn what_the_core_left_out_is_said() {
    let stage = Stage::new();

    let found = document(&["search", &stage.0.core, "tawny owl 4712"]);

    let gap = &rows(&found, "gaps")[0];
    assert!(word(gap, "what").contains("of memory in "), "{gap}");
}

#[test]
fn a_pattern_that_makes_no_sense_is_refused() {
    let program = Program::build("equal_blocks").spawn(&["count=1"]);
    let pid = program.pid().to_string();

    for (pattern, words) in [
        (&["--hex", "9"][..], "`9`"),
        (&["--hex", "zz"], "`zz`"),
        (&["--hex", ""], "bytes"),
        (&["--regex", "("], "`(`"),
        (&["--regex", "a*"], "`a*`"),
        (&["--pointer", "nowhere"], "`nowhere`"),
        (&[""], "nothing to search for"),
        (&["", "--utf16"], "nothing to search for"),
        (&["x", "--in", "usage=nonsense"], "`nonsense`"),
        (&["x", "--in", "colour=red"], "`colour`"),
    ] {
        let ran = residue(&[&["search", pid.as_str()], pattern].concat()).ended(2);
        assert!(ran.out.is_empty(), "{pattern:?}: {}", ran.text());
        ran.says(&["error: ", words, "\n  help: "]);
    }
    for pattern in [&["x", "--hex", "--regex"][..], &["x", "--pointer", "-i"], &["x", "--limit", "-1"], &[]] {
        residue(&[&["search", pid.as_str()], pattern].concat()).ended(2).says(&["error: "]);
    }
}

/// A forest of 64 GiB takes long to search. Ctrl-C ends it at any time, and what was found until then is shown: at least
/// the needle in its first page.
#[test]
fn an_interrupted_search_shows_what_it_found() {
    let program = Program::build("needles").spawn(&["forest_mib=65536"]);
    let search = Begun::new(&["search", &program.pid().to_string(), NEEDLE, "--json"]);
    search.catches_interrupts();

    search.interrupt();

    let (out, code) = search.end();
    assert_eq!(code, Some(130), "{out}");
    let found: Value = serde_json::from_str(&out).expect("a whole document");
    assert_eq!(found["interrupted"], true);
    assert_eq!(address(&found, "first"), program.number("hidden"));
    assert!(number(&found, "count") >= 1, "{out}");
    assert!(number(&found, "searched") < 64 << 30);
}
