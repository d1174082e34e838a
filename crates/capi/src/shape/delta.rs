//! What changed between two samples.

use super::sample::{
    RESIDUE_HAS_ANONYMOUS, RESIDUE_HAS_COMMIT, RESIDUE_HAS_FILE, RESIDUE_HAS_HANDLES,
    RESIDUE_HAS_MAJOR_FAULTS, RESIDUE_HAS_NONPAGED_POOL, RESIDUE_HAS_PAGE_FAULTS, RESIDUE_HAS_PAGED_POOL,
    RESIDUE_HAS_PEAK_COMMIT, RESIDUE_HAS_PEAK_WORKING_SET, RESIDUE_HAS_PRIVATE_WORKING_SET,
    RESIDUE_HAS_PROPORTIONAL, RESIDUE_HAS_REGIONS, RESIDUE_HAS_SHARED, RESIDUE_HAS_SWAP, RESIDUE_HAS_THREADS,
    RESIDUE_HAS_VIRTUAL_SIZE, RESIDUE_HAS_WORKING_SET, residue_sample,
};
use crate::border::sized::Sized32;

/// How the counters moved between two samples: what is now, less what was. The fields are those of `residue_sample`; a
/// difference is known when both samples know the counter.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `residue_sample`, where each is told")]
pub struct residue_delta {
    /// `sizeof (struct residue_delta)`; afterwards, how much of it was filled.
    pub size: u32,
    /// 0.
    pub unused: u32,
    /// Which of what follows is known: `RESIDUE_HAS_...`.
    pub present: u64,
    /// Seconds between the two samples.
    pub seconds: f64,
    pub virtual_size: i64,
    pub working_set: i64,
    pub peak_working_set: i64,
    pub private_working_set: i64,
    pub commit: i64,
    pub peak_commit: i64,
    pub paged_pool: i64,
    pub nonpaged_pool: i64,
    pub page_faults: i64,
    pub major_faults: i64,
    pub handles: i64,
    pub threads: i64,
    pub proportional: i64,
    pub swap: i64,
    pub anonymous: i64,
    pub file: i64,
    pub shared: i64,
    pub committed: i64,
    pub reserved: i64,
    pub free_total: i64,
    pub free_largest: i64,
    pub free_ranges: i64,
    pub regions: i64,
    pub allocations: i64,
}

// SAFETY: two times 4 and 26 times 8 bytes without padding, the size first, numbers only.
unsafe impl Sized32 for residue_delta {
    const FIRST: usize = 216;
}

impl residue_delta {
    pub(crate) fn between(before: &residue_sample, now: &residue_sample) -> residue_delta {
        let mut delta = residue_delta { seconds: now.seconds - before.seconds, ..residue_delta::default() };
        let both = before.present & now.present;
        macro_rules! differ {
            ($($bit:ident: $($field:ident)*;)*) => {$(
                if both & $bit != 0 {
                    delta.present |= $bit;
                    $(delta.$field = now.$field.cast_signed().wrapping_sub(before.$field.cast_signed());)*
                }
            )*};
        }
        differ! {
            RESIDUE_HAS_VIRTUAL_SIZE: virtual_size;
            RESIDUE_HAS_WORKING_SET: working_set;
            RESIDUE_HAS_PEAK_WORKING_SET: peak_working_set;
            RESIDUE_HAS_PRIVATE_WORKING_SET: private_working_set;
            RESIDUE_HAS_COMMIT: commit;
            RESIDUE_HAS_PEAK_COMMIT: peak_commit;
            RESIDUE_HAS_PAGED_POOL: paged_pool;
            RESIDUE_HAS_NONPAGED_POOL: nonpaged_pool;
            RESIDUE_HAS_PAGE_FAULTS: page_faults;
            RESIDUE_HAS_MAJOR_FAULTS: major_faults;
            RESIDUE_HAS_HANDLES: handles;
            RESIDUE_HAS_THREADS: threads;
            RESIDUE_HAS_PROPORTIONAL: proportional;
            RESIDUE_HAS_SWAP: swap;
            RESIDUE_HAS_ANONYMOUS: anonymous;
            RESIDUE_HAS_FILE: file;
            RESIDUE_HAS_SHARED: shared;
            RESIDUE_HAS_REGIONS:
                committed reserved free_total free_largest free_ranges regions allocations;
        }
        delta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_a_sign_and_is_known_when_both_are() {
        let sample = |present, working_set, swap| residue_sample {
            present,
            working_set,
            swap,
            ..residue_sample::default()
        };
        let before = sample(RESIDUE_HAS_WORKING_SET | RESIDUE_HAS_SWAP, 100, 5);
        let now = sample(RESIDUE_HAS_WORKING_SET, 40, 0);
        let delta = residue_delta::between(&before, &now);
        assert_eq!((delta.present, delta.working_set, delta.swap), (RESIDUE_HAS_WORKING_SET, -60, 0));
    }

    #[test]
    fn it_has_no_padding_and_the_size_that_it_always_had() {
        assert_eq!(size_of::<residue_delta>(), residue_delta::FIRST);
        assert_eq!(residue_delta::FIRST, 2 * 4 + 26 * 8);
    }
}
