use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem::Finder;

use super::extract::{Texts, occurrences};
use super::generic::specific;
use super::grams::{Grams, WIDTH};
use super::telling::{Encoding, Telling};
use super::units::{Unit, units};

/// A string, and in how many texts it stands: estimated at first, then counted.
pub(super) struct Candidate<'a> {
    key: (Encoding, &'a str),
    torn: bool,
    /// Characters in words that are not the format's.
    pub(super) specific: usize,
    pub(super) members: u64,
    members_share: f64,
    background_share: f64,
}

/// Members in which candidates are looked for: one that a tenth of all has is missed in all of these once in 30 times,
/// one that a quarter has never.
const SOURCES: usize = 32;
/// More different candidates than these are not kept.
const KEPT: usize = 50_000;

/// Strings that at least so many members seem to have, best first.
pub(super) fn candidates<'a>(members: &[&'a Texts], background: &[&Texts], least: u8) -> Vec<Candidate<'a>> {
    let mut search =
        Search { inside: tabulate(members), outside: tabulate(background), found: HashMap::new() };
    for texts in members.iter().step_by(members.len().div_ceil(SOURCES)) {
        for encoding in Encoding::BOTH {
            search.add(encoding, encoding.of(texts), least);
        }
    }
    let whole = (members.len(), background.len());
    let found = search.found.into_iter();
    let mut candidates: Vec<Candidate> =
        found.map(|(key, estimate)| Candidate::of(key, &estimate, whole)).collect();
    sort(&mut candidates);
    candidates
}

/// The grams of all members and of the background, and what was found by them.
struct Search<'a> {
    inside: Grams,
    outside: Grams,
    found: HashMap<(Encoding, &'a str), Estimate>,
}

impl<'a> Search<'a> {
    fn add(&mut self, encoding: Encoding, text: &'a [u8], least: u8) {
        let counts: Vec<u8> = self.inside.counts(text, encoding.salt()).collect();
        for stretch in stretches(&counts, least) {
            for unit in units(text, stretch.start..stretch.end + WIDTH - 1) {
                if self.found.len() < KEPT {
                    self.add_unit(encoding, &unit, &counts);
                }
            }
        }
    }

    fn add_unit(&mut self, encoding: Encoding, unit: &Unit<'a>, counts: &[u8]) {
        let grams = unit.start..unit.start + unit.text.len() + 1 - WIDTH;
        let estimate = self.found.entry((encoding, unit.text)).or_insert_with(|| Estimate {
            inside: counts[grams].iter().copied().min().unwrap_or(0),
            outside: self.outside.counts(unit.text.as_bytes(), encoding.salt()).min().unwrap_or(0),
            torn: true,
        });
        // Torn in one member, it may be whole in another.
        estimate.torn &= unit.torn;
    }
}

/// What the tables say of a string: its rarest gram is as frequent as the whole, or more so.
struct Estimate {
    inside: u8,
    outside: u8,
    torn: bool,
}

/// Best first; those that are as good in order of their text, so that every run tells the same.
pub(super) fn sort(candidates: &mut [Candidate<'_>]) {
    candidates.sort_by(|a, b| b.score().total_cmp(&a.score()).then_with(|| a.key.cmp(&b.key)));
}

fn tabulate(texts: &[&Texts]) -> Grams {
    let mut grams = Grams::new();
    for (texts, member) in texts.iter().zip(1..=u8::MAX) {
        for encoding in Encoding::BOTH {
            grams.add(encoding.of(texts), encoding.salt(), member);
        }
    }
    grams
}

/// Stretches of grams that at least `least` members have, and within each those that clearly more have.
///
/// Where the number changes, something that varies borders on something that does not: that is where a template ends.
/// But a word of the template may be in other members as well, so the longer stretch counts, too.
fn stretches(counts: &[u8], least: u8) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut open = vec![(0..counts.len(), least)];
    while let Some((range, least)) = open.pop() {
        let mut at = range.start;
        for run in counts[range].chunk_by(|a, b| (*a >= least) == (*b >= least)) {
            let level = run.iter().copied().min().unwrap_or(0);
            if level >= least {
                stretches.push(at..at + run.len());
                // Cells that grams share by chance make counts swing a little.
                let higher = level.checked_add(5.max(level / 8 + 1));
                open.extend(higher.map(|higher| (at..at + run.len(), higher)));
            }
            at += run.len();
        }
    }
    stretches
}

impl<'a> Candidate<'a> {
    fn of(
        key: (Encoding, &'a str),
        estimate: &Estimate,
        (members, background): (usize, usize),
    ) -> Candidate<'a> {
        Candidate {
            key,
            torn: estimate.torn,
            specific: specific(key.1),
            members: estimate.inside.into(),
            members_share: f64::from(estimate.inside) / members.max(1) as f64,
            background_share: f64::from(estimate.outside) / background.max(1) as f64,
        }
    }

    /// Frequent here, rare elsewhere, and long in what is its own.
    fn score(&self) -> f64 {
        let surprise = ((self.members_share + 0.01) / (self.background_share + 0.01)).ln().max(0.0);
        let length = self.specific.min(40) as f64 + self.key.1.chars().count() as f64 / 64.0;
        let torn = if self.torn { 0.4 } else { 1.0 };
        self.members_share * surprise * length.sqrt() * torn
    }

    pub(super) fn count(&mut self, members: &[&Texts], background: &[&Texts]) {
        let (encoding, text) = self.key;
        let finder = Finder::new(text);
        let count = |texts: &[&Texts]| {
            texts.iter().filter(|texts| finder.find(encoding.of(texts)).is_some()).count() as u64
        };
        self.members = count(members);
        self.members_share = self.members as f64 / members.len().max(1) as f64;
        self.background_share = count(background) as f64 / background.len().max(1) as f64;
    }

    pub(super) fn is_rarer_elsewhere(&self) -> bool {
        self.members_share > self.background_share * 2.0
    }

    /// Whether a better string says the same already: one holds the other, or they overlap by half. Only a part that
    /// clearly more members have is news.
    pub(super) fn is_told_by(&self, better: &Candidate<'_>) -> bool {
        let (a, b) = (self.key.1, better.key.1);
        let is_news = self.members * 8 > better.members * 9;
        !is_news && (a.contains(b) || b.contains(a) || overlap(a, b) * 2 >= a.len().min(b.len()))
    }

    pub(super) fn tell(&self, members: &[&Texts]) -> Telling {
        let (encoding, text) = self.key;
        let finder = Finder::new(text);
        Telling {
            text: text.to_owned(),
            encoding,
            members: self.members,
            share: self.members_share,
            background: self.background_share,
            occurrences: members.iter().map(|texts| occurrences(&finder, encoding.of(texts))).sum(),
        }
    }
}

/// How many bytes one string ends with that the other begins with.
fn overlap(a: &str, b: &str) -> usize {
    let longest = a.len().min(b.len());
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let joins = |len: &usize| a.ends_with(&b[..*len]) || b.ends_with(&a[..*len]);
    (4..=longest).rev().find(joins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_holds_the_parts_of_it_that_more_members_have() {
        let mut found = stretches(&[0, 3, 20, 20, 60, 60, 19, 2, 30], 10);
        found.sort_unstable_by_key(|range| (range.start, range.end));
        assert_eq!(found, [2..7, 4..6, 8..9]);
        assert!(stretches(&[], 3).is_empty());
        assert_eq!(stretches(&[255; 3], 3).len(), 1, "no level lies above the highest");
    }

    #[test]
    fn an_end_of_one_that_begins_the_other_overlaps() {
        assert_eq!(overlap("class=\"forecast", "forecast-widget"), 8);
        assert_eq!(overlap("forecast", "station"), 0);
    }
}
