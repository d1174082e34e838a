//! The lists of free chunks that an arena keeps.

use std::collections::HashSet;

use residue_model::{Address, Bytes, Damage, Run};

use super::layout::{BINS, FASTBINS, State, chunk, reveal};
use super::walk::Sum;
use crate::Image;

/// What the lists of an arena hold.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) bins: Sum,
    pub(super) fast: Sum,
    pub(super) fast_chunks: Vec<u64>,
    pub(super) damage: Vec<Damage>,
}

/// The chunk that was last put into the list of those not sorted yet; the arena's own place for it when there is none.
pub(super) fn newest(image: &Image<'_>, state: &State, arena: u64) -> u64 {
    image.word(arena + state.bins).unwrap_or_default()
}

/// Reads all lists of an arena; `runs` are its stretches, walked. No list is followed for more than `most` chunks.
pub(super) fn read(image: &Image<'_>, state: &State, arena: u64, runs: &[&Run], most: u64) -> Listed {
    let mut listed = Listed::default();
    for list in 0..BINS {
        read_list(image, arena + state.bins + 16 * list - 16, runs, most, &mut listed);
    }
    if let Some(fastbins) = state.fastbins {
        for list in 0..FASTBINS {
            let size = chunk::SMALLEST + 16 * list;
            read_fast(image, arena + fastbins + 8 * list, size, runs, &mut listed);
        }
    }
    listed
}

/// A ring of chunks through their third and fourth words; the arena's own place for it poses as one of them.
fn read_list(image: &Image<'_>, head: u64, runs: &[&Run], most: u64, listed: &mut Listed) {
    let mut path = [head; 2];
    let Some(mut at) = image.word(head + 16) else { return };
    let mut count = 0;
    while at != head {
        let [_, before] = path;
        let mut say = |at: u64, what: String| {
            listed.damage.push(Damage { at: Address(at), what, suspect: None, unwalked: Bytes(0) });
        };
        if count > most {
            return say(before, "a list of free chunks does not end".into());
        }
        if !is_linked(image, path, at) {
            let what =
                format!("the chunk at {at:#x} in a list of free ones does not lead back to {before:#x}");
            return say(before, what);
        }
        // Whatever a thread is doing, the links go on: what is in the list behind one chunk is not lost with it.
        if !holds(runs, at) {
            say(before, format!("a list of free chunks leads to {at:#x}, where none begins"));
        } else if is_live(runs, at) {
            say(before, format!("the chunk at {at:#x} is in a list of free ones but in use"));
        } else {
            let size = image.word(at + 8).unwrap_or_default() & !chunk::FLAGS;
            let is_whole = ends(runs, at, size);
            if !is_whole {
                // A thread that splits a chunk links what is left of it before it writes its size.
                say(
                    at,
                    format!("the chunk at {at:#x} in a list of free ones says that it has {size:#x} bytes"),
                );
            }
            listed.bins.add(if is_whole { size } else { 0 });
        }
        count += 1;
        path = [before, at];
        at = image.word(at + 16).unwrap_or_default();
    }
}

/// Whether a chunk leads back to where a list comes from. While another is put between them or taken out, it leads to
/// that one, or to the one before.
fn is_linked(image: &Image<'_>, [first, before]: [u64; 2], at: u64) -> bool {
    let Some(back) = at.checked_add(24).and_then(|place| image.word(place)) else { return false };
    let link = |offset: u64| back.checked_add(offset).and_then(|place| image.word(place));
    back == before || back == first || (link(16), link(24)) == (Some(at), Some(before))
}

fn read_fast(image: &Image<'_>, place: u64, size: u64, runs: &[&Run], listed: &mut Listed) {
    let mut at = image.word(place).unwrap_or_default();
    let mut seen = HashSet::new();
    while at != 0 {
        let fits = holds(runs, at) && image.word(at + 8).is_some_and(|word| word & !chunk::FLAGS == size);
        if !fits || !seen.insert(at) {
            let what = format!("the fastbin of {size:#x} bytes leads to {at:#x}, where no such chunk begins");
            listed.damage.push(Damage { at: Address(place), what, suspect: None, unwalked: Bytes(0) });
            return;
        }
        listed.fast.add(size);
        listed.fast_chunks.push(at);
        let link = image.word(at + 16).unwrap_or_default();
        // Since 2.32 links are mixed with their address. A plain one leads to a chunk, or ends.
        at = if link == 0 || holds(runs, link) { link } else { reveal(at + 16, link) };
    }
}

fn holds(runs: &[&Run], at: u64) -> bool {
    runs.iter().any(|run| run.begins(Address(at)))
}

/// Whether a chunk of such a size ends where its run does, or before.
fn ends(runs: &[&Run], at: u64, size: u64) -> bool {
    let reaches = |run: &&Run| run.begins(Address(at)) && run.range().end.0 - at >= size;
    size.is_multiple_of(16) && size >= chunk::SMALLEST && runs.iter().any(reaches)
}

fn is_live(runs: &[&Run], at: u64) -> bool {
    runs.iter().any(|run| run.is_live(Address(at)))
}
