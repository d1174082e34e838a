//! The extent map: which `edata_t` speaks for a page. A tree of two levels, its root in jemalloc's own zeroed data.
//!
//! Source: jemalloc 5.3.0 `rtree.h`, `emap.c`. A slab stands in the map with each of its pages, any other extent with its
//! first and last; so does what is free. An entry is a word: the class of the blocks, the address of the `edata_t`, the
//! state and whether it is a slab; of these only the address is kept true for the last page and for what is free. What was
//! taken out of the map keeps a word without an address.

use std::collections::BTreeSet;

use residue_model::{Address, Range, Region};

use super::base::Bases;
use super::edata::{Edata, State};
use super::harm::Harm;
use super::layout::{EDATA, ENTRIES, LEAF_SPAN, PAGE, Quantum, ROOT};
use crate::Image;

/// How much of a target's own data is searched for the root.
const SEARCHED: u64 = 512 << 20;

/// The root, and the leaves that it leads to.
#[derive(Clone, Debug)]
pub(super) struct Emap {
    pub(super) root: Range,
    /// The number of a leaf, and where it stands; in order.
    leaves: Vec<(u64, u64)>,
}

impl Emap {
    /// Finds the map by the word before it, which points to the base of the first arena, and by its root, which leads
    /// into memory of bases only.
    pub(super) fn find(image: &Image<'_>, bases: &Bases, damage: &mut Harm) -> Option<Emap> {
        let first = bases.all.first().filter(|base| base.arena == 0)?;
        let mut regions = candidates(image.regions, bases);
        // A core may not name its files; of what is left, the heap itself is the largest.
        regions.sort_by_key(|&(range, is_data)| (!is_data, range.size()));
        let mut left = SEARCHED;
        for (range, _) in regions {
            let taken = range.size().0.min(left);
            left -= taken;
            let range = Range { start: range.start, end: Address(range.start.0 + taken) };
            if let Some(found) = search(image, bases, range, first.address) {
                damage.join(found.1);
                return Some(found.0);
            }
        }
        None
    }

    /// Every extent, in order of address; entries that lead to none are damage.
    pub(super) fn extents(
        &self,
        image: &Image<'_>,
        bases: &Bases,
        damage: &mut Harm,
        mut each: impl FnMut(Edata),
    ) {
        let mut done = 0;
        for &(number, leaf) in &self.leaves {
            let base = number * LEAF_SPAN;
            let mut page = done.max(base);
            while page < base + LEAF_SPAN {
                let from = leaf + (page - base) / PAGE * 8;
                let Some((at, entry)) = next_entry(image, from, leaf + ENTRIES * 8) else { break };
                page = base + (at - leaf) / 8 * PAGE;
                if edata_of(entry) == 0 {
                    page += PAGE;
                    continue;
                }
                match self.extent(image, bases, page, entry, done) {
                    Ok(edata) => {
                        if edata.pages.start.0 != page {
                            damage.add(at, "the map does not lead to this extent by its first page", 0);
                        }
                        done = edata.pages.end.0;
                        page = done;
                        each(edata);
                    }
                    Err(what) => {
                        damage.add(at, what, PAGE);
                        page += PAGE;
                    }
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
        entry: u64,
        done: u64,
    ) -> Result<Edata, &'static str> {
        let at = edata_of(entry);
        if !bases.holds(at, EDATA as u64) {
            return Err("an entry of the map leads out of jemalloc's own memory");
        }
        let bytes = image.pieces.bytes(Address(at), EDATA).ok_or("the extent of a page cannot be read")?;
        let classes = bases.quantum.map_or(0, Quantum::classes);
        let edata = Edata::read(bytes, classes).ok_or("what an entry of the map leads to is no extent")?;
        if !edata.pages.contains(Address(page)) || edata.pages.start.0 < done {
            return Err("an entry of the map leads to an extent of other pages");
        }
        let last = self.entry(image, edata.pages.end.0 - PAGE).map(edata_of);
        if last != Some(at) {
            return Err("the map does not lead to this extent by its last page");
        }
        let is_block = edata.state == State::Active && edata.pages.start.0 == page;
        let told = (entry >> 48, entry & 1 == 1);
        if is_block && told != (edata.class, edata.is_slab) {
            return Err("the map and the extent disagree on the size of its blocks");
        }
        Ok(edata)
    }

    /// The entry of a page.
    fn entry(&self, image: &Image<'_>, page: u64) -> Option<u64> {
        let number = page / LEAF_SPAN;
        let index = self.leaves.binary_search_by_key(&number, |leaf| leaf.0).ok()?;
        image.word(self.leaves[index].1 + page % LEAF_SPAN / PAGE * 8)
    }
}

/// Where an entry says that its `edata_t` stands.
fn edata_of(entry: u64) -> u64 {
    entry & ((1 << 48) - 1) & !(EDATA as u64 - 1)
}

/// The next entry that is not empty, and where it stands. Pages that were never written are not held, and empty.
fn next_entry(image: &Image<'_>, from: u64, end: u64) -> Option<(u64, u64)> {
    let range = Range { start: Address(from), end: Address(end) };
    image.pieces.within(range).find_map(|(start, bytes)| {
        let (words, _) = bytes.as_chunks::<8>();
        let index = words.iter().position(|word| *word != [0; 8])?;
        Some((start.0 + index as u64 * 8, u64::from_le_bytes(words[index])))
    })
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

/// The map whose `base` stands in a range.
fn search(image: &Image<'_>, bases: &Bases, range: Range, base: u64) -> Option<(Emap, Harm)> {
    image.pieces.within(range).find_map(|(start, bytes)| {
        let skew = start.0.wrapping_neg() % 8;
        let aligned = bytes.get(usize::try_from(skew).ok()?..)?;
        let (words, _) = aligned.as_chunks::<8>();
        let hits = words.iter().enumerate().filter(|(_, word)| **word == base.to_le_bytes());
        let mut places = hits.map(|(index, _)| start.0 + skew + index as u64 * 8);
        places.find_map(|at| read_root(image, bases, at.checked_add(ROOT)?))
    })
}

/// Reads a root: most of what stands there must lead to leaves, which are made of whole cache lines and lie apart.
fn read_root(image: &Image<'_>, bases: &Bases, at: u64) -> Option<(Emap, Harm)> {
    let root = Range { start: Address(at), end: Address(at.checked_add(ENTRIES * 8)?) };
    let (mut leaves, mut damage) = (Vec::new(), Harm::default());
    let mut taken = BTreeSet::new();
    let mut from = at;
    while let Some((slot, leaf)) = next_entry(image, from, root.end.0) {
        let near = taken.range(leaf.saturating_sub(ENTRIES * 8 - 1)..leaf.saturating_add(ENTRIES * 8)).next();
        if leaf.is_multiple_of(64) && near.is_none() && bases.holds(leaf, ENTRIES * 8) {
            taken.insert(leaf);
            leaves.push(((slot - at) / 8, leaf));
        } else if damage.count() > leaves.len() {
            return None;
        } else {
            damage.add(slot, "the root of the map leads out of jemalloc's own memory", LEAF_SPAN);
        }
        from = slot + 8;
    }
    (leaves.len() > damage.count()).then_some((Emap { root, leaves }, damage))
}
