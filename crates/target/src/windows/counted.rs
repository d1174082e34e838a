use residue_model::{Bytes, Footprint, WindowsFootprint};
use serde::{Deserialize, Serialize};

/// What one call of Windows says a process has, as it came. `None` is what the call does not give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counted {
    /// Pages in RAM.
    pub working_set: Option<Bytes>,
    /// The most that ever was.
    pub peak_working_set: Option<Bytes>,
    /// The part that no other process can use.
    pub private_working_set: Option<Bytes>,
    /// Private bytes: `PrivateUsage`, `PrivatePageCount`.
    pub private_usage: Option<Bytes>,
    /// The same under its old name.
    pub pagefile_usage: Option<Bytes>,
    /// The most that ever was.
    pub peak_pagefile_usage: Option<Bytes>,
    /// Paged pool that is charged to it.
    pub paged_pool: Option<Bytes>,
    /// Non-paged pool that is charged to it.
    pub nonpaged_pool: Option<Bytes>,
    /// Address space in use.
    pub virtual_size: Option<Bytes>,
    /// Page faults of both kinds, modulo 2^32.
    pub page_faults: Option<u64>,
    /// Open handles.
    pub handles: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl Counted {
    /// These, and where they give nothing what another call gave.
    #[must_use]
    pub fn or(self, other: Counted) -> Counted {
        Counted {
            working_set: self.working_set.or(other.working_set),
            peak_working_set: self.peak_working_set.or(other.peak_working_set),
            private_working_set: self.private_working_set.or(other.private_working_set),
            private_usage: self.private_usage.or(other.private_usage),
            pagefile_usage: self.pagefile_usage.or(other.pagefile_usage),
            peak_pagefile_usage: self.peak_pagefile_usage.or(other.peak_pagefile_usage),
            paged_pool: self.paged_pool.or(other.paged_pool),
            nonpaged_pool: self.nonpaged_pool.or(other.nonpaged_pool),
            virtual_size: self.virtual_size.or(other.virtual_size),
            page_faults: self.page_faults.or(other.page_faults),
            handles: self.handles.or(other.handles),
            threads: self.threads.or(other.threads),
        }
    }

    /// Without the zeros that Wine fills in where it does not count: a living process has pages, pools, faults and
    /// threads. On Windows a zero is a count: all of a suspended app can be paged out. Wine's virtual size is that of the
    /// process of the host.
    #[must_use]
    pub fn believed(self, is_wine: bool) -> Counted {
        if !is_wine {
            return self;
        }
        let size = |size: Option<Bytes>| size.filter(|&size| size > Bytes::ZERO);
        let count = |count: Option<u64>| count.filter(|&count| count > 0);
        Counted {
            working_set: size(self.working_set),
            peak_working_set: size(self.peak_working_set),
            private_working_set: size(self.private_working_set),
            private_usage: size(self.private_usage),
            pagefile_usage: size(self.pagefile_usage),
            peak_pagefile_usage: size(self.peak_pagefile_usage),
            paged_pool: size(self.paged_pool),
            nonpaged_pool: size(self.nonpaged_pool),
            virtual_size: None,
            page_faults: count(self.page_faults),
            handles: count(self.handles),
            threads: count(self.threads),
        }
    }

    /// The memory of the process.
    pub fn footprint(&self) -> Footprint {
        let windows = WindowsFootprint {
            working_set: self.working_set,
            peak_working_set: self.peak_working_set,
            private_working_set: self.private_working_set,
            // The old name may hold nothing before Windows 8, the new one under Wine, where it is no number then.
            commit: self.private_usage.or(self.pagefile_usage),
            peak_commit: self.peak_pagefile_usage,
            paged_pool: self.paged_pool,
            nonpaged_pool: self.nonpaged_pool,
        };
        Footprint::of_windows(windows, self.virtual_size)
    }

    /// Which counters a process has that nobody gave, by name.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let size = |name, value: Option<Bytes>| value.is_none().then_some(name);
        let count = |name, value: Option<u64>| value.is_none().then_some(name);
        let commit = self.private_usage.or(self.pagefile_usage);
        [
            size("working set", self.working_set),
            size("private working set", self.private_working_set),
            size("commit", commit),
            size("paged pool", self.paged_pool),
            size("non-paged pool", self.nonpaged_pool),
            size("virtual size", self.virtual_size),
            count("page faults", self.page_faults),
            count("handles", self.handles),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wine says 0 for the pools and for `PrivateUsage`; shown as zeros they would say that the process has none.
    #[test]
    fn a_zero_of_wine_is_unknown() {
        let zero = Some(Bytes::ZERO);
        let wine = Counted {
            private_usage: zero,
            pagefile_usage: Some(Bytes(4096)),
            paged_pool: zero,
            page_faults: Some(0),
            ..Counted::default()
        };
        let footprint = wine.believed(true).footprint();
        let windows = footprint.windows.expect("a Windows process");
        assert_eq!((windows.commit, windows.paged_pool), (Some(Bytes(4096)), None));
        assert_eq!(wine.believed(true).page_faults, None);
        assert_eq!(wine.believed(false).paged_pool, zero, "on Windows it is a count");
        assert!(wine.believed(true).missing().contains(&"paged pool"));
        assert!(!wine.believed(true).missing().contains(&"commit"));
    }

    #[test]
    fn what_one_call_does_not_give_another_may() {
        let quick = Counted { working_set: Some(Bytes(1)), ..Counted::default() };
        let list = Counted { working_set: Some(Bytes(2)), threads: Some(3), ..Counted::default() };
        let both = quick.or(list);
        assert_eq!((both.working_set, both.threads), (Some(Bytes(1)), Some(3)));
    }
}
