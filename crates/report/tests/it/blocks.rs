//! What the heaps of a process hold, who is lost and who points where: made by hand, a value for each thing that is shown.

use std::time::Duration;

use insta::assert_snapshot;
use residue_analysis::content::Content;
use residue_analysis::examined::{
    BlocksReport, Circumstances, HeapReport, LeakReport, ListedBlock, RefReport, ToldReference,
};
use residue_analysis::holding::{HeapSums, Pin, Pins, SizeRow, TypeRow, TypeSums};
use residue_analysis::leaks::{Asked, ChangeKind, EarlierRecord, EarlierRun, Record, compare};
use residue_analysis::reachability::{Amount, Heuristics, Holder, LeakKind, Reference, Root, RootKind};
use residue_analysis::types::BlockType;
use residue_model::{
    Address, Arena, ArenaKind, Block, BlockId, Bytes, Damage, Gap, Heap, Identity, Mallinfo, Parameter,
    Range, Recognised, Snapshot, Stop,
};
use residue_report::terminal::{self, LeakView, Screen};
use residue_report::{Result, json};

use crate::sample;

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

fn range(start: u64, size: u64) -> Range {
    Range { start: Address(start), end: Address(start + size) }
}

fn amount(blocks: u64, bytes: Bytes) -> Amount {
    Amount { blocks, bytes }
}

fn class(name: &str) -> BlockType {
    BlockType::Class(name.into())
}

const HEAP: u64 = 0x5555_1000_0000;

fn arena(address: u64, kind: ArenaKind, mib: u64) -> Arena {
    Arena {
        address: Address(address),
        kind,
        system_bytes: Bytes::mib(mib),
        live_bytes: Bytes::mib(mib * 6 / 10),
        live_blocks: mib * 10_000,
        free_bytes: Bytes::mib(mib * 3 / 10),
        free_blocks: mib * 100,
        cached_bytes: Bytes::kib(7 * mib),
        cached_blocks: 7,
        fast_bytes: Bytes::kib(1),
        top_bytes: Bytes::kib(128),
        own_bytes: Bytes::kib(3),
        largest_free: Bytes::mib(1),
        trim_gain: Bytes::kib(256),
        extents: vec![range(address, mib << 20)],
    }
}

fn glibc() -> Heap {
    let arenas = vec![
        arena(0x7f30_0000_0c80, ArenaKind::Main, 60),
        arena(0x7f40_0000_0030, ArenaKind::Thread, 4),
        arena(0x7f30_0100_0000, ArenaKind::Mapped, 20),
    ];
    Heap {
        allocator: "glibc".into(),
        layout: "2.35 ... 2.41".into(),
        arenas,
        mallinfo: Some(Mallinfo {
            arena: 67_108_864,
            ordblks: 6401,
            smblks: 12,
            hblks: 3,
            hblkhd: 20_971_520,
            usmblks: 0,
            fsmblks: 1024,
            uordblks: 40_000_000,
            fordblks: 27_108_864,
            keepcost: 131_072,
        }),
        parameters: vec![
            Parameter { name: "mmap_threshold", value: 303_104, default: Some(131_072) },
            Parameter { name: "arena_max", value: 8, default: None },
            Parameter { name: "max_mmap_regions", value: 5, default: None },
            Parameter { name: "max_mmap_bytes", value: 25_000_000, default: None },
        ],
        identities: vec![Identity {
            what: "bytes of mapped blocks".into(),
            walked: 20_971_520,
            stated: 20_971_520,
        }],
        ..Heap::default()
    }
}

fn seen(heaps: Vec<Heap>) -> Circumstances {
    Circumstances {
        snapshot: Snapshot { process: sample::process(), ..Snapshot::default() },
        stop: Some(Stop {
            estimated: Duration::from_millis(15),
            measured: Duration::from_millis(12),
            forking: None,
            is_held: false,
            ran_on: false,
            copied: Bytes::mib(84),
        }),
        heaps,
        ..Circumstances::default()
    }
}

/// A process whose heap was free for the most part, but for a few blocks in many pages.
fn fragmented() -> HeapReport {
    let seen = Circumstances {
        recognised: vec![Recognised {
            name: "CPython".into(),
            version: Some("3.11".into()),
            evidence: "libpython3.11.so.1.0".into(),
            walked: false,
            holds: vec![range(0x7f50_0000_0000, 1 << 20)],
        }],
        gaps: vec![Gap::new(
            "blocks of CPython 3.11",
            "Residue cannot walk its heap yet: leaks in it are not checked",
        )],
        ..seen(vec![glibc()])
    };
    let pin = |what, size, blocks, pages, first| Pin {
        what,
        size: Bytes(size),
        blocks,
        pages,
        first: Address(first),
    };
    let row = |size, blocks| SizeRow { size: Bytes(size), amount: amount(blocks, Bytes(size * blocks)) };
    let type_row = |what, blocks, bytes, preview: Option<&str>| TypeRow {
        what,
        amount: amount(blocks, bytes),
        preview: preview.map(str::to_owned),
    };
    HeapReport {
        sums: HeapSums::of(&seen.heaps),
        sizes: vec![row(248, 100_000), row(24, 500_000), row(1048, 40)],
        types: TypeSums {
            rows: vec![
                type_row(class("shop::Order"), 90_000, Bytes::mib(21), None),
                type_row(
                    BlockType::Content(Content::Json),
                    10_000,
                    Bytes::mib(3),
                    Some("{\"customer\": \"Ann\""),
                ),
                type_row(BlockType::TreeNode, 5, Bytes(280), None),
            ],
            every: 2,
        },
        pins: Pins {
            pages: 4000,
            free: Bytes::mib(15),
            live: Bytes::kib(120),
            rows: vec![
                pin(class("shop::Session"), 56, 3000, 2990, HEAP + 0x2010),
                pin(BlockType::Content(Content::Text), 24, 1200, 1010, HEAP + 0x9010),
            ],
        },
        seen,
    }
}

fn record(kind: LeakKind, what: BlockType, blocks: u64, size: u64) -> Record {
    Record {
        number: 0,
        kind,
        what,
        size: Some(Bytes(size)),
        amount: amount(blocks, Bytes(size * blocks)),
        retained: amount(blocks, Bytes(size * blocks)),
        ring: None,
        preview: None,
        addresses: (0..blocks.min(5)).map(|index| Address(HEAP + 0x10 + index * 0x100)).collect(),
        change: None,
    }
}

fn leaking() -> LeakReport {
    let mut records = vec![
        Record {
            retained: amount(6000, Bytes::mib(9)),
            ..record(
                LeakKind::Definite,
                class("std::vector<shop::Order, std::allocator<shop::Order> >"),
                2000,
                24,
            )
        },
        Record { ring: Some(3), size: None, ..record(LeakKind::Definite, class("shop::Peer"), 3, 168) },
        Record {
            size: None,
            preview: Some("{\"customer\": \"Zoë, who has a longer name than fits\"}".into()),
            ..record(LeakKind::Indirect, BlockType::Content(Content::Json), 4000, 2350)
        },
        record(LeakKind::Possible, BlockType::Table("libshop.so+0x1d0f0".into()), 1, 1000),
    ];
    for (number, record) in (1..).zip(&mut records) {
        record.number = number;
    }
    let root = |kind, name: Option<&str>, thread| Root {
        kind,
        name: name.map(Into::into),
        thread,
        ..Root::default()
    };
    LeakReport {
        seen: seen(vec![glibc()]),
        heuristics: Some(Heuristics { newarray: false, ..Heuristics::ALL }),
        totals: Some([
            (LeakKind::Definite, amount(2003, Bytes(48_504))),
            (LeakKind::Indirect, amount(4000, Bytes(9_400_000))),
            (LeakKind::Possible, amount(1, Bytes(1000))),
            (LeakKind::Reachable, amount(640_000, Bytes::mib(50))),
        ]),
        records,
        holders: vec![
            (root(RootKind::Module, Some("/usr/bin/shop"), None), amount(500_000, Bytes::mib(40))),
            (root(RootKind::Stack, None, Some(4243)), amount(139_999, Bytes::mib(9))),
            (root(RootKind::Registers, None, Some(4242)), amount(1, Bytes(24))),
            (root(RootKind::Mapping, None, None), amount(0, Bytes::ZERO)),
        ],
        ..LeakReport::default()
    }
}

fn since() -> LeakReport {
    let mut report = leaking();
    let mut earlier: Vec<EarlierRecord> = report.records.iter().map(EarlierRecord::of).collect();
    earlier[0].blocks -= 500;
    earlier[0].bytes -= 12_000;
    earlier[2].bytes += 4096;
    earlier.remove(3);
    compare(&mut report.records, &earlier);
    LeakReport { is_compared: true, ..report }
}

/// All is held.
fn sound() -> LeakReport {
    let none = |kind| (kind, Amount::default());
    let [definite, indirect, possible] =
        [LeakKind::Definite, LeakKind::Indirect, LeakKind::Possible].map(none);
    LeakReport {
        totals: Some([definite, indirect, possible, (LeakKind::Reachable, amount(5, Bytes(500)))]),
        records: Vec::new(),
        ..leaking()
    }
}

fn not_checked() -> LeakReport {
    let gap = Gap::new("blocks and leaks", "no heap of an allocator that Residue can walk was found");
    let seen = Circumstances { gaps: vec![gap], stop: None, ..seen(Vec::new()) };
    LeakReport { seen, totals: None, records: Vec::new(), holders: Vec::new(), ..leaking() }
}

fn damaged() -> Heap {
    let damage = Damage {
        at: Address(HEAP + 0x1230),
        what: "the size of a chunk is 0x4141414141414140, no multiple of 16 or beyond its arena".into(),
        suspect: Some(range(HEAP + 0x1200, 40)),
        unwalked: Bytes(8192),
    };
    let identity =
        Identity { what: "bytes of the main arena".into(), walked: 62_906_368, stated: 62_914_560 };
    let gaps =
        vec![Gap::new("some arenas", "the links from arena to arena lead to memory that is not there")];
    Heap { damage: vec![damage], identities: vec![identity], gaps, ..glibc() }
}

fn musl() -> Heap {
    Heap {
        allocator: "musl mallocng".into(),
        layout: "1.2.1 ...".into(),
        arenas: vec![arena(0x7f60_0000_0000, ArenaKind::Main, 2)],
        ..Heap::default()
    }
}

fn leaks_text(report: &LeakReport, width: Option<usize>) -> String {
    leaks_asked(report, width, &Asked::default(), &[])
}

fn leaks_asked(report: &LeakReport, width: Option<usize>, asked: &Asked, gone: &[EarlierRecord]) -> String {
    let changes = &[ChangeKind::New, ChangeKind::Increased];
    let view = LeakView { limit: 3, all_addresses: false, changes, asked, gone };
    text(width, |out, screen| terminal::leaks(out, screen, report, view))
}

fn leaks_document(report: &LeakReport, addresses: usize) -> String {
    document(|out| json::leaks(out, report, &Asked::default(), &[], addresses))
}

#[test]
fn what_heaps_hold() {
    let report = fragmented();
    let write = |out: &mut Vec<u8>, screen| terminal::heap(out, screen, &report, false);
    assert_snapshot!("heap_80", text(Some(80), write));
    assert_snapshot!("heap_120", text(Some(120), write));
    assert_snapshot!("heap_json", document(|out| json::heap(out, &report)));
}

#[test]
fn several_heaps_of_which_one_is_damaged() {
    let seen = seen(vec![damaged(), musl()]);
    let report = HeapReport { sums: HeapSums::of(&seen.heaps), seen, ..HeapReport::default() };
    let write = |out: &mut Vec<u8>, screen| terminal::heap(out, screen, &report, true);
    assert_snapshot!("heaps_damaged_80", text(Some(80), write));
    assert_snapshot!("heaps_damaged_120", text(Some(120), write));
    assert_snapshot!("heaps_damaged_json", document(|out| json::heap(out, &report)));
}

#[test]
fn no_heap_at_all() {
    let report = HeapReport { seen: not_checked().seen, ..HeapReport::default() };
    assert_snapshot!("heap_none", text(Some(80), |out, screen| terminal::heap(out, screen, &report, false)));
    assert_snapshot!("heap_none_json", document(|out| json::heap(out, &report)));
}

#[test]
fn the_words_of_malloc_stats() {
    let mut out = Vec::new();
    terminal::malloc_stats(&mut out, &[&glibc()]).expect("memory takes everything");
    let alone = String::from_utf8(out).expect("text");
    assert_snapshot!("malloc_stats", alone);

    let mut out = Vec::new();
    terminal::malloc_stats(&mut out, &[&glibc(), &glibc()]).expect("memory takes everything");
    let head = "heap at 0x7f3000000c80\n";
    assert_eq!(String::from_utf8(out).expect("text"), format!("{head}{alone}{head}{alone}"));
}

#[test]
fn who_is_lost() {
    let report = leaking();
    assert_snapshot!("leaks_80", leaks_text(&report, Some(80)));
    assert_snapshot!("leaks_120", leaks_text(&report, Some(120)));
    assert_snapshot!("leaks_json", leaks_document(&report, 3));
}

#[test]
fn who_was_lost_since() {
    let report = since();
    assert_snapshot!("leaks_since_80", leaks_text(&report, Some(80)));
    assert_snapshot!("leaks_since_120", leaks_text(&report, Some(120)));
    assert_snapshot!("leaks_since_json", leaks_document(&report, 1));
    let mut nothing_new = leaking();
    let earlier: Vec<EarlierRecord> = nothing_new.records.iter().map(EarlierRecord::of).collect();
    compare(&mut nothing_new.records, &earlier);
    nothing_new.is_compared = true;
    assert_snapshot!("leaks_since_same", leaks_text(&nothing_new, Some(80)));
}

fn saved(edit: impl Fn(&mut serde_json::Value)) -> Result<EarlierRun> {
    let mut value = serde_json::from_str(&leaks_document(&leaking(), 1)).expect("a document");
    edit(&mut value);
    json::read_leaks(value.to_string().as_bytes())
}

/// What somebody did not ask for on Monday is not new on Tuesday.
#[test]
fn kinds_that_the_earlier_run_was_not_asked_for_are_not_new() {
    let definite = Asked { kinds: vec![LeakKind::Definite], ..Asked::default() };
    let mut report = leaking();
    let mut earlier = EarlierRun::of(&definite, &report.records[..2]);
    earlier.records[1].name = "shop::Gone".into();
    compare(&mut report.records, &earlier.records);
    earlier.forget_unasked(&mut report.records);
    report.is_compared = true;

    let kinds: Vec<_> = report.records.iter().map(|record| record.change.map(|change| change.kind)).collect();
    assert_eq!(kinds, [Some(ChangeKind::Same), Some(ChangeKind::New), None, None]);
    let all = Asked { kinds: LeakKind::ALL.to_vec(), ..Asked::default() };
    let gone = earlier.gone(&all, &report.records);
    assert_eq!(gone, [earlier.records[1].clone()]);
    let possible = Asked { kinds: vec![LeakKind::Possible], ..Asked::default() };
    assert_eq!(earlier.gone(&possible, &[]), [], "nobody looked for it");
    assert_snapshot!("leaks_since_kinds", leaks_asked(&report, Some(120), &all, &gone));
    assert_snapshot!("leaks_gone_json", document(|out| json::leaks(out, &report, &all, &gone, 1)));
}

#[test]
fn a_saved_run_tells_what_it_was_asked_for() {
    let asked = saved(|_| ()).expect("a saved run").asked.expect("it says so");
    // The heuristics are those that counted.
    assert_eq!(asked, Asked { heuristics: leaking().heuristics.expect("some"), ..Asked::default() });

    let old = saved(|value| {
        for key in ["kinds", "min_size", "tagged", "complete", "gone"] {
            value.as_object_mut().expect("an object").remove(key);
        }
    });
    let old = old.expect("the first documents can be read");
    assert_eq!((old.asked, old.records.len()), (None, 4));
    let blind = saved(|value| value["checked"] = false.into()).expect_err("all would look new");
    assert!(blind.to_string().contains("nothing was searched"), "{blind}");
    assert!(saved(|value| value["kinds"] = vec!["half"].into()).is_err());
}

/// Records are numbered by what was asked for.
#[test]
fn the_next_command_has_the_options_that_number_records() {
    let next = |asked: &Asked| {
        leaks_asked(&leaking(), None, asked, &[]).split_whitespace().collect::<Vec<_>>().join(" ")
    };

    assert!(next(&Asked::default()).contains("next: residue blocks 4242 1, or "));
    let asked = Asked {
        kinds: vec![LeakKind::Definite, LeakKind::Indirect],
        min_size: Bytes(4096),
        heuristics: Heuristics { python: false, newarray: false, ..Heuristics::ALL },
        tagged: true,
    };
    let options = " 1 --heuristics stdstring,length64,multipleinheritance --tagged --kinds definite,indirect --min-size 4096, or ";
    assert!(next(&asked).contains(options), "{}", next(&asked));
    let all = Asked { kinds: LeakKind::ALL.to_vec(), heuristics: Heuristics::NONE, ..Asked::default() };
    assert!(next(&all).contains(" 1 --heuristics none --kinds all, or "), "{}", next(&all));
}

/// Nothing found, and could not look: they never look the same.
#[test]
fn no_leaks_are_told_from_what_was_not_checked() {
    let report = sound();
    assert_snapshot!("leaks_none", leaks_text(&report, Some(80)));
    let blind = not_checked();
    assert_snapshot!("leaks_not_checked", leaks_text(&blind, Some(80)));
    assert_snapshot!("leaks_not_checked_json", leaks_document(&blind, 1));
    let partly = LeakReport { seen: seen(vec![damaged(), musl()]), ..sound() };
    assert_snapshot!("leaks_damaged", leaks_text(&partly, Some(80)));
    let given_up = LeakReport { interrupted: true, ..not_checked() };
    assert_snapshot!("leaks_interrupted", leaks_text(&given_up, Some(80)));
    let moving = LeakReport { seen: Circumstances { is_fuzzy: true, ..seen(vec![glibc()]) }, ..sound() };
    assert_snapshot!("leaks_fuzzy", leaks_text(&moving, Some(80)));

    let says_none = |report: &LeakReport| leaks_text(report, None).contains("NO LEAKS: every live block");
    assert!(says_none(&report));
    for other in [&blind, &partly, &given_up, &moving, &leaking()] {
        assert!(!says_none(other));
    }
}

#[test]
fn the_blocks_of_a_record() {
    let block = |start, size, preview: Option<&str>| ListedBlock {
        range: range(HEAP + start, size),
        preview: preview.map(str::to_owned),
    };
    let report = BlocksReport {
        seen: seen(vec![glibc()]),
        record: leaking().records[2].clone(),
        blocks: vec![
            block(0x10, 2040, Some("{\"customer\": \"Zoë\"}")),
            block(0x1010, 24, None),
            block(0x2010, 5000, Some("{\"customer\": \"Ann, who is beyond the limit\"}")),
        ],
    };
    let write = |out: &mut Vec<u8>, screen| terminal::blocks(out, screen, &report, 2);
    assert_snapshot!("blocks_80", text(Some(80), write));
    assert_snapshot!("blocks_120", text(Some(120), write));
    assert_snapshot!("blocks_json", document(|out| json::blocks(out, &report)));
}

fn references() -> Vec<ToldReference> {
    let told = |at: Option<u64>, inside: u64, holder| ToldReference {
        reference: Reference {
            at: at.map(Address),
            to: Address(HEAP + 0x5010 + inside),
            is_start: inside == 0,
            holder,
        },
        symbol: None,
        frame: None,
        what: None,
    };
    let root = |kind, name: Option<&str>, thread| Holder::Root { kind, name: name.map(Into::into), thread };
    let block = |start, live| Holder::Block(Block { id: BlockId(7), range: range(start, 56), live });
    vec![
        told(None, 0, root(RootKind::Registers, None, Some(4243))),
        ToldReference {
            symbol: Some("g_cache+0x10 in shop".into()),
            ..told(Some(0x5555_0010_0040), 0, root(RootKind::Module, Some("/usr/bin/shop"), None))
        },
        ToldReference {
            frame: Some("shop::Server::answer(Request const&)+0x1c8 in shop".into()),
            ..told(Some(0x7fff_0001_0000), 16, root(RootKind::Stack, None, Some(4242)))
        },
        ToldReference {
            what: Some(class("shop::Order")),
            ..told(Some(HEAP + 0x2018), 0, block(HEAP + 0x2010, true))
        },
        told(Some(HEAP + 0x3018), 0, block(HEAP + 0x3010, false)),
        told(Some(0x7fff_0000_0100), 0, Holder::Dead),
    ]
}

fn refs_text(report: &RefReport, width: usize, limit: usize) -> String {
    text(Some(width), |out, screen| terminal::refs(out, screen, report, limit))
}

#[test]
fn who_points_at_a_block() {
    let target = range(HEAP + 0x5010, 1000);
    let block = Block { id: BlockId(9), range: target, live: true };
    let all = references();
    let report = RefReport {
        seen: seen(vec![glibc()]),
        target,
        block: Some((block, class("shop::Item"))),
        chain: Some(vec![all[1].clone(), all[3].clone()]),
        references: all,
        ..RefReport::default()
    };
    assert_snapshot!("refs_80", refs_text(&report, 80, 5));
    assert_snapshot!("refs_120", refs_text(&report, 120, 50));
    assert_snapshot!("refs_json", document(|out| json::refs(out, &report)));
}

#[test]
fn who_points_where_no_block_is() {
    let nobody = RefReport {
        seen: seen(vec![glibc()]),
        target: range(0x5555_0010_0040, 8),
        place: Some("g_cache+0x10 in shop".into()),
        chain: Some(Vec::new()),
        ..RefReport::default()
    };
    assert_snapshot!("refs_nobody", refs_text(&nobody, 80, 50));
    let unmapped = RefReport { place: None, chain: None, interrupted: true, ..nobody };
    assert_snapshot!("refs_unmapped", refs_text(&unmapped, 80, 50));
    assert_snapshot!("refs_unmapped_json", document(|out| json::refs(out, &unmapped)));
}

/// A saved run gives back what a later one is compared with.
#[test]
fn saved_leaks_can_be_compared_with() {
    let report = leaking();
    let mut out = Vec::new();
    json::leaks(&mut out, &report, &Asked::default(), &[], 1).expect("memory takes everything");

    let read = json::read_leaks(out.as_slice()).expect("our own document");

    assert_eq!(read.records, report.records.iter().map(EarlierRecord::of).collect::<Vec<_>>());
    for wrong in ["", "{}", "[]", r#"{"schema": "residue.leaks/2", "leaks": []}"#] {
        assert!(json::read_leaks(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
