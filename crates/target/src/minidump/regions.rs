use std::sync::Arc;

use residue_model::{Address, Bytes, Gap, Module, Pages, Protection, Range, Region};

use super::streams::Streams;
use crate::image::{Segment, Segments, part};
use crate::windows::{self, loaded, module_at};

/// The regions of a dump: as the system listed them where the dump has such a list, otherwise derived from the memory
/// that it holds and the modules that it names.
pub(super) fn regions(streams: &Streams, segments: &Segments, gaps: &mut Vec<Gap>) -> Vec<Region> {
    let modules = loaded(&streams.modules);
    let mut regions = match (&streams.queried, &streams.mapped) {
        (Some(queried), _) => windows::regions(queried, &streams.modules, &[]),
        (None, Some(mapped)) => mapped.clone(),
        (None, None) => Vec::new(),
    };
    let overlap = part(&mut regions);
    if overlap > Bytes::ZERO {
        gaps.push(Gap::new(
            format!("{overlap} that two regions of the dump claim"),
            "the region that begins first is shown",
        ));
    }
    let is_listed = !regions.is_empty();
    let derived = derive(streams, &modules, segments.held(), &regions);
    if !is_listed {
        gaps.push(Gap::new(
            "the list of regions",
            "the dump has none: regions are derived from saved memory and modules; what is reserved or not saved is \
             unseen, and protections are not known",
        ));
    } else if !derived.is_empty() {
        gaps.push(Gap::new(
            format!("type and protection of {} ranges", derived.len()),
            "the dump holds their memory, but its list of regions does not name them",
        ));
    }
    regions.extend(derived);
    regions.sort_by_key(|region| region.range.start);
    for region in &mut regions {
        region.saved = Some(segments.saved(region.range));
    }
    let saved: Bytes = regions.iter().filter_map(|region| region.saved).sum();
    let size: Bytes = regions.iter().filter(|region| !region.protection.is_none()).map(Region::size).sum();
    if saved < size {
        gaps.push(Gap::new(
            format!("{} of {size} that regions with access take", size - saved),
            "they are not in the dump: its writer was not asked for all memory",
        ));
    }
    regions
}

/// The parts of a range that belong to one module each, or to none.
fn by_module(range: Range, modules: &[(Range, &Module)]) -> Vec<Range> {
    let mut parts = Vec::new();
    let mut at = range.start;
    let first = modules.partition_point(|(module, _)| module.end <= range.start);
    for (module, _) in &modules[first..] {
        for border in [module.start, module.end] {
            if at < border && border < range.end {
                parts.push(Range { start: at, end: border });
                at = border;
            }
        }
        if module.end >= range.end {
            break;
        }
    }
    parts.push(Range { start: at, end: range.end });
    parts
}

/// Regions for saved memory that nothing lists, and for modules of which nothing was saved.
fn derive(
    streams: &Streams,
    modules: &[(Range, &Module)],
    held: &[Segment],
    listed: &[Region],
) -> Vec<Region> {
    let of = |module: &Module| (module.range.start, module.name.clone());
    let mut derived = Vec::new();
    for segment in held {
        for range in uncovered(segment.range, listed).into_iter().flat_map(|range| by_module(range, modules))
        {
            derived.push(guessed(streams, range, module_at(modules, range.start).map(of)));
        }
    }
    if listed.is_empty() {
        let saved = derived.clone();
        for (range, module) in modules {
            for range in uncovered(*range, &saved) {
                derived.push(guessed(streams, range, Some(of(module))));
            }
        }
    }
    derived
}

/// Memory that was saved could be read; more is not known of it.
fn guessed(streams: &Streams, range: Range, module: Option<(Address, Arc<str>)>) -> Region {
    let kind = module.as_ref().map(|_| Pages::IMAGE);
    Region {
        range,
        protection: Protection { read: true, ..Protection::default() },
        allocation_base: module.as_ref().map_or(range.start, |(base, _)| *base),
        name: module.map(|(_, name)| name),
        pages: streams.is_windows().then_some(Pages { state: Pages::COMMIT, kind, protect: None }),
        ..Region::default()
    }
}

/// The parts of a range that no region covers. Regions are in order of address.
fn uncovered(range: Range, regions: &[Region]) -> Vec<Range> {
    let mut parts = Vec::new();
    let mut at = range.start;
    let first = regions.partition_point(|region| region.range.end <= range.start);
    for region in regions[first..].iter().take_while(|region| region.range.start < range.end) {
        if at < region.range.start {
            parts.push(Range { start: at, end: region.range.start });
        }
        at = at.max(region.range.end);
    }
    if at < range.end {
        parts.push(Range { start: at, end: range.end });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> Range {
        Range { start: Address(start), end: Address(end) }
    }

    #[test]
    fn what_no_region_covers_is_found_on_both_sides_and_between() {
        let regions =
            [(2, 4), (6, 8)].map(|(start, end)| Region { range: range(start, end), ..Region::default() });
        assert_eq!(uncovered(range(1, 9), &regions), [range(1, 2), range(4, 6), range(8, 9)]);
        assert_eq!(uncovered(range(2, 4), &regions), []);
        assert_eq!(uncovered(range(8, 9), &regions), [range(8, 9)]);
    }

    #[test]
    fn saved_memory_is_parted_at_the_borders_of_modules() {
        let module = |start, end| Module { range: range(start, end), name: "m".into(), ..Module::default() };
        let all = [module(10, 50), module(20, 30), module(60, 70)];
        let modules = loaded(&all);
        assert_eq!(modules.len(), 2, "the one inside of another has nothing of its own");
        assert_eq!(
            by_module(range(5, 65), &modules),
            [range(5, 10), range(10, 50), range(50, 60), range(60, 65)]
        );
        assert_eq!(by_module(range(12, 40), &modules), [range(12, 40)]);
        assert!(module_at(&modules, Address(40)).is_some() && module_at(&modules, Address(55)).is_none());
    }
}
