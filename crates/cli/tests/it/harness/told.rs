//! Blocks that a program tells of, and what the command makes of them.

use std::collections::{BTreeMap, BTreeSet};

use residue_testkit::{Facts, Program};
use serde_json::Value;

use super::{address, number, rows, word};

/// A block that a program tells of.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// The kind in memcheck's terms, or `freed`.
    pub(crate) kind: String,
}

impl Told {
    pub(crate) fn all(facts: &Facts) -> Vec<Told> {
        let names = facts.names().filter_map(|name| name.strip_suffix("_kind"));
        let told: Vec<Told> = names
            .map(|name| Told {
                name: name.to_owned(),
                address: facts.number(name),
                size: facts.number(&format!("{name}_bytes")),
                kind: facts.text(&format!("{name}_kind")).to_owned(),
            })
            .collect();
        assert_eq!(told.len() as u64, facts.number("blocks"));
        told
    }

    /// A member of a ring of several that nothing leads to.
    pub(crate) fn is_in_lost_ring(&self) -> bool {
        self.name.starts_with("ring") && self.name.contains('_') && !self.name.contains("tail")
    }

    /// The kind in our terms; none of what was freed. A ring is one loss to us: memcheck calls its lowest member lost,
    /// and the others lost behind it.
    pub(crate) fn ours(&self) -> Option<&str> {
        match self.kind.as_str() {
            "freed" => None,
            _ if self.is_in_lost_ring() => Some("definite"),
            kind => Some(kind),
        }
    }
}

/// The argument for programs that load a library.
pub(crate) fn holder() -> String {
    let path = Program::build("holder").shared().path().expect("it compiles");
    format!("library={}", path.display())
}

/// The kind of each block of a document of `leaks --kinds all --all-addresses`.
#[track_caller]
pub(crate) fn kinds(document: &Value) -> BTreeMap<u64, String> {
    let mut kinds = BTreeMap::new();
    for record in rows(document, "leaks") {
        let addresses = rows(record, "addresses");
        assert_eq!(addresses.len() as u64, number(record, "blocks"), "all addresses were asked for");
        for at in addresses {
            let at = at.as_str().and_then(|at| u64::from_str_radix(at.strip_prefix("0x")?, 16).ok());
            let before = kinds.insert(at.expect("an address"), word(record, "kind").to_owned());
            assert!(before.is_none(), "{at:?} is told twice");
        }
    }
    kinds
}

/// Fails unless each block is told as what it is, and nothing else is called lost.
#[track_caller]
pub(crate) fn assert_told(document: &Value, told: &[Told]) {
    let found = kinds(document);
    for block in told {
        assert_eq!(found.get(&block.address).map(String::as_str), block.ours(), "{block:x?}");
    }
    let known: BTreeSet<u64> = told.iter().map(|block| block.address).collect();
    let strange: Vec<_> =
        found.iter().filter(|(at, kind)| *kind != "reachable" && !known.contains(at)).collect();
    assert!(strange.is_empty(), "nobody lost these: {strange:x?}");
    assert_sums(document);
    for record in rows(document, "leaks").iter().filter(|record| record["cycle"] == true) {
        let members = rows(record, "addresses").len() as u64;
        assert!(members.is_multiple_of(number(record, "members")) || record["size"].is_u64(), "{record:#}");
    }
}

/// Fails unless the totals of each kind are the sums of its records.
#[track_caller]
pub(crate) fn assert_sums(document: &Value) {
    for kind in ["definite", "indirect", "possible", "reachable"] {
        let of_kind: Vec<_> =
            rows(document, "leaks").iter().filter(|record| record["kind"] == kind).collect();
        for key in ["blocks", "bytes"] {
            let sum: u64 = of_kind.iter().map(|record| number(record, key)).sum();
            assert_eq!(sum, number(&document["totals"][kind], key), "{kind} {key}");
        }
    }
}

/// The record that has a block.
#[track_caller]
pub(crate) fn record_of(document: &Value, block: u64) -> &Value {
    let is_it = |record: &&Value| rows(record, "addresses").iter().any(|at| *at == format!("{block:#x}"));
    rows(document, "leaks").iter().find(is_it).unwrap_or_else(|| panic!("{block:#x} is in no record"))
}

/// Where a range of a document starts.
#[track_caller]
pub(crate) fn start(row: &Value) -> u64 {
    address(row, "start")
}
