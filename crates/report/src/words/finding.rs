use residue_analysis::finding::Evidence;
use residue_analysis::growth::Signal;
use residue_analysis::{Finding, Severity};
use residue_model::{Bytes, LimitKind, Process, ProcessId};

use super::verdict::{headline, successor};
use crate::units::{count, duration, percent, rate, size};

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

/// Puts a finding on a process into words.
pub fn finding(finding: &Finding, process: &Process, ended: bool) -> FindingText {
    let (title, evidence, next) = texts(&finding.evidence, process.pid);
    let next = if ended { successor(process) } else { next };
    let severity = match finding.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    FindingText { severity, title, evidence, next }
}

fn texts(evidence: &Evidence, pid: ProcessId) -> (String, Vec<String>, String) {
    match evidence {
        Evidence::Growth { kind, signal, rate_per_hour, span_seconds } => (
            format!(
                "{}: {} memory grows by {}",
                headline(*kind).to_lowercase(),
                signal_name(*signal),
                rate(*rate_per_hour)
            ),
            vec![format!("measured over {}", duration(*span_seconds))],
            format!("residue watch {pid} --for 10m"),
        ),
        Evidence::EqualRegions { bin, usage, share } => (
            format!("{} regions of exactly {}", count(bin.regions), size(bin.size)),
            vec![
                format!(
                    "{:#x} bytes each, {} in all: {} of the writable private memory",
                    bin.size.0,
                    size(bin.total),
                    percent(*share)
                ),
                format!("they are {}: one kind of object, mapped one by one", usage.label()),
            ],
            format!(
                "residue map {pid} --filter usage={},min-size={} --sort size --all",
                usage.key(),
                bin.size.0
            ),
        ),
        Evidence::Fragmented { free, bits } => (
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
                format!("{bits}-bit address space"),
            ],
            format!("residue map {pid} --html map.html"),
        ),
        Evidence::Exhausted { free, space } => (
            format!("the 32-bit address space runs out: {} of {} left", size(*free), size(*space)),
            vec!["mmap and malloc fail when it ends, however much RAM the machine has".into()],
            format!("residue map {pid} --sort size"),
        ),
        Evidence::RegionCount { regions, limit } => (
            format!("{} regions of at most {} (vm.max_map_count)", count(*regions), count(*limit)),
            vec![format!(
                "{} used; at the limit mmap, mprotect and malloc fail with ENOMEM",
                percent(*regions as f64 / *limit as f64)
            )],
            format!("residue map {pid} --sort size"),
        ),
        Evidence::NearLimit { limit, used } => (
            format!("{} of {} used: {}", size(*used), size(limit.limit), limit_name(limit.kind)),
            vec![format!("{}, {} left", limit.source, size(limit.limit - *used))],
            match limit.kind {
                LimitKind::Machine => "residue ps --top 20".into(),
                _ => format!("residue watch {pid} --for 10m"),
            },
        ),
        Evidence::SwappedOut { swap, private } => (
            format!(
                "{} swapped out: {} of the private memory",
                size(*swap),
                percent(swap.share_of(*private))
            ),
            vec!["the resident set alone hides it".into()],
            format!("residue map {pid} --sort swap"),
        ),
        Evidence::SharedMemory { rss, share, regions } => (
            format!("{} of shared memory: {} of the resident set", size(*rss), percent(*share)),
            vec![format!(
                "{} regions; it counts in every process that maps it, so compare pss",
                count(*regions)
            )],
            format!("residue map {pid} --filter usage=shared --sort rss"),
        ),
        Evidence::DeletedFiles { regions, rss, size: mapped, names } => (
            format!("deleted files are still mapped, in {} regions", count(*regions)),
            deleted(names, *rss, *mapped),
            format!("residue map {pid} --sort name --all"),
        ),
        _ => (evidence.id().to_owned(), Vec::new(), format!("residue map {pid}")),
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
        Signal::PrivateAndSwap => "private",
        Signal::Shared => "shared",
    }
}

fn limit_name(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::Cgroup => "the cgroup is nearly full, the OOM killer is next",
        LimitKind::AddressSpace => "RLIMIT_AS is near, mmap and malloc will fail",
        LimitKind::Data => "RLIMIT_DATA is near, brk and mmap will fail",
        LimitKind::Machine => "the machine is nearly out of memory",
    }
}
