//! The extent map: which `edata_t` speaks for a page. Its root stands in jemalloc's own zeroed data.
//!
//! Source: jemalloc 5.3.0 `emap.c`. A slab stands in the map with each of its pages, any other extent with its first and
//! last; so does what is free. Of what an entry holds, only the address is kept true for the last page and for what is
//! free. What was taken out of the map keeps an entry without an address.

use residue_model::{Address, Range, Region};

use super::base::Bases;
use super::edata::{Edata, State};
use super::harm::Harm;
use super::layout::{EDATA, PAGE, Quantum, ROOT};
use super::tree::{Entry, Shape, Tree};
use crate::Image;

/// How much of a target's own data is searched for the root.
const SEARCHED: u64 = 512 << 20;

/// The map.
#[derive(Clone, Debug)]
pub(super) struct Emap {
    tree: Tree,
}

impl Emap {
    /// Finds the map by the word before it, which points to the base of the first arena, and by its root, which leads
    /// into memory of bases only.
    pub(super) fn find(image: &Image<'_>, bases: &Bases, harm: &mut Harm) -> Option<Emap> {
        let first = bases.all.first().filter(|base| base.arena == 0)?;
        let mut regions = candidates(image.regions, bases);
        // A core may not name its files; of what is left, the heap itself is the largest.
        regions.sort_by_key(|&(range, is_data)| (!is_data, range.size()));
        let mut left = SEARCHED;
        for (range, _) in regions {
            let taken = range.size().0.min(left);
            left -= taken;
            let range = Range { start: range.start, end: Address(range.start.0 + taken) };
            if let Some((tree, found)) = search(image, bases, range, first.address) {
                harm.join(found);
                return Some(Emap { tree });
            }
        }
        None
    }

    /// Where its root stands.
    pub(super) fn root(&self) -> Range {
        self.tree.root
    }

    pub(super) fn shape(&self) -> Shape {
        self.tree.shape
    }

    /// Every extent, in order of address; entries that lead to none are damage.
    pub(super) fn extents(
        &self,
        image: &Image<'_>,
        bases: &Bases,
        harm: &mut Harm,
        mut each: impl FnMut(Edata),
    ) {
        let span = self.tree.shape.leaf_span();
        let mut done = 0;
        for &leaf in &self.tree.leaves {
            let base = leaf.0 * span;
            let mut from = done.max(base);
            while from < base + span {
                let Some((page, entry)) = self.tree.next(image, leaf, from) else { break };
                from = page + PAGE;
                if entry.edata == 0 {
                    continue;
                }
                match self.extent(image, bases, page, entry, done) {
                    Ok(edata) => {
                        if edata.pages.start.0 != page {
                            harm.add(entry.at, "the map does not lead to this extent by its first page", 0);
                        }
                        done = edata.pages.end.0;
                        from = done;
                        each(edata);
                    }
                    Err(what) => harm.add(entry.at, what, PAGE),
                }
            }
        }
    }

    /// The extent that an entry of a page leads to.
    fn extent(
        &self,
        image: &Image<'_>,
        bases: &Bases,
        page: u64,
        entry: Entry,
        done: u64,
    ) -> Result<Edata, &'static str> {
        if !bases.holds(entry.edata, EDATA as u64) {
            return Err("an entry of the map leads out of jemalloc's own memory");
        }
        let bytes = image.pieces.bytes(Address(entry.edata), EDATA);
        let bytes = bytes.ok_or("the extent of a page cannot be read")?;
        let classes = bases.quantum.map_or(0, Quantum::classes);
        let edata = Edata::read(bytes, classes).ok_or("what an entry of the map leads to is no extent")?;
        if !edata.pages.contains(Address(page)) || edata.pages.start.0 < done {
            return Err("an entry of the map leads to an extent of other pages");
        }
        let last = self.tree.entry(image, edata.pages.end.0 - PAGE);
        if last.map(|last| last.edata) != Some(entry.edata) {
            return Err("the map does not lead to this extent by its last page");
        }
        let is_block = edata.state == State::Active && edata.pages.start.0 == page;
        if is_block && (entry.class, entry.is_slab) != (edata.class, edata.is_slab) {
            return Err("the map and the extent disagree on the size of its blocks");
        }
        Ok(edata)
    }
}

/// Writable regions that can hold the root, and whether they look like the data of a module.
fn candidates(regions: &[Region], bases: &Bases) -> Vec<(Range, bool)> {
    let mut found = Vec::new();
    let mut before: Option<&Region> = None;
    for region in regions {
        let follows = before.is_some_and(|last| last.is_file() && last.range.end == region.range.start);
        let is_data = region.is_file() || follows;
        if region.protection.write && !region.protection.shared && bases.block(region.range.start.0).is_none()
        {
            found.push((region.range, is_data));
        }
        before = Some(region);
    }
    found
}

/// The tree whose `base` stands in a range.
fn search(image: &Image<'_>, bases: &Bases, range: Range, base: u64) -> Option<(Tree, Harm)> {
    image.pieces.within(range).find_map(|(start, bytes)| {
        let skew = start.0.wrapping_neg() % 8;
        let (words, _) = bytes.get(usize::try_from(skew).ok()?..)?.as_chunks::<8>();
        let hits = words.iter().enumerate().filter(|(_, word)| **word == base.to_le_bytes());
        let mut roots = hits.filter_map(|(index, _)| (start.0 + skew + index as u64 * 8).checked_add(ROOT));
        roots.find_map(|at| Shape::ALL.into_iter().find_map(|shape| Tree::read(image, bases, shape, at)))
    })
}
