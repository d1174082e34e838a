use residue_model::{Address, Bytes, Range, Region};

/// Something that claims a range of addresses.
pub(crate) trait Claim {
    fn range(&self) -> Range;

    /// Gives up its first bytes: it begins at `start` now.
    fn begin(&mut self, start: Address);
}

impl Claim for Region {
    fn range(&self) -> Range {
        self.range
    }

    fn begin(&mut self, start: Address) {
        if self.is_file() {
            self.offset += Bytes(start.0 - self.range.start.0);
        }
        self.range.start = start;
    }
}

/// Puts claims in order of address and lets no two overlap: what begins first keeps its range, and what is left with
/// nothing goes. Gives how much was taken from others.
pub(crate) fn part<T: Claim>(claims: &mut Vec<T>) -> Bytes {
    claims.sort_by_key(|claim| (claim.range().start, claim.range().end));
    let (mut end, mut overlap) = (Address(0), Bytes::ZERO);
    claims.retain_mut(|claim| {
        let range = claim.range();
        let start = range.start.max(end).min(range.end);
        if start > range.start {
            overlap += Bytes(start.0 - range.start.0);
            claim.begin(start);
        }
        end = end.max(range.end);
        start < range.end
    });
    overlap
}
