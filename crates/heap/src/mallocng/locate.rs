//! Finds the context of mallocng in the data of programs and libraries, by its form alone.

use residue_model::{Address, Region};

use super::context::{self, Context};
use crate::Image;

/// The contexts that stand in the data of the target. One in nearly all programs with musl; none in others.
pub(super) fn contexts(image: &Image<'_>) -> Vec<Context> {
    let mut found = Vec::new();
    let named = image.regions.iter().any(Region::is_file);
    let data = |index: &usize| !named || is_data(image.regions, *index);
    let writable = |region: &&Region| region.protection.write;
    let regions = (0..image.regions.len()).filter(data).map(|index| &image.regions[index]);
    for region in regions.filter(writable) {
        for (start, bytes) in image.pieces.within(region.range) {
            scan(image, start.0, bytes, &mut found);
        }
    }
    found
}

/// Whether variables of a program or library can stand in the region at an index: it is of a file, or follows such a
/// region directly, as what begins as zeros does. Where no region has a name, nobody can tell.
fn is_data(regions: &[Region], index: usize) -> bool {
    let region = &regions[index];
    let before = index.checked_sub(1).map(|before| &regions[before]);
    region.is_file()
        || before.is_some_and(|before| before.is_file() && before.range.end == region.range.start)
}

fn scan(image: &Image<'_>, start: u64, bytes: &[u8], found: &mut Vec<Context>) {
    let aligned = usize::try_from(start.wrapping_neg() % 8).unwrap_or_default();
    let mut rest = bytes.get(aligned..).unwrap_or_default();
    while rest.len() >= context::HEAD {
        let is_context = context::first_area(rest)
            .is_some_and(|area| image.word(area).is_some_and(|word| context::word(rest, 0) == Some(word)));
        if is_context {
            let at = start + (bytes.len() - rest.len()) as u64;
            let whole = &image.pieces.from(Address(at));
            found.extend(Context::read(at, whole));
        }
        rest = &rest[8..];
    }
}
