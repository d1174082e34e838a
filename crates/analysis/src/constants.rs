//! Where constants of programs and libraries stand, tables of functions and names of types among them.

use residue_model::{Address, Range, Region};

/// Data of modules that nobody writes. Regions stand in order of address, and so do these.
pub(crate) fn constants(regions: &[Region]) -> Vec<Range> {
    let is_constant = |region: &&Region| {
        let protection = region.protection;
        region.is_file() && protection.read && !protection.write && !protection.execute
    };
    regions.iter().filter(is_constant).map(|region| region.range).collect()
}

/// Whether an address lies in one of some ranges, which stand in order of address.
pub(crate) fn holds(ranges: &[Range], address: Address) -> bool {
    let index = ranges.partition_point(|range| range.end <= address);
    ranges.get(index).is_some_and(|range| range.contains(address))
}
