use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

/// The text of a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// All of it.
    pub text: String,
    /// It was written after the recording began: its lines may be others by now.
    pub is_newer: bool,
}

/// Texts of source files by the names that a recording has for them.
pub type Sources = HashMap<String, Source>;

/// Lines shown before and after the one that matters.
const AROUND: u32 = 4;
/// Characters of a line; what follows is cut.
const LONGEST: usize = 160;

/// The lines of a file that the page shows.
#[derive(Serialize)]
pub(super) struct Excerpt {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    newer: bool,
    lines: BTreeMap<u32, String>,
}

impl Excerpt {
    /// The lines around some, counted from 1; None when the file has none of them.
    pub(super) fn of(source: &Source, around: &BTreeSet<u32>) -> Option<Excerpt> {
        let wanted: BTreeSet<u32> = around
            .iter()
            .flat_map(|line| line.saturating_sub(AROUND)..=line.saturating_add(AROUND))
            .collect();
        let lines: BTreeMap<u32, String> = (1..)
            .zip(source.text.lines())
            .filter(|(number, _)| wanted.contains(number))
            .map(|(number, line)| (number, line.chars().take(LONGEST).collect()))
            .collect();
        let has_one = around.iter().any(|line| lines.contains_key(line));
        has_one.then_some(Excerpt { newer: source.is_newer, lines })
    }
}
