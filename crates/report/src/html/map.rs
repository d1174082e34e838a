use std::collections::HashMap;

use maud::{Markup, html};
use residue_analysis::Map;
use residue_model::{Bytes, Counter, Os, Region, Source, Usage};
use serde::Serialize;
use serde::ser::{SerializeSeq, SerializeTuple, Serializer};

use super::{MAP, PICTURE, Page, STYLE, TABLE, count, gaps, number, sums};
use crate::Result;
use crate::units::{percent, size};
use crate::words::{self, protection, remark};

/// Sizes in the histogram's table; the rest is in the JSON document.
const SIZES: usize = 50;

/// The address space as a picture to scale, its sums, and every region.
///
/// # Errors
/// When its data cannot be written.
pub fn map(map: &Map) -> Result<String> {
    let title = format!("Address space of {}", words::target(&map.snapshot));
    let subtitle = match &map.snapshot.dump {
        Some(dump) => words::dump(dump, &map.snapshot),
        None => live(map),
    };
    let page = Page { title: &title, subtitle: &subtitle, styles: &[STYLE], scripts: &[TABLE, PICTURE, MAP] };
    page.render(&main(map), &Data::of(map))
}

fn live(map: &Map) -> String {
    let total = &map.summary.total;
    let system = words::machine(&map.snapshot).map(|machine| format!("{machine} · ")).unwrap_or_default();
    format!(
        "{system}{}-bit · {} regions · {} mapped or reserved · {}",
        map.snapshot.space.bits,
        total.regions,
        size(total.size),
        words::footprint(&map.snapshot.process.footprint).replace(", ", " · ")
    )
}

fn main(map: &Map) -> Markup {
    let summary = &map.summary;
    html! {
        section id="picture" {
            h2 { "Address space" }
            div id="legend" {}
            div id="toolbar" {}
            canvas id="overview" {}
            canvas id="strip" {}
            div id="tooltip" hidden {}
            p id="selection" {}
        }
        section id="summaries" {
            h2 { "Sums" }
            (sums("Usage", &summary.by_usage, &summary.total))
            (sums("Type", &summary.by_type, &summary.total))
            (sums("State", &summary.by_state, &summary.total))
            (sums("Protection", &summary.by_protection, &summary.total))
            (histogram(map))
            (free(map))
            @if map.snapshot.source == Source::Smaps || map.snapshot.source == Source::Pagemap { (reclaimable(map)) }
        }
        section id="regions" {
            h2 { "Regions" }
            div id="region-filter" {}
            table id="region-table" class="sortable-virtual" { thead {} tbody {} }
            p id="region-count" {}
        }
        (gaps(&map.snapshot.gaps))
    }
}

fn histogram(map: &Map) -> Markup {
    html! {
        h3 { "Exact sizes" }
        div.scroll {
            table.sortable {
                thead { tr { th.number { "Size" } th.number { "Hex" } th.number { "Regions" } th.number { "Total" } } }
                tbody {
                    @for bin in map.histogram.iter().take(SIZES) {
                        tr {
                            (number(Some(bin.size)))
                            td.number data-value=(bin.size.0) { (format!("{:#x}", bin.size.0)) }
                            (count(bin.regions))
                            (number(Some(bin.total)))
                        }
                    }
                }
            }
        }
        @if map.histogram.len() > SIZES { p { (map.histogram.len() - SIZES) " more sizes in the JSON document." } }
    }
}

fn free(map: &Map) -> Markup {
    let free = &map.free;
    html! {
        h3 { "Free address space" }
        p {
            (size(free.total)) " in " (free.ranges) " ranges, largest " (size(free.largest))
            ", fragmentation index " (format!("{:.3}", free.index)) "."
        }
        @if free.is_crumbled() {
            p.warning {
                "The largest range is " (percent(free.largest.share_of(free.total)))
                " of what is free: a mapping above " (size(free.largest)) " fails."
            }
        }
        div.scroll {
            table.sortable {
                thead { tr { th { "Start" } th { "End" } th.number { "Size" } } }
                tbody {
                    @for range in free.top(10) {
                        tr { td { (range.start) } td { (range.end) } (number(Some(range.size))) }
                    }
                }
            }
        }
    }
}

fn reclaimable(map: &Map) -> Markup {
    html! {
        h3 { "What the kernel can take back" }
        div.scroll {
            table.sortable {
                thead { tr { th { "Kind" } th.number { "Size" } } }
                tbody {
                    tr { td { "clean file pages" } (number(map.reclaimable.clean_file)) }
                    tr { td { "given back with MADV_FREE" } (number(map.reclaimable.lazy_free)) }
                    tr { td { "swapped out already" } (number(map.reclaimable.swap)) }
                }
            }
        }
    }
}

/// What the picture is drawn from.
#[derive(Serialize)]
struct Data<'a> {
    /// What its third number is.
    held: Held,
    bits: u8,
    space: Space,
    usages: Vec<UsageName>,
    names: Vec<String>,
    regions: Regions<'a>,
    free: Vec<(u64, u64)>,
}

#[derive(Serialize)]
struct Space {
    start: u64,
    end: u64,
}

#[derive(Serialize)]
struct UsageName {
    key: &'static str,
    label: &'static str,
}

struct Regions<'a> {
    rows: &'a [Region],
    /// The place of each region's name in the list of names.
    names: Vec<Option<usize>>,
}

impl<'a> Data<'a> {
    fn of(map: &'a Map) -> Data<'a> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut names = Vec::new();
        let name_of = |region: &'a Region| {
            let name = region.name.as_deref()?;
            Some(*places.entry(name).or_insert_with(|| {
                names.push(name.to_owned());
                names.len() - 1
            }))
        };
        let rows = &map.snapshot.regions;
        let regions = Regions { rows, names: rows.iter().map(name_of).collect() };
        Data {
            held: Held::of(map),
            bits: map.snapshot.space.bits,
            space: Space { start: map.snapshot.space.range.start.0, end: map.snapshot.space.range.end.0 },
            usages: Usage::ALL
                .iter()
                .map(|usage| UsageName { key: usage.key(), label: usage.label() })
                .collect(),
            names,
            regions,
            free: map.free.all.iter().map(|range| (range.start.0, range.size.0)).collect(),
        }
    }
}

impl Serialize for Regions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        for (region, name) in self.rows.iter().zip(&self.names) {
            rows.serialize_element(&RegionRow(region, *name))?;
        }
        rows.end()
    }
}

/// What the picture fills of a region: what is known of how much of it is there.
#[derive(Clone, Copy, Serialize)]
enum Held {
    #[serde(rename = "resident")]
    Resident,
    #[serde(rename = "in the dump")]
    Saved,
    #[serde(rename = "in RAM")]
    InRam,
    /// Windows promises memory when it is committed; how much of it is in RAM it does not always tell.
    #[serde(rename = "committed")]
    Committed,
}

impl Held {
    fn of(map: &Map) -> Held {
        let is_windows = map.snapshot.machine.os == Os::Windows;
        match (&map.snapshot.dump, map.summary.total.rss) {
            (Some(_), _) => Held::Saved,
            (None, Some(_)) if is_windows => Held::InRam,
            (None, None) if is_windows => Held::Committed,
            _ => Held::Resident,
        }
    }
}

fn held(region: &Region) -> Option<u64> {
    let committed =
        || region.pages.map(|pages| if pages.is_committed() { region.size() } else { Bytes::ZERO });
    let held = region.counters.get(Counter::Rss).or(region.saved).or_else(committed);
    held.map(|Bytes(bytes)| bytes)
}

/// One region as a short array: 60 000 of them make a page.
struct RegionRow<'a>(&'a Region, Option<usize>);

impl Serialize for RegionRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let RegionRow(region, name) = self;
        let counter = |counter| region.counters.get(counter).map(|Bytes(bytes)| bytes);
        let usage = Usage::ALL.iter().position(|&usage| usage == region.usage);
        let mut row = serializer.serialize_tuple(10)?;
        row.serialize_element(&region.range.start.0)?;
        row.serialize_element(&region.size().0)?;
        row.serialize_element(&usage)?;
        row.serialize_element(&protection(region))?;
        row.serialize_element(&name.map_or(-1, |place| i64::try_from(place).unwrap_or(-1)))?;
        row.serialize_element(&held(region))?;
        row.serialize_element(&counter(Counter::Pss))?;
        row.serialize_element(&region.counters.uss().map(|Bytes(bytes)| bytes))?;
        row.serialize_element(&counter(Counter::Swap))?;
        row.serialize_element(&remark(region))?;
        row.end()
    }
}
