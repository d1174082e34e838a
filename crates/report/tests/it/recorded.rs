//! Pages about recordings that were sketched: what each line of code held is known.

use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use residue_analysis::recorded::{Comparison, Filter, Question, Recorded, Section};
use residue_model::recording::{Ages, AllocationKind, End, Histogram, Mark, MarkSums, Recording, Sampling};
use residue_model::{Bytes, Gap};
use residue_report::json;
use residue_report::terminal::{self, RecordedView, Screen};
use residue_testkit::Sketch;
use serde_json::Value;

/// A server with all that a server does: it leaks, fills a cache, has a burst, churns, wastes.
fn shop() -> Recording {
    let lived = |micros: u64, count: u64| {
        let mut counts = vec![0; Histogram::entry(micros) + 1];
        counts[Histogram::entry(micros)] = count;
        Histogram(counts)
    };
    let mut sketch = Sketch::of("/usr/bin/shop", 100, Duration::from_millis(200))
        .stack(&[
            "malloc in /lib/libc.so.6",
            "operator new(unsigned long) in /lib/libstdc++.so.6",
            "std::vector<Item, std::allocator<Item> >::push_back(Item const&) at stl_vector.h:1200",
            "shop::Basket::add(shop::Item const&) at /src/shop/basket.cpp:42",
            "inlined shop::Session::handle() at /src/shop/session.cpp:17",
            "shop::Server::serve(int) at /src/shop/server.cpp:88",
            "main at /src/shop/main.cpp:12",
        ])
        .blocks(4096, |slot| u64::from(slot) * 3)
        .with(|sums| {
            sums.ages = Ages((1..20).map(|age| (Duration::from_secs(age), 15, Bytes(61_440))).collect());
            (sums.lost_blocks, sums.lost) = (Some(12), Some(Bytes(49_152)));
        });
    let basket = sketch.last();
    sketch = sketch
        .stack(&[
            "strdup in /lib/libc.so.6",
            "cache_put at cache.c:70",
            "fetch at cache.c:120",
            "main at /src/shop/main.cpp:20",
        ])
        .blocks(512, |slot| 2000 - 2000 * 8 / (8 + u64::from(slot)))
        .with(|sums| (sums.lost_blocks, sums.lost) = (Some(0), Some(Bytes::ZERO)))
        .stack(&["parse at json.c:5", "load at load.c:9", "main at /src/shop/main.cpp:22"])
        .blocks(65_536, |slot| if (40..55).contains(&slot) { 160 } else { 1 })
        .with(|sums| (sums.lost_blocks, sums.lost) = (Some(0), Some(Bytes::ZERO)))
        .stack(&["? in /opt/vendor/libpay.so", "? in /opt/vendor/libpay.so", "main at /src/shop/main.cpp:30"])
        .blocks(24, |slot| u64::from(slot > 97) * 50)
        .with(|sums| {
            sums.ages = Ages(vec![(Duration::from_millis(100), 50, Bytes(1200))]);
            (sums.lost_blocks, sums.lost) = (Some(0), Some(Bytes::ZERO));
        })
        .stack(&["format_price at price.c:31", "render at page.c:8", "main at /src/shop/main.cpp:31"])
        .blocks(40, |_| 0)
        .with(|sums| {
            (sums.allocations, sums.frees, sums.temporary) = (500_000, 500_000, 499_000);
            (sums.allocated, sums.usable) = (Bytes(20_000_000), Bytes(28_000_000));
            sums.lifetimes = lived(3, 500_000);
            (sums.lost_blocks, sums.lost) = (Some(0), Some(Bytes::ZERO));
        })
        .stack(&["frame_buffer at video.c:3", "main at /src/shop/main.cpp:40"])
        .blocks(5000, |_| 20)
        .with(|sums| {
            sums.usable = Bytes(20 * 8192);
            (sums.aligned, sums.largest_alignment) = (20, 4096);
            (sums.lost_blocks, sums.lost) = (Some(0), Some(Bytes::ZERO));
        })
        .stack(&["map_index at index.c:77", "main at /src/shop/main.cpp:41"])
        .blocks(1 << 20, |_| 4)
        .with(|sums| sums.kind = AllocationKind::Mapping);
    sketch
        .whole(|recording| {
            recording.program.command = ["/usr/bin/shop", "--port", "80"].map(str::to_owned).to_vec();
            recording.program.started = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_293_119));
            recording.program.end = Some(End::Exited(0));
            recording.program.system = vec!["glibc 2.36".into(), "Linux 6.18 x86_64".into()];
            recording.totals.threads = 4;
            (recording.totals.mapped, recording.totals.mapped_peak) = (Bytes::mib(4), Bytes::mib(4));
            let kind = AllocationKind::Heap;
            let left = MarkSums {
                stack: basket,
                kind,
                allocations: 30,
                allocated: Bytes(122_880),
                net_blocks: 30,
                net: 122_880,
            };
            let time = Duration::from_millis(1500);
            recording.marks =
                vec![Mark { name: "checkout".into(), begun: 10, ended: 10, time, stacks: vec![left] }];
            recording.gaps =
                vec![Gap::new("11 call stacks beyond code made at run time", "it has no unwind rules")];
        })
        .build()
}

fn page(recording: &Recording, question: &Question, view: &RecordedView, width: Option<usize>) -> String {
    let recorded = Recorded::of(recording, question);
    let mut out = Vec::new();
    let screen = Screen { width, color: false };
    terminal::recorded(&mut out, screen, &recorded, view).expect("memory takes everything");
    String::from_utf8(out).expect("text")
}

fn view() -> RecordedView {
    RecordedView { file: "shop.residue".into(), limit: 5, ..RecordedView::default() }
}

#[test]
fn a_page_of_all_that_a_server_does() {
    let question = Question::default();
    assert_snapshot!("recorded", page(&shop(), &question, &view(), Some(100)));
    assert_snapshot!("recorded_60", page(&shop(), &question, &view(), Some(60)));
}

#[test]
fn no_line_of_it_is_wider_than_the_screen() {
    for width in [40, 60, 80, 100, 160] {
        for full in [false, true] {
            let view = RecordedView { full, ..view() };
            let page = page(&shop(), &Question::default(), &view, Some(width));
            let wide = page.lines().find(|line| line.chars().count() > width);
            assert_eq!(wide, None, "at {width}");
        }
    }
}

#[test]
fn one_list_shows_whole_paths_when_asked() {
    let view = RecordedView { only: Some(Section::Live), full: true, limit: 2, ..view() };
    assert_snapshot!("recorded_live_full", page(&shop(), &Question::default(), &view, Some(100)));
}

#[test]
fn a_part_of_the_time_says_what_it_cannot_tell() {
    let filter =
        Filter { from: Some(Duration::from_secs(8)), to: Some(Duration::from_secs(12)), ..Filter::default() };
    let question = Question { filter, ..Question::default() };
    assert_snapshot!("recorded_window", page(&shop(), &question, &view(), Some(100)));
}

/// A sample proves no absence: no page of one says that nothing leaks.
#[test]
fn a_sampled_recording_says_how_sure_it_is() {
    let mut recording = Sketch::of("/usr/bin/shop", 20, Duration::from_secs(1))
        .stack(&["parse at json.c:5", "main at main.c:9"])
        .blocks(524_288, |_| 4)
        .build();
    recording.sampling = Some(Sampling { interval: Bytes::kib(512) });
    recording.stacks[0].variance = [4.0, 4.0 * 524_288.0 * 524_288.0, 4.0 * 524_288.0 * 524_288.0];
    let page = page(&recording, &Question::default(), &view(), Some(100));
    assert_snapshot!("recorded_sampled", page);
}

#[test]
fn a_recording_of_nothing_is_no_good_news() {
    let page = page(&Recording::default(), &Question::default(), &view(), Some(80));
    assert!(page.contains("NOTHING WAS RECORDED"), "{page}");
}

#[test]
fn two_recordings_are_compared_site_by_site() {
    let mut earlier = shop();
    earlier.stacks.remove(2);
    earlier.stacks[0].live = Bytes(4096);
    earlier.stacks[0].live_blocks = 1;
    earlier.program.recorded = Duration::from_secs(5);
    let sides = [&earlier, &shop()].map(|recording| Recorded::of(recording, &Question::default()));
    let comparison = Comparison::of(&sides[0], &sides[1]);
    let mut out = Vec::new();
    let screen = Screen { width: Some(100), color: false };
    terminal::compared(&mut out, screen, [&sides[0], &sides[1]], &comparison, &view()).expect("memory");
    assert_snapshot!("compared", String::from_utf8(out).expect("text"));
}

fn document(recording: &Recording, question: &Question) -> Value {
    let mut out = Vec::new();
    json::recorded(&mut out, &Recorded::of(recording, question), None, None, true).expect("memory");
    serde_json::from_slice(&out).expect("a document")
}

#[test]
fn a_document_has_what_each_site_did() {
    let report = document(&shop(), &Question::default());
    let sites = report["sites"].as_array().expect("rows");
    let of = |function: &str| {
        let is = |site: &&Value| {
            site["frames"][0]["function"].as_str().is_some_and(|name| name.contains(function))
        };
        sites.iter().find(is).unwrap_or_else(|| panic!("no {function} in {report:#}"))
    };

    let basket = of("Basket::add");
    assert_eq!(
        (&basket["frames"][0]["file"], &basket["frames"][0]["line"]),
        (&Value::from("/src/shop/basket.cpp"), &Value::from(42))
    );
    assert_eq!(basket["frames"].as_array().map(Vec::len), Some(4), "the inlined frame is one of them");
    assert_eq!(
        (basket["live_blocks"].as_u64(), basket["live_bytes"].as_u64()),
        (Some(297), Some(297 * 4096))
    );
    assert_eq!(
        (basket["lost_blocks"].as_u64(), &basket["growth"]["shape"]),
        (Some(12), &Value::from("leak"))
    );
    assert_eq!(of("cache_put")["growth"]["shape"], "cache_fill");
    assert_eq!(of("parse")["growth"]["shape"], "burst");
    assert_eq!(of("format_price")["temporary"], 499_000);
    assert_eq!(of("map_index")["kind"], "mmap");
    assert_eq!(report["totals"]["dropped"], 0);
    assert_eq!(report["marks"][0]["sites"][0]["net_bytes"], 122_880);
    let unnamed = sites.iter().find(|site| site["frames"][0]["function"].is_null()).expect("stripped code");
    assert_eq!(unnamed["frames"][0]["module"], "/opt/vendor/libpay.so");
}

/// What is not known of a part of the time is null there, and not 0.
#[test]
fn a_document_of_a_window_does_not_make_up_what_it_cannot_know() {
    let filter = Filter { from: Some(Duration::from_secs(8)), ..Filter::default() };
    let report = document(&shop(), &Question { filter, ..Question::default() });
    let site = &report["sites"][0];
    for key in ["temporary", "lifetimes", "ages", "sizes", "usable_bytes", "lost_bytes"] {
        assert!(site.get(key).is_some_and(Value::is_null), "{key}: {site:#}");
    }
    assert!(report["totals"]["temporary"].is_null());
}

fn keys(value: &Value, into: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            into.insert(key.clone());
            keys(value, into);
        }),
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

#[test]
fn every_field_of_both_documents_is_documented() {
    let schema = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report-schema.md"))
        .expect("it stands in the repository");
    let recorded = Recorded::of(&shop(), &Question { least: Bytes(1), ..Question::default() });
    let comparison = Comparison::of(&recorded, &recorded);
    let mut diff = Vec::new();
    json::compared(&mut diff, [&recorded, &recorded], &comparison, None).expect("memory");
    let mut sampled = shop();
    sampled.sampling = Some(Sampling { interval: Bytes::kib(512) });
    let mut found = std::collections::BTreeSet::new();
    keys(&serde_json::from_slice(&diff).expect("a document"), &mut found);
    keys(&document(&sampled, &Question { least: Bytes(1), ..Question::default() }), &mut found);

    let missing: Vec<&String> = found.iter().filter(|key| !schema.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/report-schema.md does not tell of {missing:?}");
    assert!(schema.contains("`residue.report/1`") && schema.contains("`residue.report-diff/1`"));
    assert!(found.len() > 90, "{}", found.len());
}
