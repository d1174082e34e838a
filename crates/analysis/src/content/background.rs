use residue_model::{Address, Memory, Range, Region};

use super::Population;
use super::extract::Texts;
use super::population::{is_committed, spread};
use super::region::look;

/// A sample of everything, to tell what is special about a part: modules, heaps, stacks, and a little of each
/// population, which is the background of the others.
#[derive(Clone, Debug, Default)]
pub struct Background {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    region: usize,
    texts: Texts,
}

/// Pieces outside of the populations: half of them evenly over regions, half evenly over bytes.
const PIECES: usize = 64;
/// Pieces of each population.
const OF_EACH: usize = 6;
const PIECE: u64 = 32 << 10;

impl Background {
    /// Samples all that can be read.
    pub fn of(regions: &[Region], populations: &[Population], memory: &dyn Memory) -> Background {
        let mut is_member = vec![false; regions.len()];
        populations
            .iter()
            .flat_map(|population| &population.regions)
            .for_each(|&index| is_member[index] = true);
        let others: Vec<usize> =
            (0..regions.len()).filter(|&index| !is_member[index] && is_committed(&regions[index])).collect();
        let starts = populations.iter().flat_map(|population| spread(&population.regions, OF_EACH));
        let starts =
            starts.chain(spread(&others, PIECES / 2)).map(|index| (index, regions[index].range.start));
        let mut places: Vec<_> = starts.chain(over_bytes(regions, &others)).collect();
        places.sort_unstable();
        places.dedup();
        let mut window = Vec::new();
        let mut piece = |(region, at): (usize, Address)| {
            let part = Range { start: at, end: Address(at.0.saturating_add(PIECE)) };
            let mut texts = Texts::default();
            look(memory, part.overlap(regions[region].range)?, &mut window, |bytes| texts.add(bytes))?;
            Some(Piece { region, texts })
        };
        Background { pieces: places.into_iter().filter_map(&mut piece).collect() }
    }

    /// The pieces that lie outside of a population.
    pub(super) fn without(&self, population: &Population) -> Vec<&Texts> {
        let is_outside = |piece: &&Piece| population.regions.binary_search(&piece.region).is_err();
        self.pieces.iter().filter(is_outside).map(|piece| &piece.texts).collect()
    }
}

/// Places that stand evenly in the bytes of these regions, so that a heap of one large region weighs what it takes.
fn over_bytes(regions: &[Region], others: &[usize]) -> Vec<(usize, Address)> {
    let all: u64 = others.iter().fold(0, |sum: u64, &index| sum.saturating_add(regions[index].size().0));
    let step = all / (PIECES as u64 / 2) + 1;
    let (mut places, mut before) = (Vec::new(), 0_u64);
    for &index in others {
        let range = regions[index].range;
        let end = before.saturating_add(range.size().0);
        let mut at = before.div_ceil(step).saturating_mul(step);
        while at < end {
            // Pieces begin at pages, as everything that a program keeps in large pieces does.
            places.push((index, Address(range.start.0 + ((at - before) & !0xfff))));
            at = at.saturating_add(step);
        }
        before = end;
    }
    places
}

#[cfg(test)]
mod tests {
    use residue_model::{Bytes, Pieces, Protection};

    use super::*;
    use crate::content::populations;

    #[test]
    fn a_population_is_no_background_of_its_own() {
        let region = |start: u64, size: u64| Region {
            range: Range { start: Address(start), end: Address(start + size) },
            protection: Protection::from_letters(b"rw-p").expect("four letters"),
            ..Region::default()
        };
        let mut regions: Vec<Region> =
            (0..20).map(|index| region(0x10_0000 + index * 0x2000, 0x1000)).collect();
        regions.push(region(0x80_0000, 0x10_0000));
        let populations = populations(&regions);
        let heap = b"elsewhere ".repeat(0x1_0000);
        let member = b"forecast ".repeat(0x400);
        let mut pieces: Vec<(Address, &[u8])> =
            regions[..20].iter().map(|region| (region.range.start, &member[..0x1000])).collect();
        pieces.push((Address(0x80_0000), &heap));
        let background = Background::of(&regions, &populations, &Pieces(pieces));
        let outside = background.without(&populations[0]);
        assert_eq!(populations[0].size, Bytes(0x1000));
        assert!(background.pieces.len() > outside.len() && outside.len() >= 16, "{}", outside.len());
        assert!(
            outside.iter().all(|texts| texts.narrow.starts_with(b"elsewhere") || !texts.narrow.is_empty())
        );
    }
}
