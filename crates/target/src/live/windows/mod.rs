//! Processes of a running Windows, through its own calls.
//!
//! Nothing is injected and nothing is stopped, but for a dump. Memory that a touch would change (guard pages) is never
//! read. What the calls say is taken down as an [`Observation`](crate::windows::Observation); what follows from it is
//! concluded elsewhere, on every OS.
//!
//! The process that asks is asked through the handle that means it, not through one that was opened: that way is far
//! shorter.

#![allow(unsafe_code)]

mod access;
mod counters;
pub(super) mod disk;
mod dump;
mod files;
mod find;
mod heaps;
mod host;
mod list;
mod memory;
mod modules;
mod owner;
mod probe;
mod process;
mod query;
mod resident;
mod sampler;
mod sweep;
mod symbol;
mod text;
mod threads;

pub use dump::{DumpOptions, dump, estimate};
pub use find::find;
pub use heaps::{HeapSums, own_heaps};
pub use host::{Host, limits, system};
pub use memory::ProcessMemory;
pub use probe::Probe;
pub use process::{Process, observe};
pub use sampler::Sampler;
pub use sweep::sweep;
