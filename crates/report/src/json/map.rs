use std::io::{Read, Write};
use std::sync::Arc;

use residue_analysis::content::Content;
use residue_analysis::{
    Allocation, Diff, DiffRegion, FreeRange, FreeSpace, Histogram, Look, Map, Reclaimable, RegionView,
    Summary,
};
use residue_model::{
    Address, AddressSpace, Bytes, Counters, Footprint, Limits, Pages, Region, SharedSegment, Source, Usage,
};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

use super::{Target, write};
use crate::{Error, Result, words};

/// The schema of an address space.
const MAP: &str = "residue.map/1";

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
    #[serde(skip_serializing_if = "Option::is_none")]
    allocations: Option<Vec<&'a Allocation>>,
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
struct Regions<'a> {
    map: &'a Map,
    chosen: Vec<&'a Region>,
}

impl Serialize for Regions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.chosen.len()))?;
        for region in &self.chosen {
            rows.serialize_element(&RegionRow::of(region, self.map.look(region)))?;
        }
        rows.end()
    }
}

#[derive(Serialize)]
struct RegionRow<'a> {
    start: Address,
    end: Address,
    size: Bytes,
    protection: String,
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
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
    saved: Option<Bytes>,
    content: Option<Content>,
    preview: Option<&'a str>,
}

/// `fe:01`, as `maps` writes it.
struct Device((u32, u32));

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02x}:{:02x}", self.0.0, self.0.1))
    }
}

impl<'a> RegionRow<'a> {
    fn of(region: &'a Region, look: Option<&'a Look>) -> RegionRow<'a> {
        RegionRow {
            start: region.range.start,
            end: region.range.end,
            size: region.size(),
            protection: words::protection(region),
            kind: region.pages.map_or(region.backing().key(), Pages::kind_name),
            state: region.pages.map_or(region.state().key(), Pages::state_name),
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
            saved: region.saved,
            content: look.and_then(|look| look.content),
            preview: look.and_then(|look| look.preview.as_deref()),
        }
    }
}

/// Writes `residue.map/1`; the filter and order bear on `regions`, the sums are of all.
///
/// # Errors
/// When the output cannot be written.
pub fn map(out: &mut impl Write, map: &Map, view: &RegionView, free: usize) -> Result<()> {
    let chosen = map.chosen(view).regions;
    let filter = &view.filter;
    let target = Target::of(&map.snapshot);
    let body = MapBody {
        filtered: !filter.is_empty(),
        allocations: Some(map.allocations_of(filter)),
        regions: Some(Regions { map, chosen }),
        ..summary(map, free)
    };
    write(out, MAP, target, &map.snapshot.gaps, body)
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
        allocations: None,
        filtered: false,
        regions: None,
    }
}

/// Writes `residue.map-diff/1`.
///
/// # Errors
/// When the output cannot be written.
pub fn diff(out: &mut impl Write, map: &Map, diff: &Diff) -> Result<()> {
    write(out, "residue.map-diff/1", Target::of(&map.snapshot), &map.snapshot.gaps, diff)
}

#[derive(Deserialize)]
struct SavedMap {
    #[serde(default)]
    filtered: bool,
    regions: Vec<SavedRegion>,
}

#[derive(Deserialize)]
struct SavedRegion {
    state: Option<String>,
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
    let saved: SavedMap = super::saved(input, MAP)?;
    if saved.filtered {
        let what = "it was saved with --filter, so regions are missing: save it whole".into();
        return Err(Error::Document { schema: MAP, what });
    }
    let region = |saved: SavedRegion| DiffRegion {
        start: saved.start,
        size: saved.size,
        usage: saved.usage,
        name: saved.name,
        rss: saved.rss,
        swap: saved.swap,
        committed: match saved.state.as_deref() {
            Some("MEM_COMMIT") => Some(saved.size),
            Some("MEM_RESERVE") => Some(Bytes::ZERO),
            _ => None,
        },
    };
    Ok(saved.regions.into_iter().map(region).collect())
}
