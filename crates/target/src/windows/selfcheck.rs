//! What the calls of Windows say, compared with each other.
//!
//! Residue is built and tested without a Windows machine at hand. Whoever has one can let it check itself, and send the
//! recording: it is concluded again, and compared again, anywhere.

use residue_model::{Address, Bytes, Gap, Pages, Range};
use serde::{Deserialize, Serialize};

use super::{Counted, Observation};

/// A document of `residue selfcheck`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Selfcheck {
    /// `residue.selfcheck/1`.
    pub schema: String,
    /// The version that wrote it.
    pub residue: String,
    /// Who looked at itself.
    pub target: Who,
    /// What could not be asked.
    pub gaps: Vec<Gap>,
    /// What was compared, and how it came out.
    pub checks: Vec<Check>,
    /// What the process saw of itself.
    pub observation: Observation,
}

impl Selfcheck {
    /// The schema of the document, which is also how a recording is known.
    pub const SCHEMA: &str = "residue.selfcheck/1";

    /// What came out of some checks of an observation.
    pub fn of(observation: Observation, checks: Vec<Check>, version: &str) -> Selfcheck {
        let gaps = observation.gaps.iter().cloned().chain(observation.missing()).collect();
        Selfcheck {
            schema: Selfcheck::SCHEMA.into(),
            residue: version.into(),
            target: Who {
                kind: "process".into(),
                pid: observation.process.pid,
                name: observation.process.name.clone(),
            },
            gaps,
            checks,
            observation,
        }
    }

    /// Whether nothing contradicts anything.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Fail)
    }
}

/// The process that looked at itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// `process`.
    pub kind: String,
    /// Its number.
    pub pid: u32,
    /// The file name of its program.
    pub name: String,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What should hold.
    pub what: String,
    /// Whether it does.
    pub outcome: Outcome,
    /// The numbers.
    pub detail: String,
}

/// How a comparison came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// One side was not given, so nothing was compared.
    NotGiven,
}

/// Compares everything that two calls say of one thing.
pub fn checks(observation: &Observation) -> Vec<Check> {
    let mut checks = Vec::new();
    agreement(observation, &mut checks);
    checks.push(order(observation));
    checks.push(alignment(observation));
    checks.push(virtual_size(observation));
    checks.push(images(observation));
    checks.push(threads(observation));
    checks.push(blocks(observation));
    checks
}

/// Counters move between two calls: this much is no contradiction.
const DRIFT: Bytes = Bytes::mib(2);

type Named = (&'static str, fn(&Counted) -> Option<Bytes>);

/// Each counter as every call gives it.
fn agreement(observation: &Observation, checks: &mut Vec<Check>) {
    const COUNTERS: [Named; 6] = [
        ("working set", |counted| counted.working_set),
        ("private working set", |counted| counted.private_working_set),
        ("commit", |counted| counted.private_usage.or(counted.pagefile_usage)),
        ("paged pool", |counted| counted.paged_pool),
        ("non-paged pool", |counted| counted.nonpaged_pool),
        ("virtual size", |counted| counted.virtual_size),
    ];
    for (name, value) in COUNTERS {
        let is_wine = observation.system.wine.is_some();
        let given: Vec<(&str, Bytes)> = observation
            .counted
            .iter()
            .filter_map(|(call, counted)| Some((call.as_str(), value(&counted.believed(is_wine))?)))
            .collect();
        let detail: Vec<String> = given.iter().map(|(call, bytes)| format!("{call} {bytes}")).collect();
        let least = given.iter().map(|(_, bytes)| *bytes).min();
        let most = given.iter().map(|(_, bytes)| *bytes).max();
        let outcome = match (given.len(), least.zip(most)) {
            (0 | 1, _) | (_, None) => Outcome::NotGiven,
            (_, Some((least, most))) => outcome(most - least <= DRIFT),
        };
        checks.push(Check {
            what: format!("{name} is the same in every call"),
            outcome,
            detail: detail.join(", "),
        });
    }
}

fn outcome(holds: bool) -> Outcome {
    if holds { Outcome::Pass } else { Outcome::Fail }
}

/// Whether a counter followed what the process did with memory of its own.
pub fn follows(what: &str, before: Option<Bytes>, after: Option<Bytes>, wanted: Bytes) -> Check {
    let (outcome, detail) = match before.zip(after) {
        None => (Outcome::NotGiven, "the counter is not given".into()),
        Some((before, after)) => {
            let moved = Bytes(after.0.saturating_sub(before.0));
            let near = moved + DRIFT >= wanted && moved <= wanted + DRIFT;
            (outcome(near), format!("{before} before, {after} after"))
        }
    };
    Check { what: what.into(), outcome, detail }
}

fn order(observation: &Observation) -> Check {
    let wrong = observation.queried.windows(2).filter(|pair| pair[0].range.end > pair[1].range.start).count();
    Check {
        what: "ranges come in order and do not overlap".into(),
        outcome: outcome(wrong == 0 && !observation.queried.is_empty()),
        detail: format!("{} ranges, {wrong} out of order", observation.queried.len()),
    }
}

fn alignment(observation: &Observation) -> Check {
    const GRANULE: Bytes = Bytes::kib(64);
    let page = Bytes(observation.system.page_size_bytes);
    let is_whole =
        |query: &&super::Queried| query.range.start.is_aligned(page) && query.range.end.is_aligned(page);
    let uneven = observation.queried.iter().filter(|query| !is_whole(query)).count();
    // Pages that the kernel shares with every process stand there, wherever they like.
    let shared = Range { start: Address(0x7ffe_0000), end: Address(0x7fff_0000) };
    let is_odd = |query: &&super::Queried| {
        !query.allocation_base.is_aligned(GRANULE) && !shared.contains(query.allocation_base)
    };
    let unaligned = observation.queried.iter().filter(is_odd).count();
    Check {
        what: "ranges are whole pages, allocations begin at 64 KiB".into(),
        outcome: match &observation.system.wine {
            // It shows memory of the host as allocations, wherever they begin.
            Some(_) if uneven == 0 && unaligned > 0 => Outcome::NotGiven,
            _ => outcome(uneven == 0 && unaligned == 0),
        },
        detail: format!("{uneven} uneven ranges, {unaligned} allocations elsewhere"),
    }
}

/// What is reserved or committed is the virtual size; kernels add a little of their own.
fn virtual_size(observation: &Observation) -> Check {
    let ranges: Bytes = observation.queried.iter().map(|query| query.range.size()).sum();
    let counted = observation.counted().virtual_size;
    let (outcome, detail) = match counted {
        None => (Outcome::NotGiven, format!("the ranges take {ranges}")),
        Some(counted) => {
            let distance = (counted - ranges).max(ranges - counted);
            let near = distance.0 <= Bytes::mib(64).0.max(counted.0 / 20);
            (outcome(near), format!("the ranges take {ranges}, the counter says {counted}"))
        }
    };
    Check { what: "the ranges add up to the virtual size".into(), outcome, detail }
}

fn images(observation: &Observation) -> Check {
    let starts: Vec<_> =
        observation.queried.iter().filter(|query| query.pages.kind == Some(Pages::IMAGE)).collect();
    let missing = observation
        .modules
        .iter()
        .filter(|module| !starts.iter().any(|query| query.allocation_base == module.range.start))
        .count();
    Check {
        what: "every module is an allocation of type MEM_IMAGE".into(),
        outcome: outcome(missing == 0 && !observation.modules.is_empty()),
        detail: format!("{} modules, {missing} of them elsewhere", observation.modules.len()),
    }
}

fn threads(observation: &Observation) -> Check {
    let tebs: Vec<_> = observation.threads.iter().filter_map(|thread| thread.control_block).collect();
    let lost = tebs
        .iter()
        .filter(|teb| {
            !observation.queried.iter().any(|query| query.range.contains(**teb) && query.pages.is_committed())
        })
        .count();
    let what = "the block of every thread (TEB) is committed memory".into();
    let detail = format!(
        "{} threads, {} told their block, {lost} of these elsewhere",
        observation.threads.len(),
        tebs.len()
    );
    let outcome = if tebs.is_empty() { Outcome::NotGiven } else { outcome(lost == 0) };
    Check { what, outcome, detail }
}

/// Two blocks side by side that are alike in everything would have been one.
fn blocks(observation: &Observation) -> Check {
    let is_alike = |pair: &&[super::Queried]| {
        pair[0].range.end == pair[1].range.start
            && pair[0].allocation_base == pair[1].allocation_base
            && pair[0].pages == pair[1].pages
    };
    let split = observation.queried.windows(2).filter(is_alike).count();
    Check {
        what: "blocks are as large as they can be".into(),
        outcome: outcome(split == 0),
        detail: format!("{split} pairs of equal neighbours"),
    }
}

#[cfg(test)]
mod tests {
    use residue_model::Module;

    use super::*;
    use crate::windows::Queried;

    fn observation() -> Observation {
        let query = |start: u64, end: u64, kind| Queried {
            range: Range { start: Address(start), end: Address(end) },
            allocation_base: Address(start),
            pages: Pages { state: Pages::COMMIT, kind: Some(kind), protect: Some(4) },
            resident: None,
        };
        let range = Range { start: Address(0x40_0000), end: Address(0x50_0000) };
        let mut observation = Observation {
            queried: vec![
                query(0x1_0000, 0x2_0000, Pages::PRIVATE),
                query(0x40_0000, 0x50_0000, Pages::IMAGE),
            ],
            modules: vec![Module { range, name: "a.exe".into(), ..Module::default() }],
            ..Observation::default()
        };
        observation.system.page_size_bytes = 4096;
        let size = |mib| Counted { working_set: Some(Bytes::mib(mib)), ..Counted::default() };
        observation.counted.insert("one".into(), size(10));
        observation.counted.insert("other".into(), size(11));
        observation
    }

    fn find<'a>(checks: &'a [Check], word: &str) -> &'a Check {
        checks.iter().find(|check| check.what.contains(word)).expect("it is checked")
    }

    #[test]
    fn calls_that_agree_pass_and_what_is_not_given_is_not_passed() {
        let checks = checks(&observation());
        assert_eq!(find(&checks, "working set is").outcome, Outcome::Pass);
        assert_eq!(find(&checks, "commit").outcome, Outcome::NotGiven);
        assert_eq!(find(&checks, "every module").outcome, Outcome::Pass);
        assert_eq!(find(&checks, "TEB").outcome, Outcome::NotGiven);
        assert!(checks.iter().all(|check| check.outcome != Outcome::Fail), "{checks:?}");
    }

    #[test]
    fn calls_that_contradict_fail() {
        let mut broken = observation();
        broken
            .counted
            .insert("third".into(), Counted { working_set: Some(Bytes::mib(90)), ..Counted::default() });
        broken.queried.swap(0, 1);
        broken.modules[0].range.start = Address(0x41_0000);
        let checks = checks(&broken);
        for word in ["working set is", "in order", "every module"] {
            assert_eq!(find(&checks, word).outcome, Outcome::Fail, "{word}");
        }
    }
}
