use serde::{Deserialize, Serialize};

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
    /// The largest resident set that it ever had.
    pub peak_rss: Option<Bytes>,
    /// The same in the terms of Windows, of a process that runs there.
    #[serde(flatten)]
    pub windows: Option<WindowsFootprint>,
}

/// The memory of a whole process as Windows counts it.
///
/// The working set is the resident set, and its private part what nobody else maps: [`Footprint::rss`] and
/// [`Footprint::uss`] say the same.
/// Source: `PROCESS_MEMORY_COUNTERS_EX2`, `SYSTEM_PROCESS_INFORMATION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowsFootprint {
    /// Pages in RAM, shared ones counted in full.
    pub working_set: Option<Bytes>,
    /// The largest working set so far.
    pub peak_working_set: Option<Bytes>,
    /// The part of the working set that no other process can use.
    pub private_working_set: Option<Bytes>,
    /// Private bytes: what the system has promised to this process alone, in RAM or page file.
    pub commit: Option<Bytes>,
    /// The largest commit so far.
    pub peak_commit: Option<Bytes>,
    /// Kernel memory for its objects that can be paged out.
    pub paged_pool: Option<Bytes>,
    /// Kernel memory for its objects that cannot.
    pub nonpaged_pool: Option<Bytes>,
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
            peak_rss: None,
            windows: None,
        }
    }

    /// The footprint of a Windows process, with what has a neutral name too.
    pub fn of_windows(windows: WindowsFootprint, virtual_size: Option<Bytes>) -> Footprint {
        Footprint {
            vss: virtual_size,
            rss: windows.working_set,
            uss: windows.private_working_set,
            peak_rss: windows.peak_working_set,
            windows: Some(windows),
            ..Footprint::default()
        }
    }

    /// Memory of this process alone, wherever it stands: anonymous pages in RAM and swapped out, on Windows the commit.
    /// The signal that leaks are judged by.
    ///
    /// File cache, shared memory and reclaim move `rss` without any leak; swap hides one.
    pub fn private(&self) -> Option<Bytes> {
        match self.windows {
            Some(windows) => windows.commit,
            None => Some(self.anon? + self.swap?),
        }
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

    #[test]
    fn on_windows_the_commit_is_the_private_memory() {
        let windows = WindowsFootprint {
            working_set: Some(Bytes(3)),
            commit: Some(Bytes(2)),
            ..WindowsFootprint::default()
        };
        let footprint = Footprint::of_windows(windows, Some(Bytes(9)));
        assert_eq!(
            (footprint.private(), footprint.rss, footprint.vss),
            (Some(Bytes(2)), Some(Bytes(3)), Some(Bytes(9)))
        );
        assert_eq!(
            Footprint::of_windows(WindowsFootprint::default(), None).private(),
            None,
            "unknown is not zero"
        );
    }
}
