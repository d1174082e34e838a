use serde::Serialize;

use crate::{Bytes, Counter, Counters};

/// The memory of a whole process.
///
/// `rss`, `pss`, `uss`, `swap` and `swap_pss` come from one read of one file, so that `pss` never exceeds `rss`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// Virtual set size: all mapped address space.
    pub vss: Option<Bytes>,
    /// Resident set size: pages in RAM, shared ones counted in full.
    pub rss: Option<Bytes>,
    /// Proportional set size: shared pages divided among those who map them.
    pub pss: Option<Bytes>,
    /// Unique set size: pages that nobody else maps.
    pub uss: Option<Bytes>,
    /// Swapped out.
    pub swap: Option<Bytes>,
    /// Swapped out, shared slots divided.
    pub swap_pss: Option<Bytes>,
    /// The anonymous part of the resident set.
    pub anon: Option<Bytes>,
    /// The file part of the resident set.
    pub file: Option<Bytes>,
    /// The shared memory part of the resident set.
    pub shmem: Option<Bytes>,
}

impl Footprint {
    /// Takes what a sum over all regions says.
    pub fn absorb(&mut self, counters: &Counters) {
        self.rss = counters.get(Counter::Rss).or(self.rss);
        self.pss = counters.get(Counter::Pss).or(self.pss);
        self.uss = counters.uss().or(self.uss);
        self.swap = counters.get(Counter::Swap).or(self.swap);
        self.swap_pss = counters.get(Counter::SwapPss).or(self.swap_pss);
    }

    /// The memory of a process that has none: a zombie. These zeros are known, not missing.
    pub fn nothing() -> Footprint {
        let zero = Some(Bytes::ZERO);
        Footprint {
            vss: zero,
            rss: zero,
            pss: zero,
            uss: zero,
            swap: zero,
            swap_pss: zero,
            anon: zero,
            file: zero,
            shmem: zero,
        }
    }

    /// Anonymous memory wherever it stands: in RAM or swapped out. The signal that leaks are judged by.
    ///
    /// File cache, shared memory and reclaim move `rss` without any leak; swap hides one.
    pub fn private(&self) -> Option<Bytes> {
        Some(self.anon? + self.swap?)
    }

    /// What `top` shows as RES minus SHR.
    pub fn res_minus_shr(&self) -> Option<Bytes> {
        Some(self.rss? - (self.file? + self.shmem?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absorbing_an_older_kernels_counters_keeps_what_was_known() {
        let mut footprint = Footprint { swap: Some(Bytes(4096)), ..Footprint::default() };
        let mut counters = Counters::default();
        counters.set(Counter::Rss, Bytes(8192));
        footprint.absorb(&counters);
        assert_eq!(
            (footprint.rss, footprint.swap, footprint.uss),
            (Some(Bytes(8192)), Some(Bytes(4096)), None)
        );
    }

    #[test]
    fn private_memory_is_unknown_while_swap_is_unknown() {
        let footprint = Footprint { anon: Some(Bytes(4096)), ..Footprint::default() };
        assert_eq!(footprint.private(), None);
    }
}
