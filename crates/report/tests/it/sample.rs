//! A process that has something of everything: made by name, far from any code under test.

use std::sync::Arc;

use residue_analysis::accounting::{Column, Order, Table};
use residue_analysis::growth::judge;
use residue_analysis::{Diagnosis, Inside, Map, Watched};
use residue_model::{
    Address, AddressSpace, Bytes, Counter, Footprint, FreeSize, Gap, Limit, LimitKind, Limits, Process,
    ProcessId, Protection, Range, Region, Sample, Series, SharedSegment, Snapshot, Source, SystemMemory,
    Thread, Usage,
};

pub(crate) fn process() -> Process {
    let mib = |count| Some(Bytes::mib(count));
    Process {
        pid: ProcessId(4242),
        start_ticks: Some(100),
        name: "shop".into(),
        command: Some("/usr/bin/shop --serve </script> --threads 2".into()),
        uid: Some(33),
        user: Some("www-data".into()),
        footprint: Footprint {
            vss: mib(300),
            rss: mib(120),
            pss: mib(100),
            uss: mib(90),
            swap: mib(8),
            swap_pss: mib(8),
            anon: mib(80),
            file: mib(30),
            shmem: mib(10),
            peak_rss: mib(125),
            windows: None,
        },
        majflt: Some(3),
        minflt: Some(12_345),
        threads: Some(2),
        maps: Some(9),
        oom_score: Some(667),
        ..Process::default()
    }
}

fn region(start: u64, size: Bytes, letters: &str, name: &str, rss: Bytes) -> Region {
    let is_file = name.starts_with('/');
    let mut region = Region {
        range: Range { start: Address(start), end: Address(start + size.0) },
        protection: Protection::from_letters(letters.as_bytes()).expect("four letters"),
        name: (!name.is_empty()).then(|| name.into()),
        inode: if is_file { 7 } else { 0 },
        ..Region::default()
    };
    let anonymous = if is_file { Bytes::ZERO } else { rss };
    for (counter, value) in [
        (Counter::Rss, rss),
        (Counter::Pss, rss),
        (Counter::SharedClean, Bytes::ZERO),
        (Counter::PrivateClean, rss - anonymous),
        (Counter::PrivateDirty, anonymous),
        (Counter::Anonymous, anonymous),
        (Counter::Swap, Bytes::ZERO),
        (Counter::LazyFree, Bytes::ZERO),
    ] {
        region.counters.set(counter, value);
    }
    region
}

pub(crate) fn map() -> Map {
    let (kib, mib) = (Bytes::kib, Bytes::mib);
    let segment = SharedSegment { id: 9, size: mib(10), attached: 2, creator: 4000, creator_uid: 33 };
    let regions = vec![
        region(0x5555_0000_0000, mib(1), "r-xp", "/usr/bin/shop", kib(800)),
        Region { offset: mib(1), ..region(0x5555_0010_0000, kib(64), "rw-p", "/usr/bin/shop", kib(64)) },
        region(0x5555_1000_0000, mib(60), "rw-p", "[heap]", mib(58)),
        region(0x7f00_0000_0000, kib(4), "---p", "", Bytes::ZERO),
        region(0x7f00_0000_1000, mib(8), "rw-p", "", kib(40)),
        Region {
            deleted: true,
            segment: Some(Arc::new(segment)),
            ..region(0x7f10_0000_0000, mib(10), "rw-s", "/SYSV00000000", mib(10))
        },
        Region {
            deleted: true,
            ..region(0x7f20_0000_0000, mib(4), "r--p", "/srv/\\012odd\\x1b name", mib(2))
        },
        region(0x7f30_0000_0000, mib(20), "rw-p", "", mib(20)),
        region(0x7fff_0000_0000, kib(132), "rw-p", "[stack]", kib(20)),
    ];
    let thread = |tid, stack_pointer| Thread { tid, stack_pointer, ..Thread::default() };
    Map::of(Snapshot {
        process: process(),
        regions,
        threads: vec![
            Thread { is_main: true, ..thread(4242, None) },
            thread(4243, Some(Address(0x7f00_0010_0000))),
        ],
        limits: Limits {
            memory: vec![Limit {
                kind: LimitKind::Cgroup,
                limit: mib(128),
                used: Some(mib(110)),
                source: "/sys/fs/cgroup/shop".into(),
            }],
            max_map_count: Some(65_530),
        },
        space: AddressSpace {
            bits: 64,
            range: Range { start: Address(0x1000), end: Address(0x7fff_ffff_f000) },
        },
        source: Source::Smaps,
        gaps: vec![Gap::new(
            "smaps fields Pss_Purple",
            "this kernel prints them, this version does not know them",
        )],
        ..Snapshot::default()
    })
}

pub(crate) fn series() -> Series {
    let sample = |second: u32| {
        let grown = Bytes::kib(u64::from(second) * 100);
        Sample {
            seconds: f64::from(second),
            footprint: Footprint {
                rss: Some(Bytes::mib(100) + grown),
                anon: Some(Bytes::mib(60) + grown),
                swap: Some(Bytes::mib(8)),
                shmem: Some(Bytes::mib(10)),
                ..Footprint::default()
            },
            majflt: Some(3 + u64::from(second / 50)),
            minflt: Some(1000),
            threads: Some(2),
            maps: Some(9),
            handles: None,
            free: Some(FreeSize { total: Bytes::gib(1), largest: Bytes::mib(800) }),
            by_usage: Some(vec![
                (Usage::Heap, Bytes::mib(40) + grown),
                (Usage::AnonymousMedium, Bytes::mib(20)),
                (Usage::SysvShm, Bytes::mib(10)),
            ]),
        }
    };
    Series {
        process: process(),
        age_seconds: Some(86_400.0),
        samples: (0..120).map(sample).collect(),
        ended: false,
    }
}

pub(crate) fn diagnosis() -> Diagnosis {
    let gap =
        Gap::new("the address space at the end", "the process ended; shown is how it stood at the start");
    Diagnosis::of(map(), series(), Inside::default(), vec![gap])
}

pub(crate) fn watched() -> Watched {
    let series = series();
    Watched { verdict: judge(&series, &Limits::default()), series }
}

pub(crate) fn table() -> Table {
    let unreadable = Process {
        pid: ProcessId(1),
        name: "init".into(),
        uid: Some(0),
        footprint: Footprint { vss: Some(Bytes::mib(9)), rss: Some(Bytes::mib(7)), ..Footprint::default() },
        ..Process::default()
    };
    let order = Order { column: Column::Pss, reverse: false, top: None };
    let gap =
        Gap::new("1 of 2 processes not readable: pss, uss and swap_pss", "permission denied: run as root");
    let system = SystemMemory { total: Some(Bytes::gib(1)), ..SystemMemory::default() };
    Table { gaps: vec![gap], system, ..Table::of_processes(vec![unreadable, process()], order) }
}
