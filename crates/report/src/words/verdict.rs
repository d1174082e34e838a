use residue_analysis::growth::{Class, Forecast, Place, Reason, Signal, Verdict, VerdictKind};
use residue_model::{LimitKind, Process};

use crate::units::{argument, duration, percent, rate, rate_like, size};
use residue_model::Bytes;

/// A verdict in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictText {
    /// `LIKELY LEAK`.
    pub headline: &'static str,
    /// `+18.4 MiB/h  (95 %: 16.9 … 19.8)`, empty when there is no trend.
    pub rate: String,
    /// `reaches the cgroup limit of 512 MiB in 9 h … 11 h`, empty when it reaches none.
    pub forecast: String,
    /// `high`, `medium`, `low`; empty when inconclusive.
    pub confidence: &'static str,
    /// Where it grows.
    pub places: String,
    /// What the verdict rests on.
    pub why: Vec<String>,
    /// The command to run next.
    pub next: String,
}

/// Puts a verdict into words.
pub fn verdict(verdict: &Verdict, process: &Process) -> VerdictText {
    VerdictText {
        headline: headline(verdict.kind),
        rate: rate_text(verdict),
        forecast: verdict.forecast.as_ref().map(forecast).unwrap_or_default(),
        confidence: confidence(verdict),
        places: verdict.places.as_deref().map_or_else(
            || "not known: its regions were not read, or too seldom".into(),
            |found| places(found, verdict.signal),
        ),
        why: why(verdict),
        next: next(verdict, process),
    }
}

/// The verdict in capitals.
pub fn headline(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::LikelyLeak => "LIKELY LEAK",
        VerdictKind::Step => "GREW IN A STEP",
        VerdictKind::Stable => "STABLE",
        VerdictKind::Shrinking => "SHRINKING",
        _ => "INCONCLUSIVE",
    }
}

/// A class of memory and what it usually means, on Windows or elsewhere.
pub fn class_label(class: Class, is_windows: bool) -> &'static str {
    match class {
        Class::Heap if is_windows => "heaps: HeapAlloc, malloc, new",
        Class::Mmap if is_windows => "VirtualAlloc: memory outside of heaps",
        Class::Files if is_windows => "images and mapped files",
        Class::Other if is_windows => "TEB, PEB",
        Class::Heap => "heap (brk and arenas): small blocks",
        Class::Mmap => "anonymous mmap: large blocks",
        Class::Shared => "shared memory",
        Class::Stacks => "stacks: threads",
        Class::Files => "files and modules",
        Class::Other => "JIT, huge pages, devices",
    }
}

fn rate_text(verdict: &Verdict) -> String {
    let Some(interval) = verdict.rate else { return String::new() };
    if interval.low.abs().max(interval.high.abs()) < 4096.0 {
        // Less than a page an hour is no rate.
        return String::new();
    }
    let (low, high) =
        (rate_like(interval.low, interval.estimate), rate_like(interval.high, interval.estimate));
    format!("{}  (95 %: {low} … {high})", rate(interval.estimate))
}

fn forecast(forecast: &Forecast) -> String {
    let limit = match forecast.limit.kind {
        LimitKind::Cgroup => "the cgroup limit",
        LimitKind::AddressSpace => forecast.limit.source.as_str(),
        LimitKind::Data => "RLIMIT_DATA",
        LimitKind::Machine => "the end of the machine's memory",
        LimitKind::Commit => "the commit limit",
    };
    let low = duration(forecast.low_seconds);
    let when = match forecast.high_seconds.map(duration) {
        Some(high) if high == low => format!("in about {low}"),
        Some(high) => format!("in {low} … {high}"),
        None => format!("in {low} at the earliest"),
    };
    format!("reaches {limit} of {} {when}", size(forecast.limit.limit))
}

fn confidence(verdict: &Verdict) -> &'static str {
    match verdict.confidence {
        _ if verdict.kind == VerdictKind::Inconclusive => "",
        sure if sure >= 0.85 => "high",
        sure if sure >= 0.65 => "medium",
        _ => "low",
    }
}

fn places(places: &[Place], signal: Signal) -> String {
    let class_label = |class| class_label(class, signal == Signal::Commit);
    let growing =
        |judged: bool| places.iter().filter(move |place| place.judged == judged && place.rate.estimate > 0.0);
    let mut parts: Vec<String> = growing(true)
        .filter(|place| place.share >= 0.005)
        .map(|place| format!("{} carries {} of the growth", class_label(place.class), percent(place.share)))
        .collect();
    if parts.is_empty() {
        parts.push("no class of the judged memory grows".into());
    }
    // Said, for it is seen in rss; apart, for it proves nothing.
    parts.extend(growing(false).map(|place| {
        format!(
            "besides, {} move by {}, which is no part of it",
            class_label(place.class),
            rate(place.rate.estimate)
        )
    }));
    parts.join("; ")
}

fn why(verdict: &Verdict) -> Vec<String> {
    let mut why: Vec<String> = verdict.reasons.iter().map(reason).collect();
    if verdict.signal == Signal::Shared {
        why.insert(0, "judged by shared memory: private memory does not grow".into());
    }
    why
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes for people, clamped at zero"
)]
fn bytes(value: f64) -> String {
    size(Bytes(value.max(0.0) as u64))
}

fn reason(reason: &Reason) -> String {
    match *reason {
        Reason::Evidence { samples, seconds, warmup_seconds } if warmup_seconds > 0.0 => format!(
            "{samples} samples over {}, first {} left out as warm-up",
            duration(seconds),
            duration(warmup_seconds)
        ),
        Reason::Evidence { samples, seconds, .. } => {
            format!("{samples} samples over {}, no warm-up seen", duration(seconds))
        }
        Reason::Unreadable => "private memory could not be read".into(),
        Reason::Thin { samples, seconds } => format!("only {samples} samples over {}", duration(seconds)),
        Reason::Rise { growth, noise } => {
            format!("grew by {}, while a sample typically strays by {}", bytes(growth), bytes(noise))
        }
        Reason::ValleysRise => "its low points rise too, in each third of the time".into(),
        Reason::ValleysFlat => {
            "its low points do not rise in each third of the time: it comes and goes".into()
        }
        Reason::Stopped { seconds } => {
            format!("it has not grown for the last {}, longer than any pause before", duration(seconds))
        }
        Reason::Slowing { first, last } => format!(
            "growth slows down from {} in the first third to {} in the last: a cache that fills or a warm-up looks so",
            rate(first),
            rate(last)
        ),
        Reason::Jump { bytes: jump, seconds, share } => {
            format!("{} of the growth came at once: {} at {}", percent(share), bytes(jump), duration(seconds))
        }
        Reason::Bounded { rate: fastest } if fastest < 1.0 => "it did not move at all".into(),
        Reason::Bounded { rate: fastest } => {
            format!("it moves by no more than {}", rate(fastest).trim_start_matches('+'))
        }
        Reason::Noisy { noise } => {
            format!("samples scatter by {}: growing and shrinking are both possible", bytes(noise))
        }
        Reason::Slight { growth } => {
            format!("it grew, but only by {}: less than an allocator takes at once", bytes(growth))
        }
        Reason::Young { age } if age < 1.0 => {
            "the process had only just started: a warm-up can look the same".into()
        }
        Reason::Young { age } => {
            format!("the process was only {} old: a warm-up can look the same", duration(age))
        }
        Reason::Short { seconds } => format!("{} is short for such a verdict", duration(seconds)),
        _ => String::new(),
    }
}

fn next(verdict: &Verdict, process: &Process) -> String {
    let pid = process.pid;
    match (verdict.kind, verdict.need_seconds) {
        _ if verdict.ended => successor(process),
        (_, Some(need)) => format!("residue watch {pid} --for {}", argument(need)),
        (VerdictKind::LikelyLeak | VerdictKind::Step, _) if verdict.confidence < 0.65 => {
            format!("residue watch {pid} --for 10m")
        }
        (VerdictKind::LikelyLeak | VerdictKind::Step, _) => {
            let usage = verdict
                .places
                .iter()
                .flatten()
                .next()
                .map_or("anonymous", |place| usage_filter(place.class, verdict.signal));
            match verdict.signal {
                // In cmd only these are quotes.
                Signal::Commit => format!("residue map {pid} --filter \"usage={usage}\" --sort size"),
                _ if usage == HEAP => format!("residue leaks {pid}"),
                _ => format!("residue map {pid} --filter 'usage={usage}' --sort rss"),
            }
        }
        _ => format!("residue map {pid}"),
    }
}

/// Looks for the one that took over: a service that ends is started again, under another number.
pub(super) fn successor(process: &Process) -> String {
    if matches!(process.name.as_str(), "residue" | "residue.exe") {
        // Ourselves, the demo: `ps` leaves out who looks for its own name.
        return "residue ps --top 10".into();
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let pattern: String =
        process.name.chars().map(|letter| if is_plain(letter) { letter } else { '.' }).collect();
    let quote = if process.footprint.windows.is_some() { '"' } else { '\'' };
    format!("residue ps --filter {quote}process=^{pattern}{quote}")
}

/// What allocators hold: who of it is lost can be asked.
const HEAP: &str = "heap|arena";

fn usage_filter(class: Class, signal: Signal) -> &'static str {
    match class {
        Class::Heap if signal == Signal::Commit => "heap",
        Class::Mmap if signal == Signal::Commit => "unknown",
        Class::Heap => HEAP,
        Class::Mmap | Class::Other => "anonymous",
        Class::Shared => "shared",
        Class::Stacks => "stack",
        Class::Files => "module|mapped_file",
    }
}

#[cfg(test)]
mod tests {
    use residue_analysis::growth::Interval;
    use residue_model::{Limit, ProcessId};

    use super::*;

    const MIB: f64 = 1024.0 * 1024.0;

    fn shop() -> Process {
        Process { pid: ProcessId(812), name: "shop (old)".into(), ..Process::default() }
    }

    fn leak() -> Verdict {
        Verdict {
            kind: VerdictKind::LikelyLeak,
            confidence: 0.9,
            signal: Signal::PrivateAndSwap,
            rate: Some(Interval { estimate: 18.4 * MIB, low: 16.9 * MIB, high: 19.8 * MIB }),
            places: Some(vec![Place {
                class: Class::Heap,
                rate: Interval::default(),
                judged: true,
                share: 0.97,
            }]),
            forecast: Some(Forecast {
                limit: Limit {
                    kind: LimitKind::Cgroup,
                    limit: Bytes::mib(512),
                    used: None,
                    source: String::new(),
                },
                low_seconds: 9.0 * 3600.0,
                high_seconds: Some(11.0 * 3600.0),
            }),
            need_seconds: None,
            reasons: vec![Reason::Evidence { samples: 312, seconds: 3120.0, warmup_seconds: 360.0 }],
            line: None,
            warmup_seconds: 360.0,
            ended: false,
        }
    }

    #[test]
    fn a_leak_reads_as_rate_interval_and_forecast() {
        let mut leak = leak();
        leak.places.as_mut().expect("made so")[0].rate.estimate = 1.0;
        let text = verdict(&leak, &shop());
        assert_eq!(text.rate, "+18.4 MiB/h  (95 %: 16.9 … 19.8)");
        assert_eq!(text.forecast, "reaches the cgroup limit of 512.0 MiB in 9 h … 11 h");
        assert_eq!(text.places, "heap (brk and arenas): small blocks carries 97 % of the growth");
        assert_eq!(text.why, ["312 samples over 52 min, first 6 min left out as warm-up"]);
        assert_eq!(text.next, "residue leaks 812");
    }

    #[test]
    fn of_a_process_that_has_ended_the_successor_is_looked_for() {
        let text = verdict(&Verdict { ended: true, ..leak() }, &shop());
        assert_eq!(text.next, "residue ps --filter 'process=^shop..old.'");
    }

    #[test]
    fn thin_evidence_says_how_long_to_watch() {
        let thin = Verdict {
            kind: VerdictKind::Inconclusive,
            confidence: 0.0,
            need_seconds: Some(90.0),
            forecast: None,
            ..leak()
        };
        let text = verdict(&thin, &shop());
        assert_eq!(
            (text.headline, text.confidence, text.next.as_str()),
            ("INCONCLUSIVE", "", "residue watch 812 --for 90s")
        );
    }
}
