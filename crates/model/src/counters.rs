use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::Bytes;

macro_rules! counters {
    ($($name:ident $proc:literal $json:literal $doc:literal),* $(,)?) => {
        /// One memory counter of `/proc/PID/smaps`.
        ///
        /// Source: `proc_pid_smaps(5)`, `fs/proc/task_mmu.c`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Counter { $(#[doc = $doc] $name),* }

        impl Counter {
            /// Every counter, in the order the kernel prints them.
            pub const ALL: &'static [Counter] = &[$(Counter::$name),*];

            /// The counter that the kernel prints under exactly this key.
            pub fn from_key(key: &[u8]) -> Option<Counter> {
                $(if key == $proc { return Some(Counter::$name); })*
                None
            }

            /// The name in Residue's documents.
            pub fn name(self) -> &'static str {
                match self { $(Counter::$name => $json),* }
            }
        }
    };
}

counters! {
    KernelPageSize b"KernelPageSize" "kernel_page_size" "Page size that backs the region.",
    MmuPageSize b"MMUPageSize" "mmu_page_size" "Page size that the MMU uses.",
    Rss b"Rss" "rss" "Resident pages.",
    Pss b"Pss" "pss" "Resident pages, each divided by how many processes map it.",
    PssDirty b"Pss_Dirty" "pss_dirty" "The dirty part of `Pss`. Since Linux 6.0.",
    PssAnon b"Pss_Anon" "pss_anon" "The anonymous part of `Pss`; in `smaps_rollup` only.",
    PssFile b"Pss_File" "pss_file" "The file part of `Pss`; in `smaps_rollup` only.",
    PssShmem b"Pss_Shmem" "pss_shmem" "The shared memory part of `Pss`; in `smaps_rollup` only.",
    SharedClean b"Shared_Clean" "shared_clean" "Resident, mapped more than once, unmodified.",
    SharedDirty b"Shared_Dirty" "shared_dirty" "Resident, mapped more than once, modified.",
    PrivateClean b"Private_Clean" "private_clean" "Resident, mapped here only, unmodified.",
    PrivateDirty b"Private_Dirty" "private_dirty" "Resident, mapped here only, modified.",
    Referenced b"Referenced" "referenced" "Marked as accessed.",
    Anonymous b"Anonymous" "anonymous" "Resident pages that belong to no file.",
    Ksm b"KSM" "ksm" "Pages merged by KSM. Since Linux 6.8.",
    LazyFree b"LazyFree" "lazy_free" "Given back with `MADV_FREE`, not yet taken.",
    AnonHugePages b"AnonHugePages" "anon_huge_pages" "In transparent huge pages.",
    ShmemPmdMapped b"ShmemPmdMapped" "shmem_pmd_mapped" "Shared memory in huge pages.",
    FilePmdMapped b"FilePmdMapped" "file_pmd_mapped" "Page cache in huge pages.",
    SharedHugetlb b"Shared_Hugetlb" "shared_hugetlb" "In hugetlb pages, shared; not part of `Rss`.",
    PrivateHugetlb b"Private_Hugetlb" "private_hugetlb" "In hugetlb pages, private; not part of `Rss`.",
    Swap b"Swap" "swap" "Swapped out.",
    SwapPss b"SwapPss" "swap_pss" "Swapped out, each page divided by how many share it.",
    // In no file under this name: the page table gives it directly, `smaps` in two parts.
    Uss b"uss" "uss" "Resident, mapped here only.",
    Locked b"Locked" "locked" "Locked in memory, divided as `Pss` is.",
}

/// The counters of one region or one whole process.
///
/// Absent is not zero: a counter that the kernel did not print is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    present: u32,
    values: [u64; Counter::ALL.len()],
}

impl Counters {
    /// The value of a counter, if it was read.
    pub fn get(&self, counter: Counter) -> Option<Bytes> {
        (self.present & bit(counter) != 0).then(|| Bytes(self.values[counter as usize]))
    }

    /// Sets a counter.
    pub fn set(&mut self, counter: Counter, value: Bytes) {
        self.present |= bit(counter);
        self.values[counter as usize] = value.0;
    }

    /// Forgets everything, for the next region.
    pub fn clear(&mut self) {
        *self = Counters::default();
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// Unique set size: what would be free if the process went. `Private_Clean` + `Private_Dirty` in `smaps`.
    pub fn uss(&self) -> Option<Bytes> {
        self.get(Counter::Uss)
            .or_else(|| Some(self.get(Counter::PrivateClean)? + self.get(Counter::PrivateDirty)?))
    }
}

/// The sum over regions, known only where every part is: a PSS that leaves out what could not be read is none.
#[derive(Clone, Debug, Default)]
pub struct CounterSum(Option<Counters>);

impl CounterSum {
    /// Adds the counters of one more region.
    pub fn add(&mut self, part: &Counters) {
        let Some(sum) = &mut self.0 else {
            self.0 = Some(part.clone());
            return;
        };
        // What is absent is zero inside, so that a sum needs no question per counter: there are 25 a region.
        for (sum, more) in sum.values.iter_mut().zip(&part.values) {
            *sum = sum.saturating_add(*more);
        }
        sum.present &= part.present;
    }

    /// The sum; nothing is known of no regions. Page sizes are no amounts and have none.
    pub fn total(&self) -> Counters {
        let mut total = self.0.clone().unwrap_or_default();
        for counter in Counter::ALL {
            let is_amount = !matches!(counter, Counter::KernelPageSize | Counter::MmuPageSize);
            if !is_amount || total.present & bit(*counter) == 0 {
                total.present &= !bit(*counter);
                total.values[*counter as usize] = 0;
            }
        }
        total
    }
}

fn bit(counter: Counter) -> u32 {
    1 << counter as u8
}

/// Writes every counter by name, `null` where it was not read.
impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Counter::ALL.len()))?;
        for &counter in Counter::ALL {
            match counter {
                Counter::PssAnon | Counter::PssFile | Counter::PssShmem => {}
                Counter::Uss => map.serialize_entry(counter.name(), &self.uss())?,
                _ => map.serialize_entry(counter.name(), &self.get(counter))?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_was_not_read_is_none_and_not_zero() {
        let mut counters = Counters::default();
        counters.set(Counter::Swap, Bytes(0));
        assert_eq!(counters.get(Counter::Swap), Some(Bytes(0)));
        assert_eq!(counters.get(Counter::Rss), None);
        assert_eq!(counters.uss(), None);
    }

    #[test]
    fn keys_are_matched_whole() {
        assert_eq!(Counter::from_key(b"Pss"), Some(Counter::Pss));
        assert_eq!(Counter::from_key(b"Pss_Dirty"), Some(Counter::PssDirty));
        assert_eq!(Counter::from_key(b"Pss_Next"), None);
    }

    #[test]
    fn sums_keep_page_sizes_out() {
        let mut sum = CounterSum::default();
        let mut region = Counters::default();
        region.set(Counter::Rss, Bytes(4096));
        region.set(Counter::KernelPageSize, Bytes(4096));
        sum.add(&region);
        sum.add(&region);
        assert_eq!(sum.total().get(Counter::Rss), Some(Bytes(8192)));
        assert_eq!(sum.total().get(Counter::KernelPageSize), None);
    }

    #[test]
    fn a_sum_knows_only_what_all_its_parts_know() {
        let (mut full, mut half) = (Counters::default(), Counters::default());
        full.set(Counter::Rss, Bytes(1));
        full.set(Counter::Pss, Bytes(1));
        half.set(Counter::Rss, Bytes(1));
        for parts in [[&full, &half], [&half, &full]] {
            let mut sum = CounterSum::default();
            for part in parts {
                sum.add(part);
            }
            assert_eq!(
                (sum.total().get(Counter::Rss), sum.total().get(Counter::Pss)),
                (Some(Bytes(2)), None)
            );
        }
        assert!(CounterSum::default().total().is_empty());
    }
}
