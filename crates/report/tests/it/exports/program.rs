//! A recorded program that has something of everything: made by name, far from any code under test.

use std::time::{Duration, UNIX_EPOCH};

use residue_model::recording::{
    Ages, AllocationKind, CallTree, Code, CodeId, End, Histogram, Node, Place, Point, Program,
    RecordedModule, StackId, StackSums, Timeline, Total, Totals,
};
use residue_model::{Bytes, Gap, Recording};

/// A name as nobody would give it and anybody could.
pub(crate) const HOSTILE: &str = "evil</script><b title=\"x\">&'y';#]]>\n--";

/// A frame: its module, if any, and the functions that stand there, the innermost first, each with file and line.
type Frame = (Option<u32>, &'static [(&'static str, &'static str, u32)]);

const SHOP: Option<u32> = Some(0);
const STRIPPED: Option<u32> = Some(2);

const MAIN: Frame = (SHOP, &[("main", "src/main.c", 12)]);
const SERVE: Frame = (SHOP, &[("serve", "src/serve.c", 40)]);
const PUT: Frame = (SHOP, &[("map_insert", "src/map.h", 7), ("cache_put", "src/cache.c", 88)]);
const PARSE: Frame = (SHOP, &[("parse", "src/parse.c", 30)]);
const LOAD: Frame = (SHOP, &[("load_config", "src/config.c", 21)]);
const POOL: Frame = (SHOP, &[("open_pool", "src/pool.c", 5)]);
const EVIL: Frame = (SHOP, &[(HOSTILE, "src/a&b<c>.c", 1)]);
const NAMELESS: Frame = (STRIPPED, &[]);
const MADE: Frame = (None, &[]);

/// Ten seconds of a shop: a cache that only grows, requests that allocate and free, a configuration that stays.
pub(crate) fn shop() -> Recording {
    let mut made = Made::default();
    let cache = made.stack(&[MAIN, SERVE, PUT]);
    let parse = made.stack(&[MAIN, SERVE, PARSE]);
    let load = made.stack(&[MAIN, LOAD]);
    let pool = made.stack(&[MAIN, POOL]);
    let evil = made.stack(&[MAIN, EVIL]);
    let nameless = made.stack(&[MAIN, NAMELESS, MADE]);
    let stacks = vec![
        cache_sums(cache),
        parse_sums(parse),
        load_sums(load),
        StackSums { kind: AllocationKind::Mapping, ..standing(pool, 1, 4 << 20) },
        standing(evil, 2, 64),
        standing(nameless, 1, 1000),
        standing(StackId::UNKNOWN, 1, 10),
    ];
    Recording {
        program: program(),
        modules: modules(),
        calls: made.calls,
        totals: totals(&stacks),
        stacks,
        timeline: timeline(),
        gaps: vec![Gap::new("3 stacks", "could not be followed to their end")],
        ..Recording::default()
    }
}

fn program() -> Program {
    Program {
        command: vec!["./shop".into(), "--serve".into(), "a b".into()],
        executable: "/usr/bin/shop".into(),
        pid: 4242,
        started: Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        recorded: Duration::from_secs(10),
        end: Some(End::Exited(0)),
        ..Program::default()
    }
}

fn modules() -> Vec<RecordedModule> {
    let module = |path: &str, start: u64, build_id: Option<Vec<u8>>| RecordedModule {
        path: path.into(),
        build_id,
        start,
        end: start + 0x10_0000,
        bias: start,
    };
    vec![
        module("/usr/bin/shop", 0x5555_0000_0000, Some(vec![0xab, 0x01, 0xff])),
        module("/usr/lib/libc.so.6", 0x7f00_0000_0000, None),
        module("/usr/lib/libplug.so", 0x7f00_1000_0000, None),
    ]
}

/// A hundred entries of 1 KiB a second.
fn cache_sums(stack: StackId) -> StackSums {
    let point = |second: u16| Point {
        slot: second,
        live: Bytes(102_400 * (u64::from(second) + 1)),
        live_blocks: 100 * (u64::from(second) + 1),
        allocated: Bytes(102_400),
        allocations: 100,
    };
    StackSums {
        points: (0..10).map(point).collect(),
        ages: Ages((0..10).map(|second| (Duration::from_secs(second), 100, Bytes(102_400))).collect()),
        sizes: counted(1024, 1000),
        threads: 2,
        ..standing(stack, 1000, 1024)
    }
}

/// Two hundred buffers of 500 to 1500 bytes a second, each gone within 100 µs, most before anything else was asked for.
fn parse_sums(stack: StackId) -> StackSums {
    let point =
        |second: u16| Point { slot: second, allocated: Bytes(200_000), allocations: 200, ..Point::default() };
    StackSums {
        stack,
        allocations: 2000,
        frees: 2000,
        allocated: Bytes(2_000_000),
        usable: Bytes(2_016_000),
        peak: Bytes(3000),
        peak_at: Duration::from_secs(4),
        at_peak: Bytes(1500),
        at_peak_blocks: 1,
        temporary: 1900,
        short_lived: 2000,
        smallest: Bytes(500),
        largest: Bytes(1500),
        sizes: counted(1000, 2000),
        lifetimes: counted(100, 2000),
        threads: 2,
        points: (0..10).map(point).collect(),
        ..StackSums::default()
    }
}

/// Ten tables at the start, and a large one of them goes after three seconds.
fn load_sums(stack: StackId) -> StackSums {
    let point = |slot, live_blocks, live, allocations, allocated| Point {
        slot,
        live: Bytes(live),
        live_blocks,
        allocated: Bytes(allocated),
        allocations,
    };
    StackSums {
        allocations: 10,
        frees: 1,
        allocated: Bytes(590_000),
        usable: Bytes(590_160),
        live: Bytes(90_000),
        live_blocks: 9,
        peak: Bytes(590_000),
        at_peak: Bytes(90_000),
        at_peak_blocks: 9,
        smallest: Bytes(10_000),
        largest: Bytes(500_000),
        lifetimes: counted(3_000_000, 1),
        points: vec![point(0, 10, 590_000, 10, 590_000), point(3, 9, 90_000, 0, 0)],
        ..standing(stack, 9, 10_000)
    }
}

/// Blocks that came in the first second and stayed.
fn standing(stack: StackId, blocks: u64, each: u64) -> StackSums {
    let bytes = Bytes(blocks * each);
    StackSums {
        stack,
        allocations: blocks,
        allocated: bytes,
        usable: Bytes(blocks * (each + 8)),
        live_blocks: blocks,
        live: bytes,
        peak: bytes,
        at_peak: bytes,
        at_peak_blocks: blocks,
        smallest: Bytes(each),
        largest: Bytes(each),
        sizes: counted(each, blocks),
        ages: Ages(vec![(Duration::from_secs(9), blocks, bytes)]),
        threads: 1,
        points: vec![Point {
            slot: 0,
            live: bytes,
            live_blocks: blocks,
            allocated: bytes,
            allocations: blocks,
        }],
        ..StackSums::default()
    }
}

fn counted(value: u64, times: u64) -> Histogram {
    let mut counts = vec![0; Histogram::entry(value) + 1];
    *counts.last_mut().expect("one at least") = times;
    Histogram(counts)
}

fn timeline() -> Timeline {
    let total = |second: u64| {
        let config = if second < 3 { 590_000 } else { 90_000 };
        let live = 102_400 * (second + 1) + config + 1138;
        Total {
            live: Bytes(live),
            live_blocks: 100 * (second + 1) + 13,
            peak: Bytes(live + 1500),
            allocated: Bytes(302_400),
            allocations: 300,
            rss: (second != 5).then_some(Bytes(live + 4_000_000)),
        }
    };
    Timeline { slot: Duration::from_secs(1), totals: (0..10).map(total).collect() }
}

fn totals(stacks: &[StackSums]) -> Totals {
    let heap: Vec<&StackSums> = stacks.iter().filter(|sums| sums.kind == AllocationKind::Heap).collect();
    let sum = |of: fn(&StackSums) -> u64| heap.iter().map(|sums| of(sums)).sum::<u64>();
    Totals {
        allocations: sum(|sums| sums.allocations),
        frees: sum(|sums| sums.frees),
        allocated: Bytes(sum(|sums| sums.allocated.0)),
        live_blocks: sum(|sums| sums.live_blocks),
        live: Bytes(sum(|sums| sums.live.0)),
        peak: Bytes(sum(|sums| sums.at_peak.0)),
        peak_at: Duration::from_millis(9990),
        temporary: sum(|sums| sums.temporary),
        mapped: Bytes::mib(4),
        mapped_peak: Bytes::mib(4),
        short_lived_below: Duration::from_millis(1),
        threads: 2,
        ..Totals::default()
    }
}

/// A tree of calls that grows by whole stacks.
struct Made {
    calls: CallTree,
}

impl Default for Made {
    fn default() -> Made {
        Made { calls: CallTree { nodes: vec![Node::default()], codes: vec![Code::default()] } }
    }
}

impl Made {
    /// The stack of these frames, the outermost first.
    fn stack(&mut self, frames: &[Frame]) -> StackId {
        frames.iter().fold(StackId::UNKNOWN, |caller, frame| {
            let node = Node { caller, code: self.code(frame) };
            let known = self.calls.nodes.iter().skip(1).position(|&other| other == node);
            let index = known.map_or(self.calls.nodes.len(), |index| index + 1);
            if known.is_none() {
                self.calls.nodes.push(node);
            }
            StackId(u32::try_from(index).expect("few"))
        })
    }

    fn code(&mut self, &(module, places): &Frame) -> CodeId {
        let place = |(index, &(function, file, line)): (usize, &(&str, &str, u32))| Place {
            function: Some(function.into()),
            file: Some(file.into()),
            line: Some(line),
            is_inlined: index + 1 < places.len(),
        };
        let places: Vec<Place> = places.iter().enumerate().map(place).collect();
        let codes = &mut self.calls.codes;
        let is_known = |code: &Code| code.module == module && code.places == places;
        let index = codes.iter().skip(1).position(is_known).map_or(codes.len(), |index| index + 1);
        if index == codes.len() {
            codes.push(Code { module, address: 0x1000 + 0x10 * index as u64, places });
        }
        CodeId(u32::try_from(index).expect("few"))
    }
}
