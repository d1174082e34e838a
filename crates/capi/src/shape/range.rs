//! A range of free address space.

use std::mem::MaybeUninit;

use library::analysis::FreeRange;

/// A free range of an address space. It never changes within `RESIDUE_ABI_VERSION` 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct residue_range {
    /// Its first address.
    pub start: u64,
    /// How many bytes it has.
    pub size: u64,
}

impl From<&FreeRange> for residue_range {
    fn from(range: &FreeRange) -> residue_range {
        residue_range { start: range.start.0, size: range.size.0 }
    }
}

/// Writes as many as there is room for, and gives how many that is.
pub(crate) fn copy(ranges: &[FreeRange], buffer: &mut [MaybeUninit<residue_range>]) -> usize {
    let pairs = ranges.iter().zip(buffer);
    pairs.map(|(range, place)| place.write(range.into())).count()
}
