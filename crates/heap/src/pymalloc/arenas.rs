//! The list of arenas, found by the pools that it must explain.
//!
//! Source: Python `Include/internal/pycore_obmalloc.h`, `struct arena_object`.

use std::collections::BTreeMap;

use residue_model::{Address, Range, Region};

use super::pool::{Layout, Pool};
use crate::Image;

const ENTRY: u64 = 48;

/// An arena, as the list tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arena {
    /// Where its memory stands.
    pub(super) range: Range,
    /// Pools that are given back or were never used.
    pub(super) free_pools: u64,
    /// How many pools fit.
    pub(super) pools: u64,
}

/// All arenas of an interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arenas {
    /// Where the list stands.
    pub(super) at: u64,
    /// By their number.
    pub(super) all: BTreeMap<u32, Arena>,
}

impl Arenas {
    /// The list that a variable of the program points to, in which every pool finds its arena.
    pub(super) fn find(pools: &[Pool], layout: Layout, image: &Image<'_>) -> Option<Arenas> {
        let first: BTreeMap<u32, &Pool> = pools.iter().map(|pool| (pool.arena, pool)).collect();
        let explains = |list: u64| {
            let holds = |(&number, pool): (&u32, &&Pool)| {
                entry(list, number, layout, image).is_some_and(|arena| arena.range.contains(Address(pool.at)))
            };
            !first.is_empty() && first.iter().all(holds)
        };
        let variables = image.regions.iter().enumerate().filter(|(index, _)| is_data(image.regions, *index));
        let pieces = variables.flat_map(|(_, region)| image.pieces.within(region.range));
        let words = pieces.flat_map(|(_, bytes)| bytes.chunks_exact(8));
        let mut words = words.filter_map(|word| word.try_into().ok().map(u64::from_le_bytes));
        let at = words.find(|&list| list.is_multiple_of(8) && list != 0 && explains(list))?;
        let last = *first.last_key_value()?.0;
        let entries = (0..=last).filter_map(|number| Some((number, entry(at, number, layout, image)?)));
        Some(Arenas { at, all: entries.collect() })
    }

    /// What the list takes.
    pub(super) fn range(&self) -> Range {
        let entries = self.all.last_key_value().map_or(0, |(&last, _)| u64::from(last) + 1);
        Range { start: Address(self.at), end: Address(self.at.saturating_add(entries * ENTRY)) }
    }
}

fn is_data(regions: &[Region], index: usize) -> bool {
    let region = &regions[index];
    let before = index.checked_sub(1).map(|before| &regions[before]);
    let follows = before.is_some_and(|before| before.is_file() && before.range.end == region.range.start);
    region.protection.write && (region.is_file() || follows || !regions.iter().any(Region::is_file))
}

/// The arena of a number, if the list has it in use and it can be one.
fn entry(list: u64, number: u32, layout: Layout, image: &Image<'_>) -> Option<Arena> {
    let at = list.checked_add(u64::from(number) * ENTRY)?;
    let start = image.word(at)?;
    let (free_pools, pools) = (image.int(at.checked_add(16)?)?, image.int(at.checked_add(20)?)?);
    let most = layout.arena / layout.pool;
    // One that does not begin at the multiple of a pool loses a pool.
    let sound = start != 0 && free_pools <= pools && (most - 1..=most).contains(&u64::from(pools));
    let range = Range { start: Address(start), end: Address(start.checked_add(layout.arena)?) };
    sound.then_some(Arena { range, free_pools: u64::from(free_pools), pools: u64::from(pools) })
}
