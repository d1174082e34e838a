//! A 32-bit service on Windows that runs out of address space at 80 MiB, rendered in every way.

use insta::assert_snapshot;
use residue_analysis::accounting::{Column, Order, Table, View};
use residue_analysis::growth::judge;
use residue_analysis::{Diagnosis, Inside, Map, RegionOrder, RegionView, Watched};
use residue_model::{
    Address, AddressSpace, Bytes, Counter, Footprint, FreeSize, Gap, Limits, Machine, Os, Pages, Process,
    ProcessId, Range, Region, Sample, Series, Snapshot, Source, Usage, WindowsFootprint,
};
use residue_report::terminal::{self, MapView, PsStyle, Screen, Sizes};
use residue_report::{Result, html, json};

fn region(start: u64, size: u64, state: u32, kind: u32, protect: u32, name: &str) -> Region {
    let pages = Pages { state, kind: Some(kind), protect: Some(protect) };
    let mut region = Region {
        range: Range { start: Address(start), end: Address(start + size) },
        allocation_base: Address(start),
        protection: pages.protection(),
        name: (!name.is_empty()).then(|| name.into()),
        pages: Some(pages),
        ..Region::default()
    };
    region.counters.set(Counter::Rss, Bytes(if state == Pages::COMMIT { size / 2 } else { 0 }));
    let is_own = state == Pages::COMMIT && kind == Pages::PRIVATE;
    region.counters.set(Counter::Uss, Bytes(if is_own { size / 2 } else { 0 }));
    region
}

fn footprint(commit: u64) -> Footprint {
    let windows = WindowsFootprint {
        working_set: Some(Bytes::mib(52)),
        peak_working_set: Some(Bytes::mib(70)),
        private_working_set: Some(Bytes::mib(41)),
        commit: Some(Bytes(commit)),
        peak_commit: Some(Bytes::mib(84)),
        paged_pool: Some(Bytes::kib(212)),
        // One counter that the system did not give.
        nonpaged_pool: None,
    };
    Footprint::of_windows(windows, Some(Bytes::mib(1990)))
}

fn process() -> Process {
    Process {
        pid: ProcessId(4812),
        start_ticks: Some(133_000_000_000_000_000),
        name: "shop.exe".into(),
        command: Some(r#""C:\Program Files\shop\shop.exe" --serve"#.into()),
        user: Some(r"SHOP\service".into()),
        footprint: footprint(80 << 20),
        minflt: Some(123_456),
        threads: Some(7),
        handles: Some(412),
        ..Process::default()
    }
}

/// Blocks of 64 KiB every 16 MiB: nothing larger than that can be had.
fn snapshot() -> Snapshot {
    let mut regions = vec![
        region(0x40_0000, 0x10_0000, Pages::COMMIT, Pages::IMAGE, 0x20, r"C:\Program Files\shop\shop.exe"),
        region(0x60_0000, 0x4_0000, Pages::COMMIT, Pages::MAPPED, 0x02, r"C:\Windows\System32\locale.nls"),
        region(0x70_0000, 0x8_0000, Pages::RESERVE, Pages::PRIVATE, 0, ""),
    ];
    for block in 1..127 {
        regions.push(region(block << 24, 0x1_0000, Pages::COMMIT, Pages::PRIVATE, 0x04, ""));
    }
    regions.push(region(0x7ffd_e000, 0x1000, Pages::COMMIT, Pages::PRIVATE, 0x104, ""));
    Snapshot {
        process: process(),
        space: AddressSpace::windows(32, &regions),
        regions,
        machine: Machine {
            os: Os::Windows,
            os_version: Some("10.0.19045".into()),
            cpu: Some("x86".into()),
            big_endian: false,
        },
        source: Source::VirtualQuery,
        gaps: vec![Gap::new("non-paged pool", "Windows did not give them for this process")],
        ..Snapshot::default()
    }
}

fn series() -> Series {
    let sample = |second: u32| Sample {
        seconds: f64::from(second),
        footprint: footprint((80 << 20) + u64::from(second) * 400_000),
        minflt: Some(123_456 + u64::from(second)),
        threads: Some(7),
        handles: Some(412 + u64::from(second)),
        maps: Some(130),
        free: Some(FreeSize { total: Bytes::mib(1900), largest: Bytes::mib(600 - u64::from(second) * 5) }),
        by_usage: Some(vec![
            (Usage::NtHeap, Bytes(40 << 20)),
            (Usage::Unclaimed, Bytes((30 << 20) + u64::from(second) * 400_000)),
        ]),
        ..Sample::default()
    };
    Series {
        process: process(),
        age_seconds: Some(90_000.0),
        samples: (0..90).map(sample).collect(),
        ended: false,
    }
}

fn diagnosis() -> Diagnosis {
    Diagnosis::of(Map::of(snapshot()), series(), Inside::default(), Vec::new())
}

fn text(width: Option<usize>, write: impl Fn(&mut Vec<u8>, Screen) -> Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out, Screen { width, color: false }).expect("memory takes everything");
    String::from_utf8(out).expect("text")
}

fn map(out: &mut Vec<u8>, screen: Screen) -> Result<()> {
    let regions = RegionView { top: Some(6), order: RegionOrder::Address, ..RegionView::default() };
    terminal::map(out, screen, &Map::of(snapshot()), &MapView { regions, free: 3, ..MapView::default() })
}

fn table() -> Table {
    let order = Order { column: Column::Commit, reverse: false, top: None };
    let small = Process {
        pid: ProcessId(44),
        name: "svchost.exe".into(),
        footprint: footprint(2 << 20),
        ..Process::default()
    };
    Table::of_processes(vec![small, process()], order)
}

#[test]
fn the_address_space_of_a_running_process_speaks_windows() {
    assert_snapshot!("windows_map_in_a_file", text(None, map));
    assert_snapshot!("windows_map_80", text(Some(80), map));
}

/// Without resident sizes no column of dashes stands where they would.
#[test]
fn what_the_system_does_not_tell_has_no_column() {
    let mut bare = snapshot();
    for region in &mut bare.regions {
        region.counters.clear();
    }
    let shown = text(Some(100), |out, screen| {
        let regions = RegionView { top: Some(2), order: RegionOrder::Address, ..RegionView::default() };
        terminal::map(
            out,
            screen,
            &Map::of(bare.clone()),
            &MapView { regions, free: 1, ..MapView::default() },
        )
    });
    assert!(!shown.contains("IN RAM"), "{shown}");
}

#[test]
fn the_diagnosis_names_fragmentation_and_growth() {
    let write = |out: &mut Vec<u8>, screen| terminal::triage(out, screen, &diagnosis());
    assert_snapshot!("windows_triage_in_a_file", text(None, write));
    assert_snapshot!("windows_triage_80", text(Some(80), write));
    let mut document = Vec::new();
    json::triage(&mut document, &diagnosis()).expect("memory takes everything");
    let document: serde_json::Value = serde_json::from_slice(&document).expect("JSON");
    assert_eq!(document["verdict"]["signal"], "commit");
    assert_eq!(document["findings"][0]["id"], "address_space_fragmented");
}

#[test]
fn processes_have_the_columns_of_windows() {
    let style = PsStyle { sizes: Sizes::Units, header: true, totals: true };
    let columns = View::Process.default_columns(Os::Windows);
    let write = |out: &mut Vec<u8>, screen| terminal::processes(out, screen, &table(), columns, style);
    assert_snapshot!("windows_processes_in_a_file", text(None, write));
    assert_snapshot!("windows_processes_80", text(Some(80), write));
}

#[test]
fn watching_shows_commit_and_the_largest_free_range() {
    let series = series();
    let watched = Watched { verdict: judge(&series, &Limits::default()), series };
    let write = |out: &mut Vec<u8>, screen| {
        let mut lines = terminal::WatchLines::new(screen, None);
        lines.header(out, &watched.series.samples[0])?;
        watched.series.samples.iter().take(3).try_for_each(|sample| lines.sample(out, sample))?;
        terminal::watched(out, screen, &watched, false)
    };
    assert_snapshot!("windows_watch", text(Some(110), write));
}

#[test]
fn the_pages_speak_windows() {
    let map = html::map(&Map::of(snapshot())).expect("a page");
    let triage = html::triage(&diagnosis()).expect("a page");
    assert!(
        map.contains("commit 80.0 MiB")
            && map.contains("In RAM")
            && map.contains(r#""held":"in RAM""#)
            && !map.contains("MADV_FREE")
    );
    assert!(
        triage.contains("Private working set") && triage.contains("Paged pool") && !triage.contains(">PSS<")
    );
}
