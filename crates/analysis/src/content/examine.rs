use residue_model::{Address, Bytes, Memory, Range, Region};
use serde::Serialize;

use super::extract::Texts;
use super::population::spread;
use super::region::look;
use super::strings::{self, Telling};
use super::{Background, Content, Layout, Population, interval, preview};

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
/// What is read of a member: all of it when it is no larger than both.
const START: u64 = 48 << 10;
const MIDDLE: u64 = 16 << 10;
const PREVIEWS: usize = 3;
const PREVIEW: usize = 80;

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

/// What was seen of one member.
struct Member {
    start: Address,
    content: Content,
    read: Bytes,
    filled: f64,
    preview: Option<String>,
    texts: Texts,
}

impl Member {
    fn of(region: &Region, memory: &dyn Memory, layout: &Layout, window: &mut Vec<u8>) -> Option<Member> {
        let mut seen = Seen::default();
        for part in parts(region.range) {
            look(memory, part, window, |bytes| seen.add(bytes, layout));
        }
        let content = seen.content?;
        Some(Member {
            start: region.range.start,
            content,
            read: Bytes(seen.read),
            filled: Bytes(seen.nonzero).share_of(Bytes(seen.read)),
            preview: seen.preview,
            texts: seen.texts,
        })
    }
}

#[derive(Default)]
struct Seen {
    content: Option<Content>,
    read: u64,
    nonzero: u64,
    preview: Option<String>,
    texts: Texts,
}

impl Seen {
    /// The start decides what a member holds, unless it is empty.
    fn add(&mut self, bytes: &[u8], layout: &Layout) {
        if self.content.is_none_or(|content| content == Content::Zero) {
            self.content = Some(Content::of(bytes, layout));
            self.preview = preview(bytes, PREVIEW);
        }
        self.read += bytes.len() as u64;
        self.nonzero += bytes.iter().filter(|&&byte| byte != 0).count() as u64;
        self.texts.add(bytes);
    }
}

fn parts(range: Range) -> impl Iterator<Item = Range> {
    let size = range.size().0;
    let all = size <= START + MIDDLE;
    let start = Range { end: Address(range.start.0 + if all { size } else { START }), ..range };
    let middle = range.start.0 + ((size / 2).max(START) & !0xfff);
    let middle = Range { start: Address(middle), end: Address(middle + MIDDLE) }.overlap(range);
    [Some(start), middle.filter(|_| !all)].into_iter().flatten()
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
    shares.sort_by(|a, b| b.members_sampled.cmp(&a.members_sampled));
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
