//! How jemalloc 5.3 lays out its structures on 64-bit machines with pages of 4 KiB and huge pages of 2 MiB.
//!
//! Source: jemalloc 5.3.0 `include/jemalloc/internal`: `sc.h`, `base.h`, `rtree.h`, `edata.h`, `tcache_structs.h`,
//! `cache_bin.h`; sizes and offsets compared with the debug information of a build.

/// `PAGE`.
pub(super) const PAGE: u64 = 4096;

/// `HUGEPAGE`: base blocks begin at multiples of it and are multiples of it.
pub(super) const HUGE_PAGE: u64 = 2 << 20;

/// Where the first base block of an arena holds its `base_t`: the header of 144 bytes, rounded up to a cache line.
pub(super) const BASE: u64 = 0xc0;

/// Offsets in `base_t`.
pub(super) const BASE_BLOCKS: u64 = 160;
const BASE_AVAIL: u64 = 168;

/// Where `rtree_t` holds its root, behind `base` and `init_lock`.
pub(super) const ROOT: u64 = 120;

/// `sizeof(edata_t)`, which is also its alignment.
pub(super) const EDATA: usize = 128;

/// `SC_LARGE_MINCLASS`: the smallest block that is no part of a slab.
pub(super) const LARGE: u64 = 4 * PAGE;

/// Offsets in `tcache_slow_t`, whose later fields depend on the number of bins.
pub(super) const SLOW_DESCRIPTOR: u64 = 16;
pub(super) const SLOW_ARENA: u64 = 40;
const SLOW_BINS: u64 = 52;

/// `cache_bin_t`: where it stands in `tcache_t`, how large it is.
pub(super) const CACHE_BINS: u64 = 8;
pub(super) const CACHE_BIN: u64 = 24;

/// What stands before the first stack of a thread cache, and behind the last.
pub(super) const PRECEDING_JUNK: u64 = 0x7a7a_7a7a_7a7a_7a7a;
pub(super) const TRAILING_JUNK: u64 = 0xa7a7_a7a7_a7a7_a7a7;

/// What depends on the smallest distance between blocks, which is chosen when jemalloc is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantum {
    /// `--with-lg-quantum=3`: what Redis brings along.
    Eight,
    /// What most machines have where nobody chose.
    Sixteen,
}

impl Quantum {
    /// The quantum that a number of size classes belongs to.
    pub(super) fn of_classes(count: u64) -> Option<Quantum> {
        [Quantum::Eight, Quantum::Sixteen].into_iter().find(|quantum| quantum.classes() == count)
    }

    pub(super) fn bytes(self) -> u64 {
        match self {
            Quantum::Eight => 8,
            Quantum::Sixteen => 16,
        }
    }

    /// `SC_NSIZES`: how many sizes there are. As an index it says *of no size*.
    pub(super) fn classes(self) -> u64 {
        match self {
            Quantum::Eight => 235,
            Quantum::Sixteen => 232,
        }
    }

    /// `SC_NBINS`: how many of them are parts of a slab.
    pub(super) fn bins(self) -> u64 {
        match self {
            Quantum::Eight => 39,
            Quantum::Sixteen => 36,
        }
    }

    /// The sizes, smallest first: up to the quantum by doubling, then four steps to each doubling.
    pub(super) fn sizes(self) -> Vec<u64> {
        let lg = self.bytes().ilog2();
        let tiny = (3..lg).map(|lg| 1_u64 << lg);
        let first = (1..=4).map(|step| step << lg);
        let rest = (lg + 2..=62).flat_map(|base| (1..=4).map(move |step| (base, step)));
        let regular =
            rest.filter(|&group| group != (62, 4)).map(|(base, step)| (1 << base) + (step << (base - 2)));
        tiny.chain(first).chain(regular).collect()
    }

    /// Where `tcache_slow_t` points to the memory of its stacks, `dyn_alloc`.
    pub(super) fn slow_stacks(self) -> u64 {
        (SLOW_BINS + 3 * self.bins()).next_multiple_of(8)
    }

    /// Where `tcache_slow_t` points to its `tcache_t`.
    pub(super) fn slow_tcache(self) -> u64 {
        self.slow_stacks() + 8
    }

    /// `sizeof(tcache_slow_t)`.
    pub(super) fn slow_bytes(self) -> u64 {
        self.slow_stacks() + 16
    }

    /// Where `base_t` counts what it mapped.
    pub(super) fn base_mapped(self) -> u64 {
        BASE_AVAIL + 16 * self.classes() + 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Literal sizes from jemalloc's manual, `SIZE CLASSES`.
    #[test]
    fn sizes_are_those_of_the_manual() {
        let sizes = Quantum::Sixteen.sizes();
        assert_eq!(sizes[..10], [8, 16, 32, 48, 64, 80, 96, 112, 128, 160]);
        assert_eq!(sizes[35..40], [14 << 10, 16 << 10, 20 << 10, 24 << 10, 28 << 10]);
        assert_eq!(sizes.last(), Some(&(7 << 60)));
        assert_eq!(Quantum::Eight.sizes()[..10], [8, 16, 24, 32, 40, 48, 56, 64, 80, 96]);
        for quantum in [Quantum::Eight, Quantum::Sixteen] {
            let sizes = quantum.sizes();
            assert_eq!(sizes.len() as u64, quantum.classes());
            assert_eq!(sizes.iter().filter(|&&size| size < LARGE).count() as u64, quantum.bins());
        }
    }
}
