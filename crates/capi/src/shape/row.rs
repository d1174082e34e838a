//! The regions of one use, summed.

use std::ffi::c_char;

use library::analysis::Row;

use super::number;
use super::sample::{
    RESIDUE_HAS_PRIVATE_WORKING_SET, RESIDUE_HAS_PROPORTIONAL, RESIDUE_HAS_SWAP, RESIDUE_HAS_WORKING_SET,
};

/// Room for a key with its closing zero.
pub const RESIDUE_KEY_SIZE: usize = 32;

/// The regions of one use, summed. Sizes are in bytes. It never changes within `RESIDUE_ABI_VERSION` 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct residue_summary_row {
    /// What they are used for, such as "heap" or "Image": a word that does not change, and ends in zero.
    pub key: [c_char; RESIDUE_KEY_SIZE],
    /// Which of the last four are known: `RESIDUE_HAS_WORKING_SET`, `RESIDUE_HAS_PROPORTIONAL`,
    /// `RESIDUE_HAS_PRIVATE_WORKING_SET`, `RESIDUE_HAS_SWAP`.
    pub present: u64,
    /// How many.
    pub regions: u64,
    /// Their address space.
    pub size: u64,
    /// The largest of them.
    pub largest: u64,
    /// Where that begins.
    pub largest_start: u64,
    /// In RAM, shared memory in full.
    pub working_set: u64,
    /// In RAM, shared pages divided among those who map them.
    pub proportional: u64,
    /// In RAM, of no other process.
    pub private_working_set: u64,
    /// Swapped out.
    pub swap: u64,
}

impl From<&Row> for residue_summary_row {
    fn from(row: &Row) -> residue_summary_row {
        let mut summed = residue_summary_row {
            key: key(&row.key),
            regions: row.regions,
            size: row.size.0,
            largest: row.largest.0,
            largest_start: row.largest_at.0,
            ..residue_summary_row::default()
        };
        for (place, bit, known) in [
            (&mut summed.working_set, RESIDUE_HAS_WORKING_SET, row.rss),
            (&mut summed.proportional, RESIDUE_HAS_PROPORTIONAL, row.pss),
            (&mut summed.private_working_set, RESIDUE_HAS_PRIVATE_WORKING_SET, row.uss),
            (&mut summed.swap, RESIDUE_HAS_SWAP, row.swap),
        ] {
            if let Some(known) = number(known) {
                *place = known;
                summed.present |= bit;
            }
        }
        summed
    }
}

fn key(text: &str) -> [c_char; RESIDUE_KEY_SIZE] {
    let mut key = [0; RESIDUE_KEY_SIZE];
    // The last byte stays 0.
    for (place, byte) in key[..RESIDUE_KEY_SIZE - 1].iter_mut().zip(text.bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    key
}

#[cfg(test)]
mod tests {
    use library::model::Usage;

    use super::*;

    #[test]
    fn every_key_fits_with_its_zero() {
        assert!(Usage::ALL.iter().all(|usage| usage.key().len() < RESIDUE_KEY_SIZE));
        assert_eq!(key(&"x".repeat(99))[RESIDUE_KEY_SIZE - 1], 0);
    }

    #[test]
    fn it_has_no_padding_and_the_size_that_it_always_had() {
        assert_eq!(size_of::<residue_summary_row>(), 32 + 9 * 8);
    }
}
