use std::collections::BTreeMap;

/// Memory that the program mapped itself. Parts of it may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapped {
    site: u32,
    time: u64,
    /// How many pieces are left of it.
    pieces: u32,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    end: u64,
    mapping: u32,
}

/// What a range that was unmapped took with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unmapped {
    pub(crate) site: u32,
    /// When it was mapped.
    pub(crate) time: u64,
    pub(crate) bytes: u64,
    /// Nothing is left of the mapping.
    pub(crate) is_all: bool,
}

/// All mappings that stand. Pieces do not overlap.
#[derive(Debug, Default)]
pub(crate) struct Mappings {
    pieces: BTreeMap<u64, Piece>,
    all: Vec<Mapped>,
    spare: Vec<u32>,
}

impl Mappings {
    /// A range is mapped. What stood there has to be unmapped before.
    pub(crate) fn map(&mut self, start: u64, end: u64, site: u32, time: u64) {
        let mapped = Mapped { site, time, pieces: 1 };
        let mapping = self.spare.pop().unwrap_or_else(|| {
            self.all.push(mapped);
            u32::try_from(self.all.len() - 1).expect("less than 4 G of mappings")
        });
        self.all[mapping as usize] = mapped;
        self.pieces.insert(start, Piece { end, mapping });
    }

    /// Takes away what stands in a range, and tells of each part of it.
    pub(crate) fn unmap(&mut self, start: u64, end: u64, mut tell: impl FnMut(Unmapped)) {
        if start >= end {
            return;
        }
        // The only piece that begins before the range and reaches into it is the last one that does.
        let before = self.pieces.range(..start).next_back().map(|(&at, _)| at);
        let within = self.pieces.range(start..end).map(|(&at, _)| at);
        let touched: Vec<u64> = before.into_iter().chain(within).collect();
        for at in touched {
            self.cut(at, start, end, &mut tell);
        }
    }

    /// Takes a range out of the piece that begins at an address.
    fn cut(&mut self, at: u64, start: u64, end: u64, tell: &mut impl FnMut(Unmapped)) {
        let Some(&piece) = self.pieces.get(&at).filter(|piece| piece.end > start) else { return };
        self.pieces.remove(&at);
        let mut left = 0;
        for (from, to) in [(at, start), (end, piece.end)] {
            if from < to {
                self.pieces.insert(from, Piece { end: to, ..piece });
                left += 1;
            }
        }
        let mapped = &mut self.all[piece.mapping as usize];
        mapped.pieces = mapped.pieces - 1 + left;
        let (site, time, is_all) = (mapped.site, mapped.time, mapped.pieces == 0);
        if is_all {
            self.spare.push(piece.mapping);
        }
        tell(Unmapped { site, time, bytes: piece.end.min(end) - at.max(start), is_all });
    }

    /// All that stand: site, time, bytes, and whether it is the first piece of its mapping that is told.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (u32, u64, u64, bool)> {
        let mut told = vec![false; self.all.len()];
        self.pieces.iter().map(move |(at, piece)| {
            let mapped = &self.all[piece.mapping as usize];
            let is_first = !std::mem::replace(&mut told[piece.mapping as usize], true);
            (mapped.site, mapped.time, piece.end - at, is_first)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(mappings: &mut Mappings, start: u64, end: u64) -> Vec<(u32, u64, bool)> {
        let mut taken = Vec::new();
        mappings.unmap(start, end, |gone| taken.push((gone.site, gone.bytes, gone.is_all)));
        taken
    }

    #[test]
    fn a_mapping_goes_when_its_last_piece_does() {
        let mut mappings = Mappings::default();
        mappings.map(0x1000, 0x9000, 7, 0);

        assert_eq!(taken(&mut mappings, 0x3000, 0x5000), [(7, 0x2000, false)]);
        assert_eq!(mappings.standing().map(|(.., is_first)| is_first).collect::<Vec<_>>(), [true, false]);
        assert_eq!(taken(&mut mappings, 0x3000, 0x5000), []);
        assert_eq!(taken(&mut mappings, 0, 0x3000), [(7, 0x2000, false)]);
        assert_eq!(taken(&mut mappings, 0x4000, u64::MAX), [(7, 0x4000, true)]);
    }

    #[test]
    fn one_range_takes_parts_of_several() {
        let mut mappings = Mappings::default();
        mappings.map(0x1000, 0x3000, 1, 0);
        mappings.map(0x3000, 0x4000, 2, 0);
        mappings.map(0x4000, 0x6000, 3, 0);

        let gone = taken(&mut mappings, 0x2000, 0x5000);

        assert_eq!(gone, [(1, 0x1000, false), (2, 0x1000, true), (3, 0x1000, false)]);
    }

    #[test]
    fn a_range_that_ends_before_it_starts_takes_nothing() {
        let mut mappings = Mappings::default();
        mappings.map(0x1000, 0x9000, 7, 0);
        assert_eq!(taken(&mut mappings, 0x5000, 0x2000), []);
    }
}
