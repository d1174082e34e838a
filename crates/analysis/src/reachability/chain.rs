//! By what a block is held: the shortest chain of pointers from a root.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use residue_model::{Address, Block, BlockId, Range};

use super::references::{Holder, Reference, holder};
use super::{Root, Scene};

/// What came of the search for a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The words that lead from a root to the block, the root's first.
    Held(Vec<Reference>),
    /// No chain leads to it.
    Lost,
    /// Somebody ended the search.
    GivenUp,
}

/// Follows pointers from all roots at once, a step at a time, until the block is met: so the chain is the shortest.
///
/// Remembers of each block that it meets by which word. Pointers into a block count as those to its start.
pub fn chain_to_root(
    scene: &Scene<'_>,
    roots: &[Root],
    block: Block,
    scanned: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Chain {
    let extent = scene.blocks.extent();
    let mut search = Search {
        scene,
        target: block.id,
        lowest: extent.start.0,
        extent: extent.size().0,
        met: HashMap::new(),
        queue: VecDeque::new(),
        hint: 0,
    };
    for (index, root) in roots.iter().enumerate() {
        for &word in &root.words {
            search.see(word, Place::Register(index));
        }
        for &range in &root.ranges {
            if search.scan(range, scanned).is_break() {
                return Chain::GivenUp;
            }
        }
    }
    while !search.met.contains_key(&block.id) {
        let Some(next) = search.queue.pop_front() else { return Chain::Lost };
        if search.scan(next, scanned).is_break() {
            return Chain::GivenUp;
        }
    }
    search.chain(roots)
}

/// Where a word stands.
#[derive(Clone, Copy)]
enum Place {
    Memory(Address),
    /// In a register of this root.
    Register(usize),
}

struct Search<'a> {
    scene: &'a Scene<'a>,
    target: BlockId,
    lowest: u64,
    extent: u64,
    /// By which word a block was met first, and what the word says.
    met: HashMap<BlockId, (Place, u64)>,
    queue: VecDeque<Range>,
    hint: u32,
}

impl Search<'_> {
    fn scan(&mut self, range: Range, scanned: &mut dyn FnMut(u64) -> ControlFlow<()>) -> ControlFlow<()> {
        for (start, bytes) in self.scene.pieces.within(range) {
            let skipped = usize::try_from(start.0.next_multiple_of(8) - start.0).unwrap_or_default();
            let words = bytes.get(skipped..).unwrap_or_default().chunks_exact(8);
            for (index, word) in words.enumerate() {
                let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
                if word.wrapping_sub(self.lowest) < self.extent {
                    self.see(word, Place::Memory(Address(start.0 + (skipped + 8 * index) as u64)));
                }
            }
            scanned(bytes.len() as u64)?;
        }
        ControlFlow::Continue(())
    }

    fn see(&mut self, word: u64, place: Place) {
        let Some(found) = self.scene.blocks.find_live(Address(word), &mut self.hint) else { return };
        if self.met.contains_key(&found.id) {
            return;
        }
        self.met.insert(found.id, (place, word));
        self.queue.push_back(self.scene.blocks.bytes(found.run, found.id));
    }

    /// Goes back from the block to the root.
    fn chain(&self, roots: &[Root]) -> Chain {
        let mut chain = Vec::new();
        let mut at = self.target;
        while let Some(&(place, word)) = self.met.get(&at) {
            let is_start = self.scene.blocks.block(at).range.start.0 == word;
            let (stands, held_by) = match place {
                Place::Memory(address) => (Some(address), holder(self.scene, roots, address)),
                Place::Register(root) => (None, roots[root].holder()),
            };
            let next = match &held_by {
                Holder::Block(block) => Some(block.id),
                Holder::Root { .. } | Holder::Dead => None,
            };
            chain.push(Reference { at: stands, to: Address(word), is_start, holder: held_by });
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        chain.reverse();
        Chain::Held(chain)
    }
}
