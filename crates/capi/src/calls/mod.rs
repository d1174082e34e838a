//! The functions that C calls.

pub mod open;

pub mod sample;

pub mod delta;
pub mod ranges;
pub mod regions;
pub mod summary;

pub mod report;
pub mod verdict;

pub mod alarm;
pub mod heaps;

#[cfg(all(test, target_os = "linux"))]
mod thrift;
