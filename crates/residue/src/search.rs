use std::ops::ControlFlow;

use residue_analysis::search::{Hits, Pattern};
use residue_analysis::{Map, RegionFilter};
use residue_model::{Address, Bytes, Memory, Range, Region, State, Visit};

use crate::Interrupt;

/// The regions that a search looks at: those that pass and have any access.
pub fn searchable<'a>(map: &'a Map, filter: &RegionFilter) -> Vec<&'a Region> {
    let has_bytes = |region: &&Region| match region.saved {
        Some(saved) => saved > Bytes::ZERO,
        None => region.state() == State::Mapped,
    };
    map.snapshot.regions.iter().filter(has_bytes).filter(|region| filter.accepts(region)).collect()
}

/// Searches regions; `progress` is told how much has been looked at.
pub fn search(
    memory: &dyn Memory,
    regions: &[&Region],
    pattern: &Pattern,
    limit: usize,
    interrupt: &Interrupt,
    mut progress: impl FnMut(Bytes),
) -> Hits {
    let mut searched = Bytes::ZERO;
    Hits::search(memory, regions, pattern, limit, threads(), &mut |more| {
        searched += more;
        progress(searched);
        if interrupt.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// As many as the machine gives us; more than these wait for memory, not for a processor.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// Memory as far as regions reach that can hold anything: looking for a page in a terabyte of nothing takes minutes.
pub struct Mapped<'a> {
    memory: &'a dyn Memory,
    regions: Vec<&'a Region>,
}

impl<'a> Mapped<'a> {
    /// The memory of a target, within its map.
    pub fn new(memory: &'a dyn Memory, map: &'a Map) -> Mapped<'a> {
        Mapped { memory, regions: searchable(map, &RegionFilter::default()) }
    }
}

impl Memory for Mapped<'_> {
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let first = self.regions.partition_point(|region| region.range.end <= range.start);
        for part in self.regions[first..].iter().map_while(|region| region.range.overlap(range)) {
            self.memory.walk(part, window, visit)?;
        }
        ControlFlow::Continue(())
    }
}

/// The bytes of a range that can be read, piece by piece in order of address.
pub fn read(memory: &dyn Memory, range: Range) -> Vec<(Address, Vec<u8>)> {
    let mut pieces: Vec<(Address, Vec<u8>)> = Vec::new();
    let _ = memory.walk(range, &mut Vec::new(), &mut |at, piece| {
        match pieces.last_mut() {
            Some((start, bytes)) if start.0 + bytes.len() as u64 == at.0 => bytes.extend_from_slice(piece),
            _ => pieces.push((at, piece.to_vec())),
        }
        ControlFlow::Continue(())
    });
    pieces
}
