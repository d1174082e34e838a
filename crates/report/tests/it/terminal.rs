use insta::assert_snapshot;
use residue_analysis::accounting::{Machine, View};
use residue_analysis::{Diff, DiffRegion, RegionView};
use residue_model::{Bytes, Os, SystemMemory};
use residue_report::Result;
use residue_report::terminal::{self, MapView, PsStyle, Screen, Sizes};

use crate::sample;

fn text(write: impl Fn(&mut Vec<u8>, Screen) -> Result<()>, width: Option<usize>) -> String {
    let mut out = Vec::new();
    write(&mut out, Screen { width, color: false }).expect("memory takes everything");
    String::from_utf8(out).expect("text")
}

const VIEW: PsStyle = PsStyle { sizes: Sizes::Units, header: true, totals: true };

fn processes(out: &mut Vec<u8>, screen: Screen) -> Result<()> {
    let table = sample::table();
    terminal::processes(out, screen, &table, View::Process.default_columns(Os::Linux), VIEW)?;
    terminal::gaps(out, screen, &table.gaps)
}

fn map(out: &mut Vec<u8>, screen: Screen) -> Result<()> {
    terminal::map(
        out,
        screen,
        &sample::map(),
        &MapView {
            regions: RegionView { top: Some(5), ..RegionView::default() },
            free: 3,
            ..MapView::default()
        },
    )
}

fn triage(out: &mut Vec<u8>, screen: Screen) -> Result<()> {
    terminal::triage(out, screen, &sample::diagnosis())
}

fn watch(out: &mut Vec<u8>, screen: Screen) -> Result<()> {
    let watched = sample::watched();
    let mut lines = terminal::WatchLines::new(screen, None);
    lines.header(out, &watched.series.samples[0])?;
    watched.series.samples.iter().take(4).try_for_each(|sample| lines.sample(out, sample))?;
    terminal::watched(out, screen, &watched, true)
}

#[test]
fn processes_on_wide_and_narrow_screens() {
    assert_snapshot!("processes_in_a_file", text(processes, None));
    assert_snapshot!("processes_80", text(processes, Some(80)));
    assert_snapshot!("processes_40", text(processes, Some(40)));
}

#[test]
fn sizes_can_be_exact_or_shares() {
    let style = |sizes| PsStyle { sizes, header: false, totals: false };
    let write = |sizes| {
        let columns = View::Process.columns("pid,pss,rss").expect("known");
        text(|out, screen| terminal::processes(out, screen, &sample::table(), &columns, style(sizes)), None)
    };
    assert_snapshot!("processes_in_bytes", write(Sizes::Bytes));
    assert_snapshot!("processes_in_percent", write(Sizes::Percent));
}

#[test]
fn the_address_space_on_wide_and_narrow_screens() {
    assert_snapshot!("map_in_a_file", text(map, None));
    assert_snapshot!("map_80", text(map, Some(80)));
    assert_snapshot!("map_40", text(map, Some(40)));
}

#[test]
fn the_diagnosis_on_wide_and_narrow_screens() {
    assert_snapshot!("triage_in_a_file", text(triage, None));
    assert_snapshot!("triage_40", text(triage, Some(40)));
}

#[test]
fn watching_on_wide_and_narrow_screens() {
    assert_snapshot!("watch_in_a_file", text(watch, None));
    assert_snapshot!("watch_40", text(watch, Some(40)));
}

#[test]
fn differences_of_two_maps() {
    let later: Vec<DiffRegion> = sample::map().snapshot.regions.iter().map(DiffRegion::from).collect();
    let mut earlier = later.clone();
    earlier.remove(7);
    earlier[2].size = Bytes::mib(50);
    earlier[2].rss = Some(Bytes::mib(49));
    let diff = |earlier: Vec<DiffRegion>| {
        text(|out, screen| terminal::diff(out, screen, &Diff::of(&earlier, &later), Some(5)), None)
    };
    assert_snapshot!("diff", diff(earlier));
    assert_snapshot!("diff_of_nothing", diff(later.clone()));
}

#[test]
fn the_machine_and_a_chart() {
    let memory = SystemMemory {
        total: Some(Bytes::gib(8)),
        free: Some(Bytes::gib(2)),
        buffers: Some(Bytes::mib(100)),
        cached: Some(Bytes::gib(3)),
        anonymous: Some(Bytes::gib(2)),
        mapped: Some(Bytes::gib(1)),
        slab_reclaimable: Some(Bytes::mib(200)),
        ..SystemMemory::default()
    };
    let machine = Machine::of(memory, &[sample::process()], Vec::new());
    assert_snapshot!(
        "machine",
        text(|out, screen| terminal::machine(out, screen, &machine, Sizes::Units, true), None)
    );
    let bars = [("shop (4242)".to_owned(), Bytes::mib(100)), ("init (1)".to_owned(), Bytes::mib(7))];
    assert_snapshot!("bars", text(|out, screen| terminal::bar_chart(out, screen, "PSS", &bars), Some(60)));
}

#[test]
fn colour_is_only_added_and_never_changes_a_word() {
    let mut out = Vec::new();
    triage(&mut out, Screen { width: None, color: true }).expect("memory takes everything");
    let colored = String::from_utf8(out).expect("text");
    assert!(colored.contains("\u{1b}[1m"));
    let mut plain = String::new();
    for (index, part) in colored.split('\u{1b}').enumerate() {
        plain.push_str(if index == 0 { part } else { part.split_once('m').expect("a style ends in m").1 });
    }
    assert_eq!(plain, text(triage, None));
}
