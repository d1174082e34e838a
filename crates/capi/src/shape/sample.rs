//! All counters of a process at one moment.

use library::analysis::OutlineSums;
use library::model::Sample;

use super::number;
use crate::border::sized::Sized32;

/// Bit of `present`: `virtual_size` is known.
pub const RESIDUE_HAS_VIRTUAL_SIZE: u64 = 1 << 0;
/// Bit of `present`: `working_set` is known.
pub const RESIDUE_HAS_WORKING_SET: u64 = 1 << 1;
/// Bit of `present`: `peak_working_set` is known.
pub const RESIDUE_HAS_PEAK_WORKING_SET: u64 = 1 << 2;
/// Bit of `present`: `private_working_set` is known.
pub const RESIDUE_HAS_PRIVATE_WORKING_SET: u64 = 1 << 3;
/// Bit of `present`: `commit` is known.
pub const RESIDUE_HAS_COMMIT: u64 = 1 << 4;
/// Bit of `present`: `peak_commit` is known.
pub const RESIDUE_HAS_PEAK_COMMIT: u64 = 1 << 5;
/// Bit of `present`: `paged_pool` is known.
pub const RESIDUE_HAS_PAGED_POOL: u64 = 1 << 6;
/// Bit of `present`: `nonpaged_pool` is known.
pub const RESIDUE_HAS_NONPAGED_POOL: u64 = 1 << 7;
/// Bit of `present`: `page_faults` is known.
pub const RESIDUE_HAS_PAGE_FAULTS: u64 = 1 << 8;
/// Bit of `present`: `major_faults` is known.
pub const RESIDUE_HAS_MAJOR_FAULTS: u64 = 1 << 9;
/// Bit of `present`: `handles` is known.
pub const RESIDUE_HAS_HANDLES: u64 = 1 << 10;
/// Bit of `present`: `threads` is known.
pub const RESIDUE_HAS_THREADS: u64 = 1 << 11;
/// Bit of `present`: `proportional` is known.
pub const RESIDUE_HAS_PROPORTIONAL: u64 = 1 << 12;
/// Bit of `present`: `swap` is known.
pub const RESIDUE_HAS_SWAP: u64 = 1 << 13;
/// Bit of `present`: `anonymous` is known.
pub const RESIDUE_HAS_ANONYMOUS: u64 = 1 << 14;
/// Bit of `present`: `file` is known.
pub const RESIDUE_HAS_FILE: u64 = 1 << 15;
/// Bit of `present`: `shared` is known.
pub const RESIDUE_HAS_SHARED: u64 = 1 << 16;
/// Bit of `present`: the regions were walked, and everything from `committed` to `allocations` is known.
pub const RESIDUE_HAS_REGIONS: u64 = 1 << 17;

/// All counters of a process at one moment. Sizes are in bytes. What is not known is 0, and its bit of `present` is clear.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct residue_sample {
    /// `sizeof (struct residue_sample)`; afterwards, how much of it was filled.
    pub size: u32,
    /// How wide an address of the process is: 32 or 64.
    pub bits: u32,
    /// Which of what follows is known: `RESIDUE_HAS_...`.
    pub present: u64,
    /// Seconds since the handle was opened; 0 of a dump.
    pub seconds: f64,
    /// Address space in use. Linux: VSS.
    pub virtual_size: u64,
    /// In RAM, shared memory in full. Linux: RSS.
    pub working_set: u64,
    /// The largest working set so far.
    pub peak_working_set: u64,
    /// The part of the working set that is of no other process. Linux: USS. With `RESIDUE_DETAIL_FULL`; on newer
    /// Windows always.
    pub private_working_set: u64,
    /// Windows: private bytes, which the system has promised to this process alone, in RAM or page file.
    pub commit: u64,
    /// Windows: the largest commit so far.
    pub peak_commit: u64,
    /// Windows: memory of the kernel for its objects that can be paged out.
    pub paged_pool: u64,
    /// Windows: memory of the kernel for its objects that cannot.
    pub nonpaged_pool: u64,
    /// Page faults since the process started, of all kinds.
    pub page_faults: u64,
    /// Linux: those of them that had to wait for a disk.
    pub major_faults: u64,
    /// Windows: open handles.
    pub handles: u64,
    /// Threads. On Windows with `RESIDUE_DETAIL_FULL`.
    pub threads: u64,
    /// Linux: PSS, shared pages divided among those who map them. With `RESIDUE_DETAIL_FULL`.
    pub proportional: u64,
    /// Linux: swapped out.
    pub swap: u64,
    /// Linux: the anonymous part of the working set.
    pub anonymous: u64,
    /// Linux: the file part of the working set.
    pub file: u64,
    /// Linux: the shared memory part of the working set.
    pub shared: u64,
    /// Address space that can be used as it stands. Windows: committed.
    pub committed: u64,
    /// Address space that is only set aside. Windows: reserved. Linux: mapped without any right.
    pub reserved: u64,
    /// Address space that nothing uses.
    pub free_total: u64,
    /// The largest free range: nothing larger can be allocated in one piece.
    pub free_largest: u64,
    /// Where that begins.
    pub free_largest_start: u64,
    /// Free ranges; neighbours count as one.
    pub free_ranges: u64,
    /// Regions: ranges of one state and protection.
    pub regions: u64,
    /// Windows: what was reserved at once, of which a region is a part. Linux: as many as regions.
    pub allocations: u64,
}

// SAFETY: two times 4 and 27 times 8 bytes without padding, the size first, numbers only.
unsafe impl Sized32 for residue_sample {
    const FIRST: usize = 224;
}

impl residue_sample {
    pub(crate) fn of(
        counters: &Sample,
        sums: Option<&OutlineSums>,
        seconds: f64,
        bits: u8,
    ) -> residue_sample {
        let mut sample = residue_sample { bits: u32::from(bits), seconds, ..residue_sample::default() };
        sample.count(counters);
        if let Some(sums) = sums {
            sample.sum(sums);
        }
        sample
    }

    fn count(&mut self, counters: &Sample) {
        let footprint = &counters.footprint;
        let windows = footprint.windows.unwrap_or_default();
        let minor = counters.minflt;
        // Windows counts both together, and that is what it gives.
        let faults = minor.zip(counters.majflt).map(|(minor, major)| minor + major).or(minor);
        let present = &mut self.present;
        let mut put = |place: &mut u64, bit, known: Option<u64>| {
            if let Some(known) = known {
                *place = known;
                *present |= bit;
            }
        };
        put(&mut self.virtual_size, RESIDUE_HAS_VIRTUAL_SIZE, number(footprint.vss));
        put(&mut self.working_set, RESIDUE_HAS_WORKING_SET, number(footprint.rss));
        put(&mut self.peak_working_set, RESIDUE_HAS_PEAK_WORKING_SET, number(footprint.peak_rss));
        put(&mut self.private_working_set, RESIDUE_HAS_PRIVATE_WORKING_SET, number(footprint.uss));
        put(&mut self.commit, RESIDUE_HAS_COMMIT, number(windows.commit));
        put(&mut self.peak_commit, RESIDUE_HAS_PEAK_COMMIT, number(windows.peak_commit));
        put(&mut self.paged_pool, RESIDUE_HAS_PAGED_POOL, number(windows.paged_pool));
        put(&mut self.nonpaged_pool, RESIDUE_HAS_NONPAGED_POOL, number(windows.nonpaged_pool));
        put(&mut self.page_faults, RESIDUE_HAS_PAGE_FAULTS, faults);
        put(&mut self.major_faults, RESIDUE_HAS_MAJOR_FAULTS, counters.majflt);
        put(&mut self.handles, RESIDUE_HAS_HANDLES, counters.handles);
        put(&mut self.threads, RESIDUE_HAS_THREADS, counters.threads);
        put(&mut self.proportional, RESIDUE_HAS_PROPORTIONAL, number(footprint.pss));
        put(&mut self.swap, RESIDUE_HAS_SWAP, number(footprint.swap));
        put(&mut self.anonymous, RESIDUE_HAS_ANONYMOUS, number(footprint.anon));
        put(&mut self.file, RESIDUE_HAS_FILE, number(footprint.file));
        put(&mut self.shared, RESIDUE_HAS_SHARED, number(footprint.shmem));
    }

    fn sum(&mut self, sums: &OutlineSums) {
        self.present |= RESIDUE_HAS_REGIONS;
        self.committed = sums.mapped.0;
        self.reserved = sums.reserved.0;
        self.free_total = sums.free.0;
        self.free_largest = sums.largest.size.0;
        self.free_largest_start = sums.largest.start.0;
        self.free_ranges = sums.free_ranges;
        self.regions = sums.regions;
        self.allocations = sums.allocations;
    }

    /// A counter, if it is known.
    pub(crate) fn known(&self, bit: u64, value: u64) -> Option<u64> {
        (self.present & bit != 0).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use library::model::{Bytes, Footprint, WindowsFootprint};

    use super::*;

    #[test]
    fn what_a_system_does_not_give_is_absent_and_what_is_zero_is_present() {
        let footprint = Footprint { rss: Some(Bytes(8)), swap: Some(Bytes::ZERO), ..Footprint::default() };
        let counters = Sample { footprint, minflt: Some(5), majflt: Some(2), ..Sample::default() };
        let sample = residue_sample::of(&counters, None, 1.5, 64);
        assert_eq!((sample.working_set, sample.page_faults, sample.bits), (8, 7, 64));
        let known =
            RESIDUE_HAS_WORKING_SET | RESIDUE_HAS_SWAP | RESIDUE_HAS_PAGE_FAULTS | RESIDUE_HAS_MAJOR_FAULTS;
        assert_eq!(sample.present, known);
    }

    #[test]
    fn windows_has_counters_of_its_own() {
        let windows = WindowsFootprint { commit: Some(Bytes(3)), ..WindowsFootprint::default() };
        let counters = Sample {
            footprint: Footprint::of_windows(windows, Some(Bytes(9))),
            minflt: Some(5),
            ..Sample::default()
        };
        let sample = residue_sample::of(&counters, Some(&OutlineSums::default()), 0.0, 32);
        assert_eq!((sample.commit, sample.virtual_size, sample.page_faults), (3, 9, 5));
        let known =
            RESIDUE_HAS_COMMIT | RESIDUE_HAS_VIRTUAL_SIZE | RESIDUE_HAS_PAGE_FAULTS | RESIDUE_HAS_REGIONS;
        assert_eq!(sample.present, known);
    }

    /// Padding would be bytes that nobody wrote, in memory of another language.
    #[test]
    fn it_has_no_padding_and_the_size_that_it_always_had() {
        assert_eq!(size_of::<residue_sample>(), residue_sample::FIRST);
        assert_eq!(residue_sample::FIRST, 2 * 4 + 27 * 8);
    }
}
