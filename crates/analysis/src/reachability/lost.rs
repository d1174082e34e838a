//! What nobody can reach: which of it is lost by itself, and which only with something else.
//!
//! Blocks that point at each other in a ring are one loss with several members: none of them is lost because of another.
//! Source for the search: Tarjan, "Depth-first search and linear graph algorithms", 1972; without recursion, for a lost
//! list may have millions of members.

use residue_model::{Address, Bits, BlockId, Blocks, Bytes, Pieces};

/// Blocks that nobody can reach.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    /// In order of address.
    pub blocks: Vec<LostBlock>,
    /// What was lost by itself, in order of address.
    pub losses: Vec<Loss>,
}

/// A block that nobody can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostBlock {
    /// Which.
    pub id: BlockId,
    /// The loss that it belongs to, of several the first: an index of [`Lost::losses`].
    pub loss: u32,
    /// It was lost by itself, alone or as a member of a ring, and not with something else.
    pub is_definite: bool,
}

/// One block, or one ring of blocks, that nothing points at from outside; and what is lost with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// The block, or the first member of the ring.
    pub first: BlockId,
    /// Members of the ring; 1 for a single block.
    pub members: u32,
    /// Usable bytes of the members.
    pub bytes: Bytes,
    /// Blocks that came back with it, the members counted.
    pub retained_blocks: u64,
    /// Their usable bytes.
    pub retained_bytes: Bytes,
}

/// Sorts out lost blocks, which must be in order.
pub(super) fn sort_out(pieces: &Pieces<'_>, blocks: &Blocks, ids: &[BlockId], tagged: bool) -> Lost {
    let graph = Graph { pieces, blocks, ids, tagged };
    let rings = Rings::of(&graph);
    let mut lost = Lost { blocks: Vec::with_capacity(ids.len()), losses: Vec::new() };
    let mut of_ring = vec![NONE; rings.count as usize];
    for (node, &id) in ids.iter().enumerate() {
        let ring = rings.of[node];
        let is_definite = !rings.has_parent.get(u64::from(ring));
        let place = &mut of_ring[ring as usize];
        if is_definite {
            if *place == NONE {
                *place = narrow(lost.losses.len());
                lost.losses.push(Loss { first: id, ..Loss::default() });
            }
            let whole = &mut lost.losses[*place as usize];
            whole.members += 1;
            whole.bytes += blocks.block(id).size();
        }
        lost.blocks.push(LostBlock { id, loss: *place, is_definite });
    }
    graph.share_out(&mut lost);
    lost
}

const NONE: u32 = u32::MAX;

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("four billion lost blocks take more memory than there is")
}

struct Graph<'a> {
    pieces: &'a Pieces<'a>,
    blocks: &'a Blocks,
    ids: &'a [BlockId],
    tagged: bool,
}

impl Graph<'_> {
    /// The next lost block that a lost block points at or into, from a place in it on; the place moves behind it.
    fn next(&self, node: u32, offset: &mut u64, hint: &mut u32) -> Option<u32> {
        let block = self.blocks.block(self.ids[node as usize]).range;
        while *offset + 8 <= block.size().0 {
            let from = self.pieces.from(Address(block.start.0 + *offset));
            let left = usize::try_from(block.size().0 - *offset).unwrap_or(usize::MAX);
            let held = &from[..from.len().min(left)];
            for word in held.chunks_exact(8) {
                *offset += 8;
                let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
                let found =
                    self.find(word, hint).or_else(|| self.find(word & !7, hint).filter(|_| self.tagged));
                if found.is_some() {
                    return found;
                }
            }
            if held.len() < 8 {
                // Gigabytes of a block may never have been touched.
                let behind = Address(block.start.0 + *offset + held.len().max(1) as u64);
                let next = self.pieces.held_from(behind).filter(|next| *next < block.end)?;
                *offset = (next.0 - block.start.0).next_multiple_of(8);
            }
        }
        None
    }

    fn find(&self, word: u64, hint: &mut u32) -> Option<u32> {
        let found = self.blocks.find_live(Address(word), hint)?;
        self.ids.binary_search(&found.id).ok().map(narrow)
    }

    /// Gives each block that was lost with another to the first loss that leads to it.
    fn share_out(&self, lost: &mut Lost) {
        let mut todo = Vec::new();
        let mut hint = 0;
        let mut members: Vec<u32> =
            (0..narrow(lost.blocks.len())).filter(|&node| lost.blocks[node as usize].is_definite).collect();
        // All members of a ring take before the next loss does, though that may stand between them.
        members.sort_by_key(|&member| lost.blocks[member as usize].loss);
        for whole in &mut lost.losses {
            whole.retained_blocks = u64::from(whole.members);
            whole.retained_bytes = whole.bytes;
        }
        for member in members {
            let owner = lost.blocks[member as usize].loss;
            todo.push((member, 0));
            while let Some((node, offset)) = todo.last_mut() {
                let Some(child) = self.next(*node, offset, &mut hint) else {
                    todo.pop();
                    continue;
                };
                let block = &mut lost.blocks[child as usize];
                if block.loss != NONE {
                    continue;
                }
                block.loss = owner;
                let whole = &mut lost.losses[owner as usize];
                whole.retained_blocks += 1;
                whole.retained_bytes += self.blocks.block(block.id).size();
                todo.push((child, 0));
            }
        }
    }
}

/// Which ring each block belongs to; most are the only member of theirs.
struct Rings {
    of: Vec<u32>,
    count: u32,
    /// Rings that a block of another one points at.
    has_parent: Bits,
}

impl Rings {
    fn of(graph: &Graph<'_>) -> Rings {
        let count = graph.ids.len();
        let mut search = Search {
            graph,
            order: vec![0; count],
            low: vec![0; count],
            next_order: 1,
            waiting: Vec::new(),
            rings: Rings { of: vec![NONE; count], count: 0, has_parent: Bits::new(count as u64) },
            hint: 0,
        };
        for node in 0..narrow(count) {
            if search.order[node as usize] == 0 {
                search.from(node);
            }
        }
        search.rings
    }
}

struct Search<'a> {
    graph: &'a Graph<'a>,
    /// When a block was met first; 0 before.
    order: Vec<u32>,
    /// The earliest block that it leads back to.
    low: Vec<u32>,
    next_order: u32,
    /// Blocks that were met and belong to no ring yet.
    waiting: Vec<u32>,
    rings: Rings,
    hint: u32,
}

impl Search<'_> {
    fn from(&mut self, root: u32) {
        let mut path = vec![(self.meet(root), 0)];
        while let Some((node, offset)) = path.last_mut() {
            let node = *node;
            if let Some(child) = self.graph.next(node, offset, &mut self.hint) {
                if self.order[child as usize] == 0 {
                    path.push((self.meet(child), 0));
                } else {
                    self.see(node, child);
                }
                continue;
            }
            path.pop();
            if self.low[node as usize] == self.order[node as usize] {
                self.close(node);
            }
            if let Some(&(parent, _)) = path.last() {
                self.see(parent, node);
            }
        }
    }

    fn meet(&mut self, node: u32) -> u32 {
        self.order[node as usize] = self.next_order;
        self.low[node as usize] = self.next_order;
        self.next_order += 1;
        self.waiting.push(node);
        node
    }

    /// A pointer from one block to another that was met before.
    fn see(&mut self, node: u32, child: u32) {
        match self.rings.of[child as usize] {
            NONE => self.low[node as usize] = self.low[node as usize].min(self.low[child as usize]),
            ring => self.rings.has_parent.set(u64::from(ring)),
        }
    }

    /// All that waits since a block was met is one ring.
    fn close(&mut self, node: u32) {
        let ring = self.rings.count;
        self.rings.count += 1;
        while let Some(member) = self.waiting.pop() {
            self.rings.of[member as usize] = ring;
            if member == node {
                return;
            }
        }
    }
}
