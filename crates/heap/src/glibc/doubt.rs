//! Tells mapped blocks from pages that merely begin like one, by what malloc counts.

use residue_model::Range;

use super::walk::Sum;

/// What looks like a mapped block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Where its mapping begins.
    pub(super) start: u64,
    pub(super) chunk: u64,
    /// Of the mapping, which is known to fit.
    pub(super) size: u64,
}

impl Candidate {
    #[cfg(test)]
    pub(super) fn new(start: u64, size: u64) -> Candidate {
        Candidate { start, chunk: start, size }
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.size
    }
}

/// So many ways to leave some out are tried before the least likely are left out one by one.
const MOST_TRIES: u32 = 1 << 18;

/// Parts what looks like mapped blocks into those that are believed and those that are not: never more is believed than
/// malloc counts, for what is taken for a block that is none is no root any more.
///
/// A block has a mapping of its own, which ends where a region does, or where another such block begins. The system may
/// have joined it with any neighbour, so that this alone proves nothing.
pub(super) fn part(found: Vec<Candidate>, places: &[Range], stated: Sum) -> (Vec<Candidate>, Vec<Candidate>) {
    let whole = sum(&found);
    if whole.count <= stated.count && whole.bytes <= stated.bytes {
        return (found, Vec::new());
    }
    let edges = edges(&found, places);
    let mut order: Vec<usize> = (0..found.len()).collect();
    // The least likely first; of equals the smallest, so that little is lost with it.
    order.sort_by_key(|&index| (edges[index], found[index].size));
    let dropped = exact(&found, &order, whole, stated).unwrap_or_else(|| {
        let mut left = whole;
        let too_many = order.iter().copied().take_while(|&index| {
            let is_too_much = left.count > stated.count || left.bytes > stated.bytes;
            if is_too_much {
                left.count -= 1;
                left.bytes -= found[index].size;
            }
            is_too_much
        });
        too_many.collect()
    });
    let mut is_kept = vec![true; found.len()];
    for index in dropped {
        is_kept[index] = false;
    }
    let (kept, doubtful): (Vec<_>, Vec<_>) = found.into_iter().zip(is_kept).partition(|&(_, kept)| kept);
    let alone = |both: Vec<(Candidate, bool)>| both.into_iter().map(|(one, _)| one).collect();
    (alone(kept), alone(doubtful))
}

pub(super) fn sum(found: &[Candidate]) -> Sum {
    let mut sum = Sum::default();
    for one in found {
        sum.add(one.size);
    }
    sum
}

/// How many ends of each stand where a mapping may end.
fn edges(found: &[Candidate], places: &[Range]) -> Vec<u8> {
    let count = |index: usize| {
        let one = &found[index];
        let before = index.checked_sub(1).map(|before| found[before].end());
        let behind = found.get(index + 1).map(|behind| behind.start);
        // Places are in order of address.
        let place = places.partition_point(|place| place.end.0 < one.end());
        let place = places.get(place);
        let begins = before == Some(one.start) || place.is_some_and(|place| place.start.0 == one.start);
        let ends = behind == Some(one.end()) || place.is_some_and(|place| place.end.0 == one.end());
        u8::from(begins) + u8::from(ends)
    };
    (0..found.len()).map(count).collect()
}

/// Those to leave out so that both the blocks and their bytes are what malloc counts: the least likely that do.
fn exact(found: &[Candidate], order: &[usize], whole: Sum, stated: Sum) -> Option<Vec<usize>> {
    let count = usize::try_from(whole.count.checked_sub(stated.count)?).ok()?;
    let bytes = whole.bytes.checked_sub(stated.bytes)?;
    let mut chosen: Vec<usize> = Vec::new();
    let (mut next, mut left) = (0, bytes);
    for _ in 0..MOST_TRIES {
        if chosen.len() == count && left == 0 {
            return Some(chosen.into_iter().map(|position| order[position]).collect());
        }
        let can_go_on = chosen.len() < count && order.len() - next >= count - chosen.len();
        if !can_go_on {
            let last = chosen.pop()?;
            left += found[order[last]].size;
            next = last + 1;
            continue;
        }
        let size = found[order[next]].size;
        if size <= left {
            chosen.push(next);
            left -= size;
        }
        next += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use residue_model::Address;

    use super::*;

    fn starts(found: &[Candidate]) -> Vec<u64> {
        found.iter().map(|one| one.start).collect()
    }

    const PLACES: [Range; 2] = [
        Range { start: Address(0x1_0000), end: Address(0x2_0000) },
        Range { start: Address(0x3_0000), end: Address(0x8_0000) },
    ];

    fn found() -> Vec<Candidate> {
        let all = [(0x1_0000, 0x1_0000), (0x3_0000, 0x2000), (0x4_0000, 0x3000), (0x5_0000, 0x2000)];
        all.map(|(start, size)| Candidate::new(start, size)).to_vec()
    }

    #[test]
    fn what_makes_both_counts_right_is_left_out() {
        let (kept, doubtful) = part(found(), &PLACES, Sum { count: 2, bytes: 0x1_2000 });
        assert_eq!((starts(&kept), starts(&doubtful)), (vec![0x1_0000, 0x3_0000], vec![0x4_0000, 0x5_0000]));
        let (kept, _) = part(found(), &PLACES, Sum { count: 2, bytes: 0x1_3000 });
        assert_eq!(starts(&kept), [0x1_0000, 0x4_0000]);
    }

    #[test]
    fn never_more_is_kept_than_is_counted() {
        let (kept, doubtful) = part(found(), &PLACES, Sum { count: 2, bytes: 0x1_2800 });
        assert_eq!(starts(&kept), [0x1_0000, 0x3_0000]);
        assert_eq!(kept.len() + doubtful.len(), 4);
    }

    #[test]
    fn very_many_ways_end_in_time() {
        let places = [Range { start: Address(0), end: Address(1 << 40) }];
        let many = (0..3000).map(|index| Candidate::new((index + 1) << 20, 0x2000 + (index % 7) * 0x1000));
        let stated = Sum { count: 1500, bytes: 0x2000 * 1500 + 0x800 };
        let (kept, _) = part(many.collect(), &places, stated);
        assert!(sum(&kept).count <= stated.count && sum(&kept).bytes <= stated.bytes);
    }
}
