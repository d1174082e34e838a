//! What is found broken, in bounded memory.

use residue_model::{Address, Bytes, Damage};

/// So many places are named; what is broken beyond them is added to the last.
const NAMED: usize = 1000;

/// Places where jemalloc's bookkeeping contradicts itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Harm {
    places: Vec<Damage>,
    count: usize,
}

impl Harm {
    /// What is wrong at an address, and how much of the heap is not accounted for because of it.
    pub(super) fn add(&mut self, at: u64, what: &str, unwalked: u64) {
        self.push(Damage {
            at: Address(at),
            what: what.to_owned(),
            suspect: None,
            unwalked: Bytes(unwalked),
        });
    }

    /// Adds one; the same as the last, in the word behind it, is one with it: a torn leaf is one place.
    fn push(&mut self, next: Damage) {
        self.count += 1;
        let is_full = self.places.len() >= NAMED;
        match self.places.last_mut() {
            Some(last) if is_full || is_row(last, &next) => last.unwalked += next.unwalked,
            _ => self.places.push(next),
        }
    }

    pub(super) fn join(&mut self, other: Harm) {
        other.places.into_iter().for_each(|damage| self.push(damage));
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn into_places(self) -> Vec<Damage> {
        self.places
    }
}

/// Whether `next` goes on where `last` ended: entries of the map, a word for each page.
fn is_row(last: &Damage, next: &Damage) -> bool {
    let words = last.unwalked.0 / super::layout::PAGE;
    words > 0 && last.what == next.what && next.at.0 == last.at.0 + words * 8
}
