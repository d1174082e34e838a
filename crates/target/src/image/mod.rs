//! A file seen as memory: mapped, not read, so that a core of many gigabytes opens at once.

mod mapped;
mod number;
mod part;
mod segments;
mod unpack;

pub(crate) use mapped::Mapped;
pub(crate) use number::number;
pub(crate) use part::{Claim, part};
pub(crate) use segments::{Segment, Segments, within};
pub(crate) use unpack::{Packing, unpack};
