//! What events add up to: pure state, one [`Image`] a recorded program.

mod estimate;
mod finish;
mod image;
mod live;
mod mappings;
mod marks;
mod merge;
mod site;
mod spread;
#[cfg(test)]
mod tests;
mod timeline;

pub(crate) use estimate::Estimate;
pub(crate) use finish::{Ended, Known, recording};
pub(crate) use image::Image;
pub(crate) use merge::{Merge, Stream};
