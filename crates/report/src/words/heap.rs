use residue_analysis::examined::{Circumstances, LeakReport};
use residue_analysis::holding::{HeapState, HeapSums, Pins};
use residue_analysis::reachability::{Heuristics, LeakKind, Root, RootKind};
use residue_model::{ArenaKind, Bytes, Heap, Stop, Verified};

use crate::units::{count, counted, duration, percent, size};

/// What it cost a process to be looked at: `stood still for 12 ms (expected 15 ms) while 210.0 MiB were copied`.
pub fn stop(stop: &Stop) -> String {
    let seconds = |time: std::time::Duration| duration(time.as_secs_f64());
    let forking = stop.forking.map(|time| format!(", {} of it to fork", seconds(time))).unwrap_or_default();
    if stop.is_held {
        return format!("a debugger holds it; {} were copied", size(stop.copied));
    }
    if stop.ran_on {
        return format!("it ran on while {} were copied", size(stop.copied));
    }
    if stop.measured.is_zero() {
        return format!("it stood already; {} were copied", size(stop.copied));
    }
    format!(
        "it stood still for {}{forking} (expected {}); {} were copied",
        seconds(stop.measured),
        seconds(stop.estimated),
        size(stop.copied)
    )
}

/// `verified: exact`, or how much is not accounted for.
pub fn verified(heap: &Heap) -> String {
    match heap.verified() {
        Verified::Exact => "exact".into(),
        Verified::Partial { unexplained: Bytes(0) } => "partial: not all of it could be looked for".into(),
        Verified::Partial { unexplained } => format!("partial: {} bytes unexplained", count(unexplained.0)),
    }
}

/// What an arena is.
pub fn arena(kind: ArenaKind) -> &'static str {
    match kind {
        ArenaKind::Main => "main",
        ArenaKind::Thread => "thread",
        ArenaKind::Mapped => "mapped",
    }
}

/// What a kind of loss is called.
pub fn leak_kind(kind: LeakKind) -> &'static str {
    match kind {
        LeakKind::Definite => "definitely lost",
        LeakKind::Indirect => "indirectly lost",
        LeakKind::Possible => "possibly lost",
        LeakKind::Reachable => "still reachable",
    }
}

/// What holds blocks: `data of redis-server`, `stack of thread 412`.
pub fn root(kind: RootKind, name: Option<&str>, thread: Option<u32>) -> String {
    let file = name.map_or("", |name| name.rsplit('/').next().unwrap_or(name));
    let of = |what: &str| match thread {
        Some(tid) => format!("{what} of thread {tid}"),
        None => what.to_owned(),
    };
    match kind {
        RootKind::Registers => of("registers"),
        RootKind::Stack if thread.is_none() && !file.is_empty() => file.to_owned(),
        RootKind::Stack => of("stack"),
        RootKind::Module if file.is_empty() => "data of a module without a name".into(),
        RootKind::Module => format!("data of {file}"),
        RootKind::Mapping if file.is_empty() => "memory that the program mapped".into(),
        RootKind::Mapping | RootKind::Shared if !file.is_empty() => format!("mapping {file}"),
        RootKind::Mapping | RootKind::Shared => "shared memory".into(),
    }
}

/// The same of a root.
pub fn root_name(of: &Root) -> String {
    root(of.kind, of.name.as_deref(), of.thread)
}

/// Leak or fragmentation: what the sums say, in a sentence or two.
pub fn holding(sums: &HeapSums, pins: &Pins) -> String {
    let share = |part: Bytes| percent(part.0 as f64 / sums.system.0.max(1) as f64);
    let live = format!("{} of {} live ({})", size(sums.live), size(sums.system), share(sums.live));
    let own = if sums.own.0 > sums.system.0 / 20 {
        format!(", {} the allocator's own ({})", size(sums.own), share(sums.own))
    } else {
        String::new()
    };
    let free = format!("{} free ({}){own}", size(sums.free), share(sums.free));
    let pinned = format!(
        "{} in {} are pinned by {} of live blocks",
        size(pins.free),
        counted(pins.pages, "page"),
        size(pins.live)
    );
    match sums.state() {
        HeapState::Live => format!(
            "no fragmentation to speak of: {live}, {free}. If it grows, it is what the program keeps or has lost"
        ),
        HeapState::Kept => format!(
            "free but kept: {live}, {free}, of which malloc_trim(0) would give back {}",
            size(sums.trim_gain)
        ),
        HeapState::Fragmented => format!(
            "fragmentation: {live}, {free}, of which malloc_trim(0) would give back only {}; {pinned}",
            size(sums.trim_gain)
        ),
    }
}

/// The conclusion of a search for leaks.
pub fn leaks(report: &LeakReport) -> String {
    let Some(definite) = report.total(LeakKind::Definite) else {
        let why = if report.interrupted {
            "interrupted before all was searched"
        } else {
            "no heap that Residue can walk"
        };
        return format!("NOT CHECKED: {why}");
    };
    let indirect = report.total(LeakKind::Indirect).unwrap_or_default();
    let possible = report.total(LeakKind::Possible).unwrap_or_default();
    if definite.blocks > 0 {
        return format!(
            "LEAKS: {} in {} definitely lost, {} in {} with them",
            size(definite.bytes),
            counted(definite.blocks, "block"),
            size(indirect.bytes),
            counted(indirect.blocks, "block")
        );
    }
    if possible.blocks > 0 {
        return format!(
            "NO DEFINITE LEAK: {} in {} possibly lost",
            size(possible.bytes),
            counted(possible.blocks, "block")
        );
    }
    if report.seen.saw_everything() {
        "NO LEAKS: every live block can be reached".into()
    } else {
        "NO LEAKS SEEN, but not everything could be looked at".into()
    }
}

/// The heaps that were walked, in a line each: `glibc 2.35 ... 2.41: exact`.
pub fn walked(seen: &Circumstances) -> Vec<String> {
    let line = |heap: &Heap| {
        let blocks: u64 = heap.arenas.iter().map(|arena| arena.live_blocks).sum();
        format!(
            "{}, layout {}, {} live; verified: {}",
            heap.allocator,
            heap.layout,
            counted(blocks, "block"),
            verified(heap)
        )
    };
    seen.heaps.iter().map(line).collect()
}

/// `stdstring, newarray` and so on, as memcheck names them; `none`.
pub fn heuristics(heuristics: Heuristics) -> String {
    let all = [
        (heuristics.stdstring, "stdstring"),
        (heuristics.length64, "length64"),
        (heuristics.newarray, "newarray"),
        (heuristics.multipleinheritance, "multipleinheritance"),
        (heuristics.python, "python"),
    ];
    let chosen: Vec<&str> = all.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name).collect();
    if chosen.is_empty() { "none".into() } else { chosen.join(", ") }
}
