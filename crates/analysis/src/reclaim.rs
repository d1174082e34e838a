use residue_model::{Bytes, Counter, Region, Usage};
use serde::Serialize;

/// What the kernel can take back without asking the program; `None` where it was not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reclaimable {
    /// File pages that equal their file: dropped at once, read again when touched.
    pub clean_file: Option<Bytes>,
    /// Given back with `MADV_FREE`: dropped when memory gets short.
    pub lazy_free: Option<Bytes>,
    /// Swapped out already.
    pub swap: Option<Bytes>,
}

impl Reclaimable {
    /// Sums over regions.
    pub fn of(regions: &[Region]) -> Reclaimable {
        let sum = |value: &dyn Fn(&Region) -> Option<Bytes>| {
            regions
                .iter()
                .filter_map(value)
                .fold(None, |sum: Option<Bytes>, more| Some(sum.unwrap_or_default() + more))
        };
        Reclaimable {
            clean_file: sum(&clean_file),
            lazy_free: sum(&|region| region.counters.get(Counter::LazyFree)),
            swap: sum(&|region| region.counters.get(Counter::Swap)),
        }
    }
}

/// Clean pages of a real file: shared memory has no other place to go than swap.
fn clean_file(region: &Region) -> Option<Bytes> {
    let clean = region.counters.get(Counter::PrivateClean)? + region.counters.get(Counter::SharedClean)?;
    let is_file = matches!(region.usage, Usage::Text | Usage::Rodata | Usage::Data | Usage::MappedFile);
    if !is_file {
        return Some(Bytes::ZERO);
    }
    // Anonymous copies of file pages count as clean while they wait in swap: they are no file pages.
    let rss = region.counters.get(Counter::Rss)?;
    let anonymous = region.counters.get(Counter::Anonymous)?;
    Some(clean.min(rss - anonymous))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(usage: Usage, clean: u64, lazy: u64) -> Region {
        let mut region = Region { usage, ..Region::default() };
        for (counter, size) in [
            (Counter::Rss, clean + lazy),
            (Counter::Anonymous, 0),
            (Counter::PrivateClean, clean),
            (Counter::SharedClean, 0),
            (Counter::LazyFree, lazy),
        ] {
            region.counters.set(counter, Bytes(size));
        }
        region
    }

    #[test]
    fn only_pages_of_files_are_clean_file_pages() {
        let regions = [
            region(Usage::Text, 8192, 0),
            region(Usage::Memfd, 4096, 0),
            region(Usage::AnonymousSmall, 0, 4096),
        ];
        let reclaimable = Reclaimable::of(&regions);
        assert_eq!((reclaimable.clean_file, reclaimable.lazy_free), (Some(Bytes(8192)), Some(Bytes(4096))));
        assert_eq!(reclaimable.swap, None);
    }
}
