use std::io::{Read, Write};
use std::sync::Arc;

use residue_analysis::{
    Diff, DiffRegion, FreeRange, FreeSpace, Histogram, Map, Reclaimable, RegionFilter, RegionOrder, Summary,
};
use residue_model::{
    Address, AddressSpace, Backing, Bytes, Counters, Footprint, Limits, Protection, Region, SharedSegment,
    Source, State, Usage,
};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

use super::{Target, write};
use crate::{Error, Result};

#[derive(Serialize)]
pub(super) struct MapBody<'a> {
    source: Source,
    address_space: AddressSpace,
    footprint: &'a Footprint,
    summary: &'a Summary,
    free: Free<'a>,
    histogram: &'a [Histogram],
    fragmentation: Fragmentation,
    reclaimable: Reclaimable,
    limits: &'a Limits,
    /// Regions were left out.
    filtered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    regions: Option<Regions<'a>>,
}

#[derive(Serialize)]
struct Free<'a> {
    #[serde(flatten)]
    space: &'a FreeSpace,
    top: Vec<FreeRange>,
}

#[derive(Serialize)]
struct Fragmentation {
    index: f64,
    largest_free: Bytes,
    total_free: Bytes,
    crumbled: bool,
}

/// Regions, one after the other, never as a whole.
struct Regions<'a>(Vec<&'a Region>);

impl Serialize for Regions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for region in &self.0 {
            rows.serialize_element(&RegionRow::from(*region))?;
        }
        rows.end()
    }
}

#[derive(Serialize)]
struct RegionRow<'a> {
    start: Address,
    end: Address,
    size: Bytes,
    protection: Protection,
    #[serde(rename = "type")]
    backing: Backing,
    state: State,
    usage: Usage,
    name: &'a str,
    deleted: bool,
    allocation_base: Address,
    offset: Bytes,
    device: Device,
    inode: u64,
    flags: Option<&'a str>,
    threads: &'a [u32],
    shared_segment: Option<&'a Arc<SharedSegment>>,
    #[serde(flatten)]
    counters: &'a Counters,
}

/// `fe:01`, as `maps` writes it.
struct Device((u32, u32));

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02x}:{:02x}", self.0.0, self.0.1))
    }
}

impl<'a> From<&'a Region> for RegionRow<'a> {
    fn from(region: &'a Region) -> RegionRow<'a> {
        RegionRow {
            start: region.range.start,
            end: region.range.end,
            size: region.size(),
            protection: region.protection,
            backing: region.backing(),
            state: region.state(),
            usage: region.usage,
            name: region.name(),
            deleted: region.deleted,
            allocation_base: region.allocation_base,
            offset: region.offset,
            device: Device(region.device),
            inode: region.inode,
            flags: region.flags.as_deref(),
            threads: &region.threads,
            shared_segment: region.segment.as_ref(),
            counters: &region.counters,
        }
    }
}

/// Writes `residue.map/1`; the filter and order bear on `regions`, the sums are of all.
///
/// # Errors
/// When the output cannot be written.
pub fn map(
    out: &mut impl Write,
    map: &Map,
    filter: &RegionFilter,
    order: RegionOrder,
    free: usize,
) -> Result<()> {
    let mut regions: Vec<&Region> =
        map.snapshot.regions.iter().filter(|region| filter.accepts(region)).collect();
    order.sort(&mut regions);
    let target = Target::process(&map.snapshot.process);
    let body =
        MapBody { filtered: !filter.is_empty(), regions: Some(Regions(regions)), ..summary(map, free) };
    write(out, "residue.map/1", target, &map.snapshot.gaps, body)
}

/// A map without its regions, as it stands inside of other documents.
pub(super) fn summary(map: &Map, free: usize) -> MapBody<'_> {
    MapBody {
        source: map.snapshot.source,
        address_space: map.snapshot.space,
        footprint: &map.snapshot.process.footprint,
        summary: &map.summary,
        free: Free { space: &map.free, top: map.free.top(free) },
        histogram: &map.histogram,
        fragmentation: Fragmentation {
            index: map.free.index,
            largest_free: map.free.largest,
            total_free: map.free.total,
            crumbled: map.free.is_crumbled(),
        },
        reclaimable: map.reclaimable,
        limits: &map.snapshot.limits,
        filtered: false,
        regions: None,
    }
}

/// Writes `residue.map-diff/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn diff(out: &mut impl Write, map: &Map, diff: &Diff) -> Result<()> {
    write(out, "residue.map-diff/1", Target::process(&map.snapshot.process), &map.snapshot.gaps, diff)
}

#[derive(Deserialize)]
struct SavedMap {
    schema: String,
    #[serde(default)]
    filtered: bool,
    regions: Vec<SavedRegion>,
}

#[derive(Deserialize)]
struct SavedRegion {
    start: Address,
    size: Bytes,
    usage: Usage,
    name: String,
    rss: Option<Bytes>,
    swap: Option<Bytes>,
}

/// Reads the regions of a `residue.map/1` document back, to compare with.
///
/// # Errors
/// When it is none.
pub fn read_map(input: impl Read) -> Result<Vec<DiffRegion>> {
    let saved: SavedMap =
        serde_json::from_reader(input).map_err(|error| Error::Document(error.to_string()))?;
    if saved.schema != "residue.map/1" {
        return Err(Error::Document(format!("its schema is `{}`", saved.schema)));
    }
    if saved.filtered {
        return Err(Error::Document(
            "it was saved with --filter, so regions are missing: save it whole".into(),
        ));
    }
    let region = |saved: SavedRegion| DiffRegion {
        start: saved.start,
        size: saved.size,
        usage: saved.usage,
        name: saved.name,
        rss: saved.rss,
        swap: saved.swap,
    };
    Ok(saved.regions.into_iter().map(region).collect())
}
