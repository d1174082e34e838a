//! The tree of calls as a picture and as lines.

use std::time::Duration;

use insta::assert_snapshot;
use residue_analysis::recorded::{Filter, Flame, Measure, Question, Recorded};
use residue_model::recording::{AllocationKind, Recording};
use residue_report::{collapsed, flamegraph};
use residue_testkit::Sketch;

fn shop() -> Recording {
    Sketch::of("/usr/bin/shop", 10, Duration::from_secs(1))
        .stack(&[
            "malloc in /lib/libc.so.6",
            "inlined shop::Basket::add(shop::Item const&) at /src/basket.cpp:42",
            "shop::serve(int) at /src/server.cpp:88",
            "main at /src/main.cpp:12",
        ])
        .blocks(4096, |slot| u64::from(slot) * 30)
        .stack(&[
            "cache_put at cache.c:70",
            "shop::serve(int) at /src/server.cpp:91",
            "main at /src/main.cpp:12",
        ])
        .blocks(512, |_| 100)
        .stack(&["? in /opt/vendor/libpay.so", "main at /src/main.cpp:30"])
        .blocks(24, |_| 1500)
        .stack(&["map_index at index.c:77", "main at /src/main.cpp:41"])
        .blocks(1 << 18, |_| 1)
        .with(|sums| sums.kind = AllocationKind::Mapping)
        .stack(&["tiny at tiny.c:1", "main at /src/main.cpp:50"])
        .blocks(7, |_| 1)
        .stack(&["format at price.c:31", "main at /src/main.cpp:31"])
        .blocks(40, |_| 0)
        .with(|sums| sums.temporary = 12_500)
        .build()
}

/// Names as nobody writes them, but as a symbol table may hold them.
fn hostile() -> Recording {
    Sketch::of("/tmp/<b>&\"app", 2, Duration::from_secs(1))
        .stack(&[
            "</title><script>alert(1)</script>",
            "a;b\nc",
            "]]>&lt;\u{1}\u{fffe}\u{202e}evil",
            "日本語の関数の名前がとても長いので切らなければならない in /lib/'x'=\"y\".so",
        ])
        .blocks(10, |_| 1)
        .build()
}

fn understood(recording: &Recording) -> Recorded {
    Recorded::of(recording, &Question::default())
}

fn picture(recorded: &Recorded, measure: Measure) -> String {
    let mut out = Vec::new();
    flamegraph::write(&mut out, recorded, &Flame::of(recorded, measure), measure)
        .expect("memory takes everything");
    String::from_utf8(out).expect("text")
}

/// Without style and script, which are the same in each.
fn drawn(recorded: &Recorded, measure: Measure) -> String {
    let picture = picture(recorded, measure);
    let (head, rest) = picture.split_once("<style>").expect("a style");
    let (_, rest) = rest.split_once("</style>\n").expect("its end");
    let (frames, rest) = rest.split_once("<script><![CDATA[").expect("a script");
    let (_, end) = rest.rsplit_once("]]></script>").expect("its end");
    format!("{head}{frames}{}", end.trim_start())
}

fn lines(recorded: &Recorded, measure: Measure) -> String {
    let mut out = Vec::new();
    collapsed::write(&mut out, &Flame::of(recorded, measure)).expect("memory takes everything");
    String::from_utf8(out).expect("text")
}

#[test]
fn each_function_is_as_wide_as_what_it_called_for() {
    assert_snapshot!("flame_live", drawn(&understood(&shop()), Measure::Live));
}

#[test]
fn blocks_that_are_freed_at_once_are_counted() {
    assert_snapshot!("flame_temporary", drawn(&understood(&shop()), Measure::Temporary));
}

#[test]
fn no_name_gets_out_of_its_place() {
    let recorded = understood(&hostile());
    assert_snapshot!("flame_hostile", drawn(&recorded, Measure::Live));
    let picture = picture(&recorded, Measure::Live);
    assert_eq!(picture.matches("<script>").count(), 1, "only our own");
    assert_eq!(picture.matches("]]>").count(), 1, "which nothing ends before its end");
    assert_eq!(lines(&recorded, Measure::Live).lines().count(), 1);
}

#[test]
fn a_picture_of_nothing_says_so() {
    assert!(drawn(&understood(&Recording::default()), Measure::Live).contains(">Nothing was recorded<"));
    let freed =
        Sketch::of("app", 2, Duration::from_secs(1)).stack(&["main"]).blocks(8, |slot| u64::from(slot < 1));
    assert_snapshot!("flame_empty", drawn(&understood(&freed.build()), Measure::Live));
    assert_eq!(lines(&understood(&Recording::default()), Measure::Live), "");
}

#[test]
fn a_part_is_not_taken_for_all() {
    let filter = Filter { to: Some(Duration::from_secs(5)), ..Filter::default() };
    let recorded = Recorded::of(&shop(), &Question { filter, ..Question::default() });
    let picture = drawn(&recorded, Measure::Live);
    assert!(picture.contains("shop (pid 812): stood at the end of the window<"), "{picture}");
    assert!(picture.contains("only of what was asked for"), "{picture}");
}

#[test]
fn paths_are_a_line_each_from_the_outside_in() {
    assert_snapshot!("collapsed", lines(&understood(&shop()), Measure::Live));
    assert_snapshot!("collapsed_hostile", lines(&understood(&hostile()), Measure::Live));
}

/// A picture says how much it does not show.
#[test]
fn what_is_too_narrow_is_summed() {
    let mut sketch =
        Sketch::of("app", 1, Duration::from_secs(1)).stack(&["large", "main"]).blocks(1 << 20, |_| 1);
    for number in 0..30 {
        sketch = sketch.stack(&["inner", &format!("tiny_{number}"), "main"]).blocks(10, |_| 1);
    }
    let picture = drawn(&understood(&sketch.build()), Measure::Live);
    assert!(
        picture.contains(">Too narrow to be drawn, with what they called: 30 calls of 300 B in all<"),
        "{picture}"
    );
    assert!(!picture.contains("tiny_"), "{picture}");
}
