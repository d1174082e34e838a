//! What C sees: structs and enums of a fixed layout, and how they are filled.

// In the order of the header.
pub mod options;

pub mod sample;

pub mod delta;
pub mod range;
pub mod region;
pub mod row;

pub mod verdict;

pub mod alarm;
pub mod heap;

use library::model::Bytes;

/// A size as C has it.
pub(crate) fn number(size: Option<Bytes>) -> Option<u64> {
    size.map(|size| size.0)
}
