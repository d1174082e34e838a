//! Where something stands in memory.
//!
//! Bytes are looked at where they stand, in steps that progress and interruption can follow; only matches are kept.

mod pattern;
mod scan;

use std::ops::{ControlFlow, Range as Span};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use residue_model::{Address, Bytes, Memory, Region, Usage};
use serde::Serialize;

pub use pattern::{Encodings, Pattern};
use scan::Scan;

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// How often the pattern was found; matches do not overlap.
    pub count: u64,
    /// The first of them, in order of address.
    pub matches: Vec<Match>,
    /// Regions with matches, in order of address.
    pub regions: Vec<RegionHits>,
    /// The same by usage, most matches first.
    pub by_usage: Vec<UsageHits>,
    /// How many regions were looked at.
    pub searched_regions: u64,
    /// How much memory was looked at.
    pub searched: Bytes,
    /// How much of what should have been looked at could not be read.
    pub unreadable: Bytes,
    /// Ended before the end, on request.
    pub interrupted: bool,
}

/// One match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where it stands.
    pub address: Address,
    /// The region in which it stands: its place in the list that was searched.
    pub region: usize,
    /// What stands there, a little before and after it.
    pub around: Vec<u8>,
    /// Where in `around` the match is.
    pub at: usize,
    /// How many bytes of `around` match.
    pub length: usize,
}

/// How often something was found in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionHits {
    /// Its place in the list that was searched.
    pub region: usize,
    /// How often.
    pub count: u64,
    /// The lowest address.
    pub first: Address,
    /// The highest address.
    pub last: Address,
}

/// How often something was found in regions of one usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UsageHits {
    /// The usage.
    pub usage: Usage,
    /// How often.
    pub count: u64,
    /// In how many regions.
    pub regions: u64,
}

impl Hits {
    /// Searches the given regions; at most `limit` matches are kept, all are counted.
    ///
    /// So many threads share the regions; what is found is the same for any number of them. `tick` is told how much
    /// more has been looked at, and breaks to end the search.
    pub fn search(
        memory: &dyn Memory,
        regions: &[&Region],
        pattern: &Pattern,
        limit: usize,
        threads: usize,
        tick: &mut dyn FnMut(Bytes) -> ControlFlow<()>,
    ) -> Hits {
        let mut shares = shares(regions, threads);
        let mut hits = match shares.len() {
            1 => Hits::of_share(memory, regions, shares.remove(0), pattern, limit, tick),
            _ => Hits::shared(memory, regions, shares, pattern, limit, tick),
        };
        hits.by_usage = by_usage(&hits.regions, regions);
        hits
    }

    /// A thread a share; what they find is put together in order of address.
    fn shared(
        memory: &dyn Memory,
        regions: &[&Region],
        shares: Vec<Span<usize>>,
        pattern: &Pattern,
        limit: usize,
        tick: &mut dyn FnMut(Bytes) -> ControlFlow<()>,
    ) -> Hits {
        let stop = AtomicBool::new(false);
        let (sender, steps) = channel();
        thread::scope(|scope| {
            let worker = |share| {
                let (sender, stop) = (sender.clone(), &stop);
                scope.spawn(move || {
                    Hits::of_share(memory, regions, share, pattern, limit, &mut |more| {
                        // Nobody listens any more only when the search is over.
                        let _ = sender.send(more);
                        let is_over = stop.load(Ordering::Relaxed);
                        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    })
                })
            };
            let workers: Vec<_> = shares.into_iter().map(worker).collect();
            drop(sender);
            for more in steps {
                if tick(more).is_break() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            let mut hits = Hits::default();
            for worker in workers {
                hits.append(worker.join().expect("a search does not panic"), limit);
            }
            hits
        })
    }

    fn of_share(
        memory: &dyn Memory,
        regions: &[&Region],
        share: Span<usize>,
        pattern: &Pattern,
        limit: usize,
        tick: &mut dyn FnMut(Bytes) -> ControlFlow<()>,
    ) -> Hits {
        let mut hits = Hits::default();
        let mut window = Vec::new();
        for index in share {
            let region = regions[index];
            let mut scan = Scan::new(pattern, index, limit, &mut hits);
            let flow = memory.walk(region.range, &mut window, &mut |at, piece| scan.piece(at, piece, tick));
            let read = scan.finish();
            hits.searched_regions += 1;
            hits.searched += read;
            if flow.is_break() {
                hits.interrupted = true;
                break;
            }
            hits.unreadable += region.size() - read;
        }
        hits
    }

    fn append(&mut self, part: Hits, limit: usize) {
        self.count += part.count;
        self.matches.extend(part.matches);
        self.matches.truncate(limit);
        self.regions.extend(part.regions);
        self.searched_regions += part.searched_regions;
        self.searched += part.searched;
        self.unreadable += part.unreadable;
        self.interrupted |= part.interrupted;
    }

    /// The lowest address.
    pub fn first(&self) -> Option<Address> {
        self.regions.first().map(|region| region.first)
    }

    /// The highest address.
    pub fn last(&self) -> Option<Address> {
        self.regions.iter().map(|region| region.last).max()
    }

    /// How matches spread over the address range that was searched, in equal parts of what the regions take.
    pub fn spread(&self, regions: &[&Region], parts: usize) -> Vec<u64> {
        let mut ends: Vec<u64> = Vec::with_capacity(regions.len());
        let mut sum = 0;
        for region in regions {
            sum += region.size().0;
            ends.push(sum);
        }
        let mut counts = vec![0; parts];
        for hit in &self.regions {
            let middle = ends[hit.region] - regions[hit.region].size().0 / 2;
            let part = u128::from(middle) * parts as u128 / u128::from(sum.max(1));
            let last = parts.saturating_sub(1);
            if let Some(count) = counts.get_mut(usize::try_from(part).unwrap_or(last).min(last)) {
                *count += hit.count;
            }
        }
        counts
    }

    fn add(&mut self, region: usize, limit: usize, found: impl FnOnce() -> Match, address: Address) {
        self.count += 1;
        match self.regions.last_mut() {
            Some(last) if last.region == region => {
                last.count += 1;
                last.last = address;
            }
            _ => self.regions.push(RegionHits { region, count: 1, first: address, last: address }),
        }
        if self.matches.len() < limit {
            self.matches.push(found());
        }
    }
}

/// Neighbouring regions that hold about the same number of bytes, a share for each thread.
fn shares(regions: &[&Region], threads: usize) -> Vec<Span<usize>> {
    let size = |region: &&Region| region.saved.unwrap_or(region.size());
    let all: Bytes = regions.iter().map(size).sum();
    let each = all.0.div_ceil(threads.max(1) as u64).max(SMALLEST_SHARE);
    let (mut shares, mut from, mut sum) = (Vec::new(), 0, 0);
    for (index, region) in regions.iter().enumerate() {
        sum += size(region).0;
        if sum >= each {
            shares.push(from..index + 1);
            (from, sum) = (index + 1, 0);
        }
    }
    shares.push(from..regions.len());
    shares
}

/// Less than this is searched before a thread has started.
const SMALLEST_SHARE: u64 = 32 * 1024 * 1024;

fn by_usage(hits: &[RegionHits], regions: &[&Region]) -> Vec<UsageHits> {
    let mut sums: Vec<UsageHits> = Vec::new();
    for hit in hits {
        let usage = regions[hit.region].usage;
        let known = sums.iter().position(|sum| sum.usage == usage).unwrap_or_else(|| {
            sums.push(UsageHits { usage, count: 0, regions: 0 });
            sums.len() - 1
        });
        let sum = &mut sums[known];
        sum.count += hit.count;
        sum.regions += 1;
    }
    sums.sort_by(|a, b| b.count.cmp(&a.count).then(a.usage.cmp(&b.usage)));
    sums
}

#[cfg(test)]
mod tests {
    use residue_model::{Pieces, Range};

    use super::*;

    fn region(start: u64, size: u64, usage: Usage) -> Region {
        let range = Range { start: Address(start), end: Address(start + size) };
        Region { range, usage, ..Region::default() }
    }

    fn found(memory: &Pieces<'_>, regions: &[Region], pattern: &Pattern) -> Hits {
        let regions: Vec<&Region> = regions.iter().collect();
        Hits::search(memory, &regions, pattern, 100, 1, &mut |_| ControlFlow::Continue(()))
    }

    fn text(text: &str) -> Pattern {
        Pattern::text(text, Encodings { ascii: true, utf16: false }, false).expect("a pattern")
    }

    #[test]
    fn matches_are_counted_by_region_and_usage_and_the_hole_is_told() {
        let memory = Pieces(vec![(Address(0x1000), b"a needle, a needle"), (Address(0x3000), b"needle")]);
        let regions = [region(0x1000, 0x100, Usage::Heap), region(0x3000, 6, Usage::Text)];
        let hits = found(&memory, &regions, &text("needle"));
        let addresses: Vec<u64> = hits.matches.iter().map(|hit| hit.address.0).collect();
        assert_eq!((hits.count, addresses), (3, vec![0x1002, 0x100c, 0x3000]));
        assert_eq!((hits.first(), hits.last()), (Some(Address(0x1002)), Some(Address(0x3000))));
        assert_eq!(hits.by_usage[0], UsageHits { usage: Usage::Heap, count: 2, regions: 1 });
        assert_eq!((hits.searched, hits.unreadable), (Bytes(24), Bytes(0x100 - 18)));
        assert_eq!(&hits.matches[0].around, b"a needle, a needle");
    }

    #[test]
    fn a_match_across_two_pieces_is_found_once_and_one_across_a_hole_never() {
        let memory = Pieces(vec![
            (Address(0x1000), b"..nee"),
            (Address(0x1005), b"dle nee"),
            (Address(0x1010), b"dle"),
        ]);
        let hits = found(&memory, &[region(0x1000, 0x20, Usage::Heap)], &text("needle"));
        assert_eq!((hits.count, hits.matches[0].address), (1, Address(0x1002)));
    }

    #[test]
    fn a_match_in_three_pieces_is_found() {
        let memory =
            Pieces(vec![(Address(0x1000), b"ne"), (Address(0x1002), b"ed"), (Address(0x1004), b"le")]);
        let hits = found(&memory, &[region(0x1000, 0x20, Usage::Heap)], &text("needle"));
        assert_eq!((hits.count, hits.matches[0].address), (1, Address(0x1000)));
    }

    #[test]
    fn all_are_counted_where_few_are_kept_and_the_spread_adds_up() {
        let bytes = b"x".repeat(1000);
        let memory = Pieces(vec![(Address(0x1000), &bytes)]);
        let heap = region(0x1000, 1000, Usage::Heap);
        let hits = Hits::search(&memory, &[&heap], &text("x"), 3, 2, &mut |_| ControlFlow::Continue(()));
        assert_eq!((hits.count, hits.matches.len()), (1000, 3));
        assert_eq!(hits.spread(&[&heap], 4).iter().sum::<u64>(), 1000);
    }

    #[test]
    fn an_interrupted_search_keeps_what_it_found() {
        let memory = Pieces(vec![(Address(0x1000), b"needle")]);
        let regions = [region(0x1000, 6, Usage::Heap), region(0x2000, 6, Usage::Heap)];
        let regions: Vec<&Region> = regions.iter().collect();
        let hits = Hits::search(&memory, &regions, &text("needle"), 9, 1, &mut |_| ControlFlow::Break(()));
        assert!(hits.interrupted);
        assert_eq!(hits.count, 1);
    }

    #[test]
    fn threads_find_the_same_in_the_same_order() {
        let bytes = b"needle in hay, ".repeat(1 << 20);
        let memory = Pieces((0..8).map(|index| (Address(index << 32), bytes.as_slice())).collect());
        let regions: Vec<Region> =
            (0..8).map(|index| region(index << 32, bytes.len() as u64, Usage::Heap)).collect();
        let regions: Vec<&Region> = regions.iter().collect();
        let search = |threads| {
            let hits = Hits::search(&memory, &regions, &text("needle"), 5, threads, &mut |_| {
                ControlFlow::Continue(())
            });
            (hits.count, hits.matches, hits.regions, hits.searched)
        };
        assert_eq!(search(1), search(3));
        assert_eq!(shares(&regions, 3).len(), 3);
        assert_eq!(search(1).0, 8 << 20);
    }
}
