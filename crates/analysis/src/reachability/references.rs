//! Who points at something.

use std::ops::ControlFlow;

use residue_model::{Address, Block, Range};

use super::{Root, RootKind, Scene};

/// A word that points into what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where the word stands; none for a register.
    pub at: Option<Address>,
    /// What it says.
    pub to: Address,
    /// It points at the very start of what was asked for.
    pub is_start: bool,
    /// What holds the word.
    pub holder: Holder,
}

/// What holds a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A block; a dead one when it is not live: what was freed keeps what it held for a while.
    Block(Block),
    /// Something outside of blocks.
    Root {
        /// What it is.
        kind: RootKind,
        /// Its module or region.
        name: Option<std::sync::Arc<str>>,
        /// Its thread.
        thread: Option<u32>,
    },
    /// A part of a stack that nobody uses any more, or an allocator's own words.
    Dead,
}

impl Holder {
    /// Whether it keeps what it points at from being lost, as far as it is held itself.
    pub fn is_live(&self) -> bool {
        match self {
            Holder::Block(block) => block.live,
            Holder::Root { .. } => true,
            Holder::Dead => false,
        }
    }
}

/// All words that point into a range. `scanned` is told how much has been looked at; breaks to give up.
pub fn references(
    scene: &Scene<'_>,
    roots: &[Root],
    target: Range,
    scanned: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Vec<Reference> {
    let mut found = Vec::new();
    hits(scene, roots, &[target], scanned, &mut |_, reference| found.push(reference));
    found.sort_by_key(|reference| (!reference.holder.is_live(), reference.at));
    found
}

/// Looks at every word that is held. `targets` stand in order and do not overlap; `hit` is told into which one a word
/// points.
fn hits(
    scene: &Scene<'_>,
    roots: &[Root],
    targets: &[Range],
    scanned: &mut dyn FnMut(u64) -> ControlFlow<()>,
    hit: &mut dyn FnMut(usize, Reference),
) {
    let (Some(first), Some(last)) = (targets.first(), targets.last()) else { return };
    let (lowest, extent) = (first.start.0, last.end.0 - first.start.0);
    let into = |word: u64| {
        let index = targets.partition_point(|target| target.end.0 <= word);
        targets.get(index).is_some_and(|target| target.contains(Address(word))).then_some(index)
    };
    let reference = |at, index: usize, word, holder| Reference {
        at,
        to: Address(word),
        is_start: targets[index].start.0 == word,
        holder,
    };
    for root in roots {
        for &word in &root.words {
            if let Some(index) = into(word) {
                hit(index, reference(None, index, word, root.holder()));
            }
        }
    }
    for &(start, bytes) in &scene.pieces.0 {
        let skipped = usize::try_from(start.0.next_multiple_of(8) - start.0).unwrap_or_default();
        let first = start.0 + skipped as u64;
        for (nth, slice) in bytes.get(skipped..).unwrap_or_default().chunks(SLICE).enumerate() {
            for (index, word) in slice.chunks_exact(8).enumerate() {
                let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
                if word.wrapping_sub(lowest) >= extent {
                    continue;
                }
                if let Some(target) = into(word) {
                    let at = Address(first + (nth * SLICE + 8 * index) as u64);
                    hit(target, reference(Some(at), target, word, holder(scene, roots, at)));
                }
            }
            if scanned(slice.len() as u64).is_break() {
                return;
            }
        }
    }
}

/// How much is looked at before somebody is told.
const SLICE: usize = 4 << 20;

/// What holds the word at an address.
pub(super) fn holder(scene: &Scene<'_>, roots: &[Root], at: Address) -> Holder {
    if let Some(block) = scene.blocks.at(at) {
        return Holder::Block(block);
    }
    let root = roots.iter().find(|root| root.ranges.iter().any(|range| range.contains(at)));
    root.map_or(Holder::Dead, Root::holder)
}

impl Root {
    pub(super) fn holder(&self) -> Holder {
        Holder::Root { kind: self.kind, name: self.name.clone(), thread: self.thread }
    }
}
