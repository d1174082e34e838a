use residue_analysis::content::Encoding;
use residue_analysis::finding::Evidence;
use residue_analysis::growth::Signal;
use residue_analysis::{Examined, Finding, Histogram, Severity};
use residue_model::{Bytes, LimitKind, Os, Snapshot, Usage};

use super::content::content;
use super::target::{argument, quoted};
use super::verdict::{headline, successor};
use crate::units::{count, counted, duration, percent, rate, size};

/// A finding in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingText {
    /// How urgent: `critical`, `warning`, `info`.
    pub severity: &'static str,
    /// What it is, in one line.
    pub title: String,
    /// The numbers behind it, a line each.
    pub evidence: Vec<String>,
    /// The command to run next.
    pub next: String,
}

/// Puts a finding on a target into words; of a process that has `ended`, no command can look at it again.
pub fn finding(finding: &Finding, snapshot: &Snapshot, ended: bool) -> FindingText {
    let (title, evidence, next) = texts(&finding.evidence, &argument(snapshot), snapshot.machine.os);
    let next = if ended { successor(&snapshot.process) } else { next };
    let severity = match finding.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    FindingText { severity, title, evidence, next }
}

/// What it means that nothing was found: what was looked at.
pub fn no_findings(watched: bool) -> &'static str {
    if watched {
        "none in what was looked at: size and growth of memory, address space, limits"
    } else {
        "none in what was looked at: regions of equal size, what dominates, address space; a dump shows no growth"
    }
}

fn texts(evidence: &Evidence, target: &str, os: Os) -> (String, Vec<String>, String) {
    match evidence {
        Evidence::Growth { kind, signal, rate_per_hour, span_seconds } => (
            format!(
                "{}: {} memory grows by {}",
                headline(*kind).to_lowercase(),
                signal_name(*signal),
                rate(*rate_per_hour)
            ),
            vec![format!("measured over {}", duration(*span_seconds))],
            format!("residue watch {target} --for 10m"),
        ),
        Evidence::EqualRegions { bin, usage, share, examined } => {
            equal(bin, *usage, *share, examined.as_deref(), target, os)
        }
        Evidence::Dominant { .. } | Evidence::Managed { .. } | Evidence::Ended { .. } => {
            of_a_dump(evidence, target, os)
        }
        Evidence::Fragmented { free, bits, is_derived } => (
            format!(
                "the free address space lies in crumbs: no mapping above {} can succeed",
                size(free.largest)
            ),
            vec![
                format!(
                    "{} free in {} ranges, fragmentation index {:.3}",
                    size(free.total),
                    count(free.ranges),
                    free.index
                ),
                format!("{bits}-bit address space{}", at_most(*is_derived)),
            ],
            format!("residue map {target} --html map.html"),
        ),
        Evidence::Exhausted { free, space, is_derived } => (
            format!("the 32-bit address space runs out: {} of {} left", size(*free), size(*space)),
            vec![format!(
                "{} and malloc fail when it ends, however much RAM the machine has{}",
                if os == Os::Windows { "VirtualAlloc" } else { "mmap" },
                at_most(*is_derived)
            )],
            format!("residue map {target} --sort size"),
        ),
        Evidence::RegionCount { regions, limit } => (
            format!("{} regions of at most {} (vm.max_map_count)", count(*regions), count(*limit)),
            vec![format!(
                "{} used; at the limit mmap, mprotect and malloc fail with ENOMEM",
                percent(*regions as f64 / *limit as f64)
            )],
            format!("residue map {target} --sort size"),
        ),
        Evidence::NearLimit { limit, used } => (
            format!("{} of {} used: {}", size(*used), size(limit.limit), limit_name(limit.kind, os)),
            vec![format!("{}, {} left", limit.source, size(limit.limit - *used))],
            match limit.kind {
                LimitKind::Machine | LimitKind::Commit => "residue ps --top 20".into(),
                _ => format!("residue watch {target} --for 10m"),
            },
        ),
        Evidence::SwappedOut { swap, private } => (
            format!(
                "{} swapped out: {} of the private memory",
                size(*swap),
                percent(swap.share_of(*private))
            ),
            vec!["the resident set alone hides it".into()],
            format!("residue map {target} --sort swap"),
        ),
        Evidence::SharedMemory { rss, share, regions } => (
            format!("{} of shared memory: {} of the resident set", size(*rss), percent(*share)),
            vec![format!(
                "{} regions; it counts in every process that maps it, so compare pss",
                count(*regions)
            )],
            format!("residue map {target} --filter usage=shared --sort rss"),
        ),
        Evidence::DeletedFiles { regions, rss, size: mapped, names } => (
            format!("deleted files are still mapped, in {} regions", count(*regions)),
            deleted(names, *rss, *mapped),
            format!("residue map {target} --sort name --all"),
        ),
        _ => (evidence.id().to_owned(), Vec::new(), format!("residue map {target}")),
    }
}

/// What reserved memory that nobody lists does to a sum of what is free.
fn at_most(is_derived: bool) -> &'static str {
    if is_derived { "; the dump does not tell what is reserved, so less is free than this" } else { "" }
}

/// What is mostly found in dumps.
fn of_a_dump(evidence: &Evidence, target: &str, os: Os) -> (String, Vec<String>, String) {
    match evidence {
        Evidence::Dominant { usage, size: all, regions, share, examined } => (
            format!("{} is {}: {} in {}", percent(*share), usage.label(), size(*all), counted(*regions, "region")),
            [vec![meaning(*usage, os).to_owned()], examined.as_deref().map(inside).unwrap_or_default()].concat(),
            match examined.as_deref().and_then(telling) {
                Some(text) => format!("residue search {target} {text} --in usage={}", quoted(usage.key())),
                None => format!("residue map {target} --filter usage={} --sort size", quoted(usage.key())),
            },
        ),
        Evidence::Managed { runtimes } => (
            format!(
                "managed memory: {}",
                runtimes.iter().map(|runtime| runtime.kind.label()).collect::<Vec<_>>().join(", ")
            ),
            vec![
                format!(
                    "told by {}",
                    runtimes.iter().map(|runtime| runtime.evidence.as_str()).collect::<Vec<_>>().join(", ")
                ),
                "its objects are collected, not freed: what grows is kept alive by references, and the runtime's own \
                 tools see those"
                    .into(),
            ],
            format!("residue map {target} --sort size"),
        ),
        Evidence::Ended { event, look_at } => (
            format!("it was ended by {}", event.name),
            vec![
                [
                    event.thread.map(|thread| format!("thread {thread}")),
                    event.address.map(|address| format!("address {address}")),
                ]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", "),
            ],
            match look_at {
                Some(address) => format!("residue read {target} {address} 256"),
                None => format!("residue map {target}"),
            },
        ),
        _ => (evidence.id().to_owned(), Vec::new(), format!("residue map {target}")),
    }
}

fn equal(
    bin: &Histogram,
    usage: Usage,
    share: f64,
    examined: Option<&Examined>,
    target: &str,
    os: Os,
) -> (String, Vec<String>, String) {
    let mostly = examined.and_then(|examined| examined.contents.shares.first());
    let mostly = mostly.map(|share| format!(": {} {}", percent(share.share), share.content.label()));
    let title = format!(
        "{} regions of exactly {} hold {}{}",
        count(bin.regions),
        size(bin.size),
        size(bin.total),
        mostly.unwrap_or_default()
    );
    let mut evidence = vec![
        format!(
            "{:#x} bytes each, {} in all: {} of the writable private memory",
            bin.size.0,
            size(bin.total),
            percent(share)
        ),
        format!("they are {}: {}", usage.label(), meaning(usage, os)),
    ];
    evidence.extend(examined.map(inside).unwrap_or_default());
    let filter = format!("size={:#x}", bin.size.0);
    let next = match examined.and_then(telling) {
        Some(text) => {
            evidence.push(format!("as files: residue read {target} --all-matching {filter} -o regions/"));
            format!("residue search {target} {text} --in {filter}")
        }
        None if examined.is_some() => format!("residue read {target} --all-matching {filter} -o regions/"),
        None => format!("residue map {target} --filter {filter} --all"),
    };
    (title, evidence, next)
}

/// What was seen inside, in two lines; the whole of it stands under its own heading.
fn inside(examined: &Examined) -> Vec<String> {
    let text = content(examined);
    let telling = text.strings.into_iter().next().map(|string| format!("telling: {string}"));
    std::iter::once(format!("content: {}", text.shares)).chain(telling).collect()
}

/// The most telling string as an argument of a search.
fn telling(examined: &Examined) -> Option<String> {
    let telling = examined.contents.strings.first()?;
    let encoding = if telling.encoding == Encoding::Ascii { "" } else { " --utf16" };
    Some(format!("{}{encoding}", quoted(&telling.text)))
}

/// Who makes memory of this usage.
fn meaning(usage: Usage, os: Os) -> &'static str {
    match usage {
        Usage::Unclaimed => {
            "VirtualAlloc by the program or a library, outside of any heap that Windows knows"
        }
        Usage::NtHeap => "HeapAlloc, and malloc and new with it",
        Usage::Heap | Usage::Arena => "malloc and new: small blocks",
        Usage::Image | Usage::Text | Usage::Rodata | Usage::Data | Usage::Bss => {
            "programs and libraries, not data of theirs"
        }
        Usage::MappedFile | Usage::FileMapping => "files, or memory that can be shared",
        Usage::AnonymousTiny | Usage::AnonymousSmall | Usage::AnonymousMedium | Usage::AnonymousLarge => {
            "mmap, by an allocator for large blocks or by the program itself"
        }
        _ if os == Os::Windows => "see the Windows documentation of this kind of memory",
        _ => "one kind of memory makes up the process",
    }
}

fn deleted(names: &[String], rss: Bytes, mapped: Bytes) -> Vec<String> {
    let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    let more = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
    vec![
        format!("{} mapped, {} resident", size(mapped), size(rss)),
        format!("{}{more}: after an upgrade, restart the process", shown.join(", ")),
    ]
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::PrivateAndSwap | Signal::Commit => "private",
        Signal::Shared => "shared",
    }
}

fn limit_name(kind: LimitKind, os: Os) -> &'static str {
    match kind {
        LimitKind::AddressSpace if os == Os::Windows => {
            "the address space is nearly full, VirtualAlloc and malloc will fail"
        }
        LimitKind::Cgroup => "the cgroup is nearly full, the OOM killer is next",
        LimitKind::AddressSpace => "RLIMIT_AS is near, mmap and malloc will fail",
        LimitKind::Data => "RLIMIT_DATA is near, brk and mmap will fail",
        LimitKind::Machine => "the machine is nearly out of memory",
        LimitKind::Commit => "the commit limit is near: no process can get memory when it is reached",
    }
}
