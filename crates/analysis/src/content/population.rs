use std::cmp::Reverse;
use std::collections::BTreeMap;

use residue_model::{Backing, Bytes, Pages, Protection, Region, State, Usage};

/// Regions of one size, protection and origin: most likely made by one piece of code, for one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Population {
    /// The size that every member has.
    pub size: Bytes,
    /// What may be done with each.
    pub protection: Protection,
    /// What stands behind each.
    pub backing: Backing,
    /// What Windows says of each; `None` elsewhere.
    pub pages: Option<Pages>,
    /// How many there are.
    pub members: u64,
    /// What they take together.
    pub total: Bytes,
    /// How much of that the target says it can show: all of it when it is alive.
    pub readable: Bytes,
    /// Where the members stand in the list of regions, in order of address.
    pub regions: Vec<usize>,
}

/// So many members make a population, however small they are.
const MANY: u64 = 16;
/// Fewer do, when they take a tenth of all memory of their kind.
const FEW: u64 = 4;
/// More of them than these nobody reads.
const MOST: usize = 8;

/// The populations among these regions, most memory first.
///
/// Modules, stacks, and memory that is reserved or guarded are left out: what they are for is known.
pub fn populations(regions: &[Region]) -> Vec<Population> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut all = Bytes::ZERO;
    for (index, region) in regions.iter().enumerate().filter(|(_, region)| may_be_member(region)) {
        let key = (region.size(), region.protection, region.backing(), region.pages);
        groups.entry(key).or_default().push(index);
        all += region.size();
    }
    let groups = groups.into_values().map(|members| population(regions, members));
    let is_large = |group: &Population| group.members >= FEW && group.total.share_of(all) >= 0.1;
    let mut large: Vec<_> = groups.filter(|group| group.members >= MANY || is_large(group)).collect();
    // Equal totals stay in the order of their keys.
    large.sort_by_key(|group| Reverse(group.total));
    large.truncate(MOST);
    large
}

fn may_be_member(region: &Region) -> bool {
    let is_known = matches!(
        region.usage,
        Usage::Text
            | Usage::Rodata
            | Usage::Data
            | Usage::Bss
            | Usage::MainStack
            | Usage::ThreadStack
            | Usage::Guard
            | Usage::Vdso
            | Usage::Device
            | Usage::Reserved
    );
    !is_known
        && is_committed(region)
        && region.pages.is_none_or(|pages| pages.kind != Some(Pages::IMAGE))
        && region.size() > Bytes::ZERO
}

/// Whether the program can touch it: neither reserved nor a guard.
pub(super) fn is_committed(region: &Region) -> bool {
    region.state() == State::Mapped
        && region.pages.is_none_or(|pages| pages.is_committed() && !pages.is_guard())
}

fn population(regions: &[Region], members: Vec<usize>) -> Population {
    let first = &regions[members[0]];
    let each = members.iter().map(|&index| &regions[index]);
    Population {
        size: first.size(),
        protection: first.protection,
        backing: first.backing(),
        pages: first.pages,
        members: members.len() as u64,
        total: each.clone().map(Region::size).sum(),
        readable: each.map(|region| region.saved.unwrap_or(region.size())).sum(),
        regions: members,
    }
}

/// Some of these, evenly spread over the order they stand in: at most `count`.
///
/// A fixed stride would meet only every second kind of a program that makes its regions in turns, so the place within
/// each stride moves by the golden ratio: the same at every run, and in step with no program.
pub(super) fn spread<T: Copy>(items: &[T], count: usize) -> Vec<T> {
    if items.len() <= count {
        return items.to_vec();
    }
    let stride = items.len() as f64 / count as f64;
    let place = |index: usize| {
        let shift = (index as f64 * 0.618_033_988_749_895).fract();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below the number of items"
        )]
        let place = ((index as f64 + shift) * stride) as usize;
        items[place.min(items.len() - 1)]
    };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use residue_model::{Address, Range};

    use super::*;

    fn region(start: u64, size: u64, letters: &[u8], usage: Usage) -> Region {
        Region {
            range: Range { start: Address(start), end: Address(start + size) },
            protection: Protection::from_letters(letters).expect("four letters"),
            usage,
            ..Region::default()
        }
    }

    fn many(count: u64, from: u64, size: u64, letters: &[u8], usage: Usage) -> Vec<Region> {
        (0..count).map(|index| region(from + index * 0x10_0000, size, letters, usage)).collect()
    }

    #[test]
    fn alike_regions_are_one_population_and_modules_and_stacks_are_none() {
        let mut regions = many(30, 0x1_0000_0000, 0x2_0000, b"rw-p", Usage::AnonymousSmall);
        regions.extend(many(20, 0x2_0000_0000, 0x2_0000, b"r--p", Usage::AnonymousSmall));
        regions.extend(many(40, 0x3_0000_0000, 0x2_0000, b"rw-p", Usage::Data));
        regions.extend(many(40, 0x4_0000_0000, 0x2_0000, b"rw-p", Usage::ThreadStack));
        regions.extend(many(40, 0x5_0000_0000, 0x2_0000, b"---p", Usage::Reserved));
        regions.extend(many(15, 0x6_0000_0000, 0x1000, b"rw-p", Usage::AnonymousTiny));
        let found = populations(&regions);
        let seen: Vec<_> = found.iter().map(|group| (group.members, group.protection.write)).collect();
        assert_eq!(seen, [(30, true), (20, false)]);
        assert_eq!((found[0].total, found[0].readable), (Bytes(30 * 0x2_0000), Bytes(30 * 0x2_0000)));
        assert_eq!(found[1].regions, (30..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_few_large_ones_count_and_at_most_eight_are_told() {
        let mut regions = many(4, 0x10_0000_0000, 0x8_0000, b"rw-p", Usage::AnonymousSmall);
        assert_eq!(populations(&regions).len(), 1);
        for kind in 1..12 {
            regions.extend(many(
                16,
                0x20_0000_0000 + (kind << 32),
                kind * 0x1000,
                b"rw-p",
                Usage::AnonymousTiny,
            ));
        }
        let found = populations(&regions);
        assert_eq!(found.len(), 8);
        assert!(found.is_sorted_by(|a, b| a.total >= b.total));
    }

    #[test]
    fn a_guard_or_an_image_of_windows_is_no_member() {
        let pages =
            |kind, protect| Some(Pages { state: Pages::COMMIT, kind: Some(kind), protect: Some(protect) });
        let mut regions = many(48, 0x1_0000_0000, 0x2_0000, b"rw-p", Usage::AnonymousSmall);
        for (index, region) in regions.iter_mut().enumerate() {
            region.pages = match index % 3 {
                0 => pages(Pages::PRIVATE, 4),
                1 => pages(Pages::PRIVATE, 4 | Pages::GUARD),
                _ => pages(Pages::IMAGE, 4),
            };
        }
        let found = populations(&regions);
        assert_eq!(found.iter().map(|group| group.members).collect::<Vec<_>>(), [16]);
    }

    /// Every second of 9000 regions holds something else: a stride of 90 would see only one of the two.
    #[test]
    fn samples_are_spread_but_not_in_step_with_the_program() {
        let items: Vec<usize> = (0..9000).collect();
        let picks = spread(&items, 100);
        assert!(picks.is_sorted() && picks[0] < 90 && picks[99] >= 8910);
        let odd = picks.iter().filter(|&&pick| pick % 2 == 1).count();
        assert!((35..=65).contains(&odd), "{odd}");
        assert_eq!(spread(&items[..7], 100), items[..7]);
    }
}
