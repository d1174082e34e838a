//! A dump of a 32-bit Windows program that fills its memory with web pages, rendered in every way.

use std::ops::ControlFlow;

use insta::assert_snapshot;
use residue_analysis::search::{Encodings, Hits, Pattern};
use residue_analysis::{Depth, Diagnosis, Inside, Map, RegionFilter, RegionView};
use residue_model::{
    Address, AddressSpace, Bytes, Dump, DumpFormat, Event, Gap, Machine, Module, Os, Pages, Pieces, Process,
    ProcessId, Protection, Range, Region, Snapshot, Source, Thread,
};
use residue_report::terminal::{self, MapView, Screen};
use residue_report::{Result, html, json};

const TEB: u64 = 0x7ffd_e000;
const PEB: u64 = 0x7ffd_f000;
const HEAP: u64 = 0x20_0000;
const STACK: u64 = 0x3_0000;
const PAGES: u64 = 0x100_0000;
const PAGE: u64 = 0x4000;
const COUNT: u64 = 220;

fn range(start: u64, size: u64) -> Range {
    Range { start: Address(start), end: Address(start + size) }
}

fn region(start: u64, size: u64, base: u64, state: u32, kind: u32, protect: u32) -> Region {
    let protection =
        Protection { read: protect & 0xee != 0, write: protect & 0xcc != 0, ..Protection::default() };
    Region {
        range: range(start, size),
        allocation_base: Address(base),
        protection,
        pages: Some(Pages { state, kind: Some(kind), protect: Some(protect) }),
        saved: Some(Bytes(if state == Pages::COMMIT && protect != 0x104 { size } else { 0 })),
        ..Region::default()
    }
}

/// What the dump holds: the blocks that tell where stack and heap are, and the pages.
fn memory() -> Vec<(Address, Vec<u8>)> {
    let block = |size: usize, numbers: &[(usize, u64)]| {
        let mut block = vec![0; size];
        for &(at, number) in numbers {
            block[at..at + 4].copy_from_slice(&number.to_le_bytes()[..4]);
        }
        block
    };
    let page = |index: u64| {
        let mut page = format!(
            "<!DOCTYPE html><html><head><title>Harbour {index}</title></head><body>\
             <div class=\"tide-table\" data-harbour=\"{index}\"><p>High water at {}:15.</p></div>",
            index % 24
        );
        while page.len() < 6000 {
            let row = format!("<p>Berth {} of harbour {index} is free.</p>\n", page.len());
            page.push_str(&row);
        }
        let mut page = page.into_bytes();
        page.resize(usize::try_from(PAGE).expect("small"), 0);
        page
    };
    let mut memory = vec![
        (Address(HEAP), block(0x2000, &[(0x08, 0xffee_ffee), (0x18, HEAP)])),
        (Address(TEB), block(0x1000, &[(0x04, STACK + 0x1_0000), (0x18, TEB), (0x30, PEB), (0xe0c, STACK)])),
        (Address(PEB), block(0x1000, &[(0x18, HEAP)])),
    ];
    memory.extend((0..COUNT).map(|index| (Address(PAGES + index * PAGE), page(index))));
    memory
}

fn snapshot() -> Snapshot {
    let (commit, reserve) = (Pages::COMMIT, Pages::RESERVE);
    let (private, image) = (Pages::PRIVATE, Pages::IMAGE);
    let mut regions = vec![
        region(STACK, 0xc000, STACK, reserve, private, 0),
        region(STACK + 0xc000, 0x1000, STACK, commit, private, 0x104),
        region(STACK + 0xd000, 0x3000, STACK, commit, private, 4),
        region(HEAP, 0x2000, HEAP, commit, private, 4),
        region(HEAP + 0x2000, 0xe000, HEAP, reserve, private, 0),
        region(0x40_0000, 0x1000, 0x40_0000, commit, image, 2),
        region(0x40_1000, 0x8000, 0x40_0000, commit, image, 0x20),
        region(TEB, 0x1000, TEB, commit, private, 4),
        region(PEB, 0x1000, PEB, commit, private, 4),
    ];
    let module = Module {
        range: range(0x40_0000, 0x9000),
        name: r"C:\shop\harbour.exe".into(),
        version: Some("1.2.3.4".into()),
        unloaded: false,
    };
    for region in &mut regions[5..7] {
        region.name = Some(module.name.clone());
        region.saved = Some(Bytes::ZERO);
    }
    regions.extend((0..COUNT).map(|index| {
        let start = PAGES + index * PAGE;
        region(start, PAGE, start, commit, private, 4)
    }));
    regions.sort_by_key(|region| region.range.start);
    let thread = Thread { tid: 71, is_main: true, control_block: Some(Address(TEB)), ..Thread::default() };
    Snapshot {
        process: Process { pid: ProcessId(70), name: "harbour.exe".into(), ..Process::default() },
        threads: vec![thread],
        modules: vec![module],
        machine: Machine {
            os: Os::Windows,
            os_version: Some("10.0.19045".into()),
            cpu: Some("x86".into()),
            big_endian: false,
        },
        space: AddressSpace { bits: 32, range: range(0x1_0000, 0x7ffe_0000) },
        source: Source::Minidump,
        dump: Some(Dump {
            file: "harbour's full.dmp".into(),
            format: DumpFormat::Minidump,
            size: Bytes::mib(6),
            saved: regions.iter().filter_map(|region| region.saved).sum(),
            event: Some(Event {
                name: "EXCEPTION_ACCESS_VIOLATION_READ".into(),
                thread: Some(71),
                address: Some(Address(0x10)),
            }),
        }),
        regions,
        gaps: vec![Gap::new("12288 bytes", "they are not in the dump")],
        ..Snapshot::default()
    }
}

fn seen<T>(look: impl FnOnce(&Pieces<'_>) -> T) -> T {
    let mut memory = memory();
    memory.sort_by_key(|(at, _)| *at);
    look(&Pieces(memory.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect()))
}

fn map() -> Map {
    seen(|memory| Map::with(snapshot(), memory))
}

fn looked_into(view: &RegionView) -> Map {
    let mut map = map();
    seen(|memory| map.look_into(view, memory));
    map
}

fn diagnosis() -> Diagnosis {
    seen(|memory| {
        let map = Map::with(snapshot(), memory);
        let inside = Inside::of(&map, memory, Depth::Counted, 1, &mut |_| ControlFlow::Continue(()));
        Diagnosis::of_dump(map, inside, Vec::new())
    })
}

fn text(width: Option<usize>, write: impl Fn(&mut Vec<u8>, Screen) -> Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out, Screen { width, color: false }).expect("memory takes everything");
    String::from_utf8(out).expect("text")
}

fn document(write: impl Fn(&mut Vec<u8>) -> Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory takes everything");
    let mut value: serde_json::Value = serde_json::from_slice(&out).expect("a document");
    value["residue"] = "[version]".into();
    serde_json::to_string_pretty(&value).expect("it came from text")
}

fn hits(map: &Map) -> (Vec<&Region>, Hits) {
    let pattern = Pattern::text("Harbour 3", Encodings { ascii: true, utf16: false }, false).expect("a text");
    let regions: Vec<&Region> = map.snapshot.regions.iter().collect();
    let hits =
        seen(|memory| Hits::search(memory, &regions, &pattern, 3, 1, &mut |_| ControlFlow::Continue(())));
    (regions, hits)
}

#[test]
fn the_address_space_speaks_windows() {
    let regions = RegionView { top: Some(12), ..RegionView::default() };
    let map = looked_into(&regions);
    let view = MapView { regions, free: 2, ..MapView::default() };
    let write = |out: &mut Vec<u8>, screen| terminal::map(out, screen, &map, &view);
    assert_snapshot!("dump_map_in_a_file", text(None, write));
    assert_snapshot!("dump_map_80", text(Some(80), write));
}

#[test]
fn blocks_are_counted_by_allocation() {
    let map = map();
    let filter = RegionFilter::parse("usage=stack|heap").expect("known usages");
    let regions = RegionView { filter, ..RegionView::default() };
    let view = MapView { regions, free: 1, allocations: true };
    let whole = text(None, |out, screen| terminal::map(out, screen, &map, &view));
    let table = whole.split("ALLOCATION").nth(1).expect("a table of allocations");
    assert_snapshot!("dump_allocations", table);
}

#[test]
fn a_dump_is_judged_by_what_is_in_it() {
    let diagnosis = diagnosis();
    let write = |out: &mut Vec<u8>, screen| terminal::triage(out, screen, &diagnosis);
    assert_snapshot!("dump_triage_in_a_file", text(None, write));
    assert_snapshot!("dump_triage_80", text(Some(80), write));
    assert_snapshot!("dump_json_triage", document(|out| json::triage(out, &diagnosis)));
}

#[test]
fn matches_are_shown_with_what_stands_around_them() {
    let map = map();
    let (regions, hits) = hits(&map);
    let write =
        |out: &mut Vec<u8>, screen| terminal::search(out, screen, &map.snapshot, &regions, &hits, false);
    assert_snapshot!("dump_search_in_a_file", text(None, write));
    assert_snapshot!("dump_search_80", text(Some(80), write));
    let write = |out: &mut Vec<u8>| json::search(out, &map.snapshot, &regions, &hits, "Harbour 3", false);
    assert_snapshot!("dump_json_search", document(write));
}

#[test]
fn a_hole_is_no_zero_in_a_hex_dump() {
    let pieces = vec![(Address(0x1003), b"some text".to_vec()), (Address(0x2000), vec![0, 0xff])];
    let write = |out: &mut Vec<u8>, screen| terminal::hex(out, screen, range(0x1003, 0x1010), &pieces);
    assert_snapshot!("dump_hex", text(None, write));
    let write = |out: &mut Vec<u8>| json::read(out, &Snapshot::default(), range(0x1003, 0x1010), &pieces);
    assert_snapshot!("dump_json_read", document(write));
}

#[test]
fn one_region_of_a_dump_as_a_document() {
    let map = map();
    let filter = RegionFilter::parse("Unk,MEM_COMMIT,size=0x4000,name=^$").expect("as in WinDbg");
    let chosen = map.snapshot.regions.iter().filter(|region| filter.accepts(region)).count();
    assert_eq!(chosen as u64, COUNT);
    let filter = RegionFilter::parse("TEB").expect("as in WinDbg");
    let view = RegionView { filter, ..RegionView::default() };
    let map = looked_into(&view);
    assert_snapshot!("dump_json_map", document(|out| json::map(out, &map, &view, 1)));
}

#[test]
fn the_page_of_a_dump_says_what_is_in_it() {
    let page = html::triage(&diagnosis()).expect("a page");
    for told in ["What is in it", "220 regions of 16.0 KiB", "HTML", "tide-table"] {
        assert!(page.contains(told), "{told}");
    }
    assert!(!page.contains("id=\"plot-series\""), "a dump has no series to plot");
}
