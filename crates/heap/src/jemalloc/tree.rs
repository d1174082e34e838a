//! The tree behind the map of extents: how its levels part an address, and what a leaf holds of a page.
//!
//! Source: jemalloc 5.3.0 `rtree.h`. How many bits of an address count is told by the processor of the machine that built
//! jemalloc: 48 with two levels (Debian 12), 57 with three (Debian 13, built where pages have five levels of tables).

use std::collections::BTreeSet;

use residue_model::{Address, Range};

use super::base::Bases;
use super::harm::Harm;
use super::layout::{EDATA, PAGE};
use crate::Image;

/// How a tree parts addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// 18 bits for the root and 18 for a leaf, whose entries are words.
    Narrow,
    /// 15 bits for the root, 15 for a node and 15 for a leaf, whose entries are an address and a word apart.
    Wide,
}

impl Shape {
    pub(super) const ALL: [Shape; 2] = [Shape::Narrow, Shape::Wide];

    /// How many entries each part has.
    fn entries(self) -> u64 {
        match self {
            Shape::Narrow => 1 << 18,
            Shape::Wide => 1 << 15,
        }
    }

    /// How large an entry of a leaf is.
    fn stride(self) -> u64 {
        match self {
            Shape::Narrow => 8,
            Shape::Wide => 16,
        }
    }

    fn node_bytes(self) -> u64 {
        self.entries() * 8
    }

    fn leaf_bytes(self) -> u64 {
        self.entries() * self.stride()
    }

    /// How much of the address space a leaf speaks for.
    pub(super) fn leaf_span(self) -> u64 {
        self.entries() * PAGE
    }
}

/// A tree, as far as it leads to leaves.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) shape: Shape,
    pub(super) root: Range,
    /// The number of a leaf, and where it stands; in order.
    pub(super) leaves: Vec<(u64, u64)>,
}

/// What a leaf says of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where it stands.
    pub(super) at: u64,
    /// Where the `edata_t` of the page stands; 0 of a page that was taken out.
    pub(super) edata: u64,
    /// The size class of its blocks.
    pub(super) class: u64,
    pub(super) is_slab: bool,
}

impl Tree {
    /// Reads a tree from its root on: most of what stands there must lead to parts, which are made of whole cache lines,
    /// lie in memory of bases and lie apart.
    pub(super) fn read(image: &Image<'_>, bases: &Bases, shape: Shape, at: u64) -> Option<(Tree, Harm)> {
        let root = Range { start: Address(at), end: Address(at.checked_add(shape.node_bytes())?) };
        let mut reader =
            Reader { image, bases, shape, taken: BTreeSet::new(), harm: Harm::default(), good: 0 };
        let leaves = match shape {
            Shape::Narrow => reader.children(at, shape.leaf_bytes(), shape.leaf_span())?,
            Shape::Wide => {
                let nodes = reader.children(at, shape.node_bytes(), shape.leaf_span() << 15)?;
                let mut leaves = Vec::new();
                for (number, node) in nodes {
                    let children = reader.children(node, shape.leaf_bytes(), shape.leaf_span())?;
                    leaves.extend(children.into_iter().map(|(index, leaf)| (number << 15 | index, leaf)));
                }
                leaves
            }
        };
        let is_tree = !leaves.is_empty() && reader.good > reader.harm.count();
        is_tree.then_some((Tree { shape, root, leaves }, reader.harm))
    }

    /// The entry of a page.
    pub(super) fn entry(&self, image: &Image<'_>, page: u64) -> Option<Entry> {
        let span = self.shape.leaf_span();
        let index = self.leaves.binary_search_by_key(&(page / span), |leaf| leaf.0).ok()?;
        let at = self.leaves[index].1 + page % span / PAGE * self.shape.stride();
        self.decode(image, at, image.word(at)?)
    }

    /// The first entry of a leaf at or behind a page that is not empty, and its page.
    pub(super) fn next(
        &self,
        image: &Image<'_>,
        (number, leaf): (u64, u64),
        page: u64,
    ) -> Option<(u64, Entry)> {
        let (base, stride) = (number * self.shape.leaf_span(), self.shape.stride());
        let from = leaf + (page - base) / PAGE * stride;
        let (at, word) = next_word(image, from, leaf + self.shape.leaf_bytes(), stride)?;
        Some((base + (at - leaf) / stride * PAGE, self.decode(image, at, word)?))
    }

    fn decode(&self, image: &Image<'_>, at: u64, word: u64) -> Option<Entry> {
        const ALIGNED: u64 = !(EDATA as u64 - 1);
        Some(match self.shape {
            Shape::Narrow => Entry {
                at,
                edata: word & ((1 << 48) - 1) & ALIGNED,
                class: word >> 48,
                is_slab: word & 1 == 1,
            },
            Shape::Wide => {
                let told = u64::from(image.int(at.checked_add(8)?)?);
                Entry { at, edata: word & ALIGNED, class: told >> 5, is_slab: told & 1 == 1 }
            }
        })
    }
}

/// Reads the inner parts of a tree.
struct Reader<'a> {
    image: &'a Image<'a>,
    bases: &'a Bases,
    shape: Shape,
    /// Where parts begin that were found, with where they end.
    taken: BTreeSet<(u64, u64)>,
    harm: Harm,
    good: usize,
}

impl Reader<'_> {
    /// The parts of a size that a node leads to, with their numbers; nothing when most of it leads nowhere.
    fn children(&mut self, node: u64, bytes: u64, span: u64) -> Option<Vec<(u64, u64)>> {
        let mut children = Vec::new();
        let mut from = node;
        while let Some((at, child)) = next_word(self.image, from, node + self.shape.node_bytes(), 8) {
            from = at + 8;
            if self.take(child, bytes) {
                children.push(((at - node) / 8, child));
                self.good += 1;
                continue;
            }
            if self.harm.count() > self.good {
                return None;
            }
            self.harm.add(at, "the tree of the map leads out of jemalloc's own memory", span);
        }
        Some(children)
    }

    /// Whether a part can stand here, and none does yet.
    fn take(&mut self, start: u64, bytes: u64) -> bool {
        if !start.is_multiple_of(64) || !self.bases.holds(start, bytes) {
            return false;
        }
        let end = start + bytes;
        let before = self.taken.range(..(end, 0)).next_back();
        let is_free = before.is_none_or(|&(_, taken)| taken <= start);
        if is_free {
            self.taken.insert((start, end));
        }
        is_free
    }
}

/// The next word that is not zero, of those that stand a stride apart. Pages that were never written are not held, and
/// are zero.
fn next_word(image: &Image<'_>, from: u64, end: u64, stride: u64) -> Option<(u64, u64)> {
    let range = Range { start: Address(from), end: Address(end) };
    let step = usize::try_from(stride / 8).ok()?;
    image.pieces.within(range).find_map(|(start, bytes)| {
        let skew = (start.0 - from).wrapping_neg() % stride;
        let (words, _) = bytes.get(usize::try_from(skew).ok()?..)?.as_chunks::<8>();
        let index = words.iter().step_by(step).position(|word| *word != [0; 8])?;
        Some((start.0 + skew + index as u64 * stride, u64::from_le_bytes(words[index * step])))
    })
}
