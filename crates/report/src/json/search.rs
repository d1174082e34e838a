use std::io::Write;

use residue_analysis::search::{Hits, UsageHits};
use residue_model::{Address, Bytes, Region, Snapshot, Usage};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::{Target, write};
use crate::Result;
use crate::words::preview;

#[derive(Serialize)]
struct SearchBody<'a> {
    pattern: &'a str,
    count: u64,
    matches: Matches<'a>,
    regions_hit: u64,
    first: Option<Address>,
    last: Option<Address>,
    spread: Vec<u64>,
    by_usage: &'a [UsageHits],
    by_region: Vec<RegionRow>,
    searched: Bytes,
    searched_regions: u64,
    unreadable: Bytes,
    interrupted: bool,
}

#[derive(Serialize)]
struct RegionRow {
    region: Address,
    size: Bytes,
    usage: Usage,
    count: u64,
    first: Address,
    last: Address,
}

/// Matches, one after the other: a million of them never stand in memory as text.
struct Matches<'a> {
    hits: &'a Hits,
    regions: &'a [&'a Region],
    utf16: bool,
}

#[derive(Serialize)]
struct MatchRow {
    address: Address,
    region: Address,
    usage: Usage,
    preview: String,
}

impl Serialize for Matches<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.hits.matches.len()))?;
        for hit in &self.hits.matches {
            let region = self.regions[hit.region];
            rows.serialize_element(&MatchRow {
                address: hit.address,
                region: region.range.start,
                usage: region.usage,
                preview: preview(hit, self.utf16),
            })?;
        }
        rows.end()
    }
}

/// Writes `residue.search/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn search(
    out: &mut impl Write,
    snapshot: &Snapshot,
    regions: &[&Region],
    hits: &Hits,
    pattern: &str,
    utf16: bool,
) -> Result<()> {
    let row = |hit: &residue_analysis::search::RegionHits| {
        let region = regions[hit.region];
        RegionRow {
            region: region.range.start,
            size: region.size(),
            usage: region.usage,
            count: hit.count,
            first: hit.first,
            last: hit.last,
        }
    };
    let body = SearchBody {
        pattern,
        count: hits.count,
        matches: Matches { hits, regions, utf16 },
        regions_hit: hits.regions.len() as u64,
        first: hits.first(),
        last: hits.last(),
        spread: hits.spread(regions, 40),
        by_usage: &hits.by_usage,
        by_region: hits.regions.iter().map(row).collect(),
        searched: hits.searched,
        searched_regions: hits.searched_regions,
        unreadable: hits.unreadable,
        interrupted: hits.interrupted,
    };
    write(out, "residue.search/1", Target::of(snapshot), &snapshot.gaps, body)
}
