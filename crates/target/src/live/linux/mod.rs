//! Processes of a running Linux, through `/proc`.
//!
//! Reading the memory of a process makes it wait: `smaps` and `smaps_rollup` hold the lock that its `mmap`, `munmap`
//! and `brk` need (20 ms a GiB of small pages). So nothing is read that was not asked for, region lists come from `maps`
//! where that is enough, and large processes are read in small steps: see [`Care`](crate::Care).

pub(super) mod disk;
mod dump;
mod find;
mod freeze;
mod limits;
mod map;
mod memory;
mod pagemap;
mod probe;
mod proc_dir;
mod process;
mod read_ahead;
mod sampler;
mod save;
mod snapshot;
mod staging;
#[cfg(target_arch = "x86_64")]
mod steer;
mod still;
mod sweep;
mod threads;
mod tracee;
mod vma_query;

pub use dump::{DumpOptions, dump, estimate};
pub use find::find;
pub use limits::limits;
pub use memory::ProcessMemory;
pub use probe::Probe;
pub use proc_dir::ProcDir;
use proc_dir::age_seconds;
pub use process::Process;
pub use sampler::Sampler;
pub use save::{Saved, save};
pub use snapshot::{layout, snapshot, system};
pub use sweep::sweep;

/// Where processes are found.
pub type Host = ProcDir;
