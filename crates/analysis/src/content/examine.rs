use std::cmp::Reverse;

use residue_model::{Address, Bytes, Memory, Region};
use serde::Serialize;

use super::extract::Texts;
use super::member::Member;
use super::population::spread;
use super::strings;
use super::telling::Telling;
use super::{Background, Content, Layout, Population, interval};

/// What the members of a population hold, as far as a sample tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Contents {
    /// How many members there are.
    pub members: u64,
    /// How many were looked into.
    pub sampled: u64,
    /// How many more were to be, but nothing of them can be read. Shares speak of the others.
    pub unreadable: u64,
    /// How much was read.
    pub looked_at: Bytes,
    /// What they hold, most first; the shares sum to 1.
    pub shares: Vec<Share>,
    /// How much of a member is not zero, 0 to 1: half of them have less. `None` when nothing was read.
    pub median_filled: Option<f64>,
    /// How two or three members of the largest class begin.
    pub previews: Vec<(Address, String)>,
    /// Strings that many members have and the rest of the process has not, most telling first.
    pub strings: Vec<Telling>,
}

/// One class and how many of the members have it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The class.
    pub content: Content,
    /// Of those that were looked into.
    pub members_sampled: u64,
    /// Part of the readable members, 0 to 1.
    pub share: f64,
    /// The least that it may be, with 95 % confidence; the share itself when all were looked into.
    pub low: f64,
    /// The most that it may be.
    pub high: f64,
}

/// So many members leave an interval of a few percent, and are read in a fraction of a second.
const SAMPLE: usize = 96;
const PREVIEWS: usize = 3;

/// Looks into enough members of a population to say what they hold.
///
/// The same snapshot gives the same answer: members are picked by their place, not by chance.
pub fn examine(
    population: &Population,
    regions: &[Region],
    memory: &dyn Memory,
    layout: &Layout,
    background: &Background,
) -> Contents {
    let picks = spread(&population.regions, SAMPLE);
    let mut window = Vec::new();
    let members: Vec<Member> = picks
        .iter()
        .filter_map(|&index| regions.get(index))
        .filter_map(|region| Member::of(region, memory, layout, &mut window))
        .collect();
    let shares = shares(&members, population.members, picks.len());
    let texts: Vec<&Texts> = members.iter().map(|member| &member.texts).collect();
    Contents {
        members: population.members,
        sampled: members.len() as u64,
        unreadable: (picks.len() - members.len()) as u64,
        looked_at: members.iter().map(|member| member.read).sum(),
        median_filled: median(members.iter().map(|member| member.filled).collect()),
        previews: previews(&members, shares.first().map(|share| share.content)),
        strings: strings::telling(&texts, &background.without(population)),
        shares,
    }
}

fn shares(members: &[Member], population: u64, picked: usize) -> Vec<Share> {
    let sampled = members.len() as u64;
    // Where a part of the picks could not be read, neither can that part of the others.
    let readable = population * sampled / (picked as u64).max(1);
    let count = |content| members.iter().filter(|member| member.content == content).count() as u64;
    let share = |content: Content| {
        let members_sampled = count(content);
        let (share, low, high) = interval::share(members_sampled, sampled, readable.max(sampled));
        Share { content, members_sampled, share, low, high }
    };
    let mut shares: Vec<Share> = Content::ALL
        .iter()
        .map(|&content| share(content))
        .filter(|share| share.members_sampled > 0)
        .collect();
    shares.sort_by_key(|share| Reverse(share.members_sampled));
    shares
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn previews(members: &[Member], most: Option<Content>) -> Vec<(Address, String)> {
    let most: Vec<&Member> =
        members.iter().filter(|member| Some(member.content) == most && member.preview.is_some()).collect();
    let shown = spread(&most, PREVIEWS).into_iter();
    shown.filter_map(|member| Some((member.start, member.preview.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use proptest::prelude::*;
    use residue_model::{Pieces, Protection, Range, Visit};

    use super::*;
    use crate::content::populations;
    use crate::content::tally::tests::noise;
    use crate::content::telling::Encoding;

    const SIZE: u64 = 0x2_0000;

    /// Regions of one size whose bytes are made when they are asked for: 9000 of them would not fit into a test.
    struct Made(fn(u64) -> Vec<u8>);

    impl Memory for Made {
        fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
            let index = range.start.0 / SIZE;
            let held = Range { start: Address(index * SIZE), end: Address((index + 1) * SIZE) };
            *window = self.0(index);
            window.resize(usize::try_from(SIZE).expect("small"), 0);
            held.overlap(range)
                .map_or(ControlFlow::Continue(()), |part| visit(part.start, &window[held.offset_of(part)]))
        }
    }

    fn regions(count: u64) -> Vec<Region> {
        let region = |index: u64| Region {
            range: Range { start: Address(index * SIZE), end: Address((index + 1) * SIZE) },
            protection: Protection::from_letters(b"rw-p").expect("four letters"),
            ..Region::default()
        };
        (1..=count).map(region).collect()
    }

    fn contents(count: u64, memory: &dyn Memory) -> Contents {
        let regions = regions(count);
        let layout = Layout::of(&regions, 64, false);
        let populations = populations(&regions);
        let background = Background::of(&regions, &populations, memory);
        examine(&populations[0], &regions, memory, &layout, &background)
    }

    fn words(seed: u64, count: usize) -> String {
        let letters = noise(count * 7, seed);
        let word = |part: &[u8]| part.iter().map(|byte| char::from(b'a' + byte % 26)).collect::<String>();
        letters.chunks(7).map(word).collect::<Vec<_>>().join(" ")
    }

    fn page(seed: u64) -> Vec<u8> {
        let days =
            (0..40).map(|day| format!("<tr><td>{}</td><td>{day}</td></tr>\n", words(seed * 100 + day, 12)));
        format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{}</title></head><body>\n\
             <div class=\"forecast-widget\"><p>{}</p></div><table>{}</table></body></html>",
            words(seed, 4),
            words(seed + 1, 60),
            days.collect::<String>(),
        )
        .into_bytes()
    }

    /// The case this is made for: 85 % pages of one site, 10 % empty, 5 % noise, mixed in address order.
    #[test]
    fn nine_thousand_pages_are_told_with_their_share_and_their_template() {
        let contents = contents(
            9000,
            &Made(|index| match index * 7919 % 100 {
                0..85 => page(index),
                85..95 => Vec::new(),
                _ => noise(0x2_0000, index),
            }),
        );

        assert_eq!((contents.members, contents.sampled, contents.unreadable), (9000, 96, 0));
        for (share, content, truth) in [
            (contents.shares[0], Content::Html, 0.85),
            (contents.shares[1], Content::Zero, 0.10),
            (contents.shares[2], Content::Encrypted, 0.05),
        ] {
            assert_eq!(share.content, content);
            assert!(share.low <= truth && truth <= share.high, "{share:?}");
            assert!(share.high - share.low < 0.2, "{share:?}");
        }
        assert_eq!(contents.strings[0].text, "<div class=\"forecast-widget\">");
        assert!(contents.strings[0].share > 0.75 && contents.strings[0].background < 0.01);
        assert!(contents.previews.iter().all(|(_, text)| text.starts_with("<!DOCTYPE html>")));
        assert_eq!(contents.previews.len(), 3);
    }

    #[test]
    fn where_all_members_differ_no_string_is_told() {
        let contents = contents(500, &Made(|index| noise(0x2_0000, index)));
        assert_eq!(contents.shares[0].content, Content::Encrypted);
        assert_eq!(contents.strings, []);
    }

    #[test]
    fn a_small_population_is_counted_and_not_estimated() {
        let contents =
            contents(20, &Made(|index| if index % 4 == 0 { page(index) } else { vec![0xcc; 0x2_0000] }));
        let seen: Vec<_> =
            contents.shares.iter().map(|share| (share.content, share.low, share.share, share.high)).collect();
        assert_eq!(seen, [(Content::Repeated, 0.75, 0.75, 0.75), (Content::Html, 0.25, 0.25, 0.25)]);
        assert!(contents.median_filled.is_some_and(|filled| filled > 0.99));
    }

    /// Nothing found and nothing readable must not look the same.
    #[test]
    fn members_that_cannot_be_read_are_counted_and_have_no_share() {
        let bytes = page(1);
        let readable =
            regions(40).into_iter().take(10).map(|region| (region.range.start, &bytes[..])).collect();
        let contents = contents(40, &Pieces(readable));
        assert_eq!((contents.sampled, contents.unreadable), (10, 30));
        assert_eq!(contents.shares.len(), 1);
        assert!((contents.shares[0].share - 1.0).abs() < 1e-9);
        let nothing = self::contents(40, &residue_model::NoMemory);
        assert_eq!((nothing.sampled, nothing.shares.len(), nothing.median_filled), (0, 0, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Whatever the members hold, shares are parts of one whole inside of their intervals, and every string that is
        /// told stands in as many members as it says.
        #[test]
        fn shares_sum_to_one_and_strings_are_there(
            members in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..400),
                    "[a-d <>\"=]{0,200}(station|weather)-cache[a-d ]{0,100}".prop_map(String::into_bytes),
                    "[a-f]{1,40}WideRecord".prop_map(|text| text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
                ],
                16..40,
            )
        ) {
            let regions = regions(members.len() as u64);
            let held = regions.iter().zip(&members).map(|(region, bytes)| (region.range.start, &bytes[..])).collect();
            let contents = contents(members.len() as u64, &Pieces(held));
            let readable = members.iter().filter(|bytes| !bytes.is_empty()).count() as u64;
            prop_assert_eq!(contents.sampled, readable);
            let sum: f64 = contents.shares.iter().map(|share| share.share).sum();
            prop_assert!(readable == 0 || (sum - 1.0).abs() < 1e-9);
            prop_assert!(contents.shares.iter().all(|share| share.low <= share.share && share.share <= share.high));
            for telling in &contents.strings {
                let wanted: Vec<u8> = match telling.encoding {
                    Encoding::Ascii => telling.text.bytes().collect(),
                    Encoding::Utf16 => telling.text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                };
                let having = members.iter().filter(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted));
                prop_assert_eq!(having.count() as u64, telling.members, "{:?}", telling);
                prop_assert!((8..=64).contains(&telling.text.chars().count()));
            }
        }
    }
}
