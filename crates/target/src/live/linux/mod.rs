//! Processes of a running Linux, through `/proc`.
//!
//! Reading the memory of a process makes it wait: `smaps` and `smaps_rollup` hold the lock that its `mmap`, `munmap`
//! and `brk` need (20 ms a GiB of small pages). So nothing is read that was not asked for, region lists come from `maps`
//! where that is enough, and large processes are read in small steps: see [`Care`].

mod dump;
mod find;
mod limits;
mod memory;
mod pagemap;
mod proc_dir;
mod read_ahead;
mod sampler;
mod save;
mod snapshot;
mod sweep;
mod threads;

pub use dump::{DumpOptions, DumpProgress, Dumped, Estimate, dump, estimate};
pub use find::find;
pub use limits::limits;
pub use memory::ProcessMemory;
pub use proc_dir::{ProcDir, age_seconds};
pub use sampler::{Reading, Sampler};
pub use save::{Saved, save};
pub use snapshot::{snapshot, system};
pub use sweep::{Selection, sweep};

use residue_model::Bytes;

/// How much a target may be made to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Read exactly, with `smaps`, however long the target waits.
    Exact,
    /// Read processes above a resident size by their page tables, in small steps with pauses between.
    Above(Bytes),
    /// Read every process in small steps.
    Always,
}

impl Care {
    /// One GiB costs a target up to 20 ms of waiting: enough to be felt in a busy server.
    pub const DEFAULT: Care = Care::Above(Bytes::gib(1));

    /// Whether a process of this resident size is read in small steps.
    pub fn applies(self, rss: Option<Bytes>) -> bool {
        match self {
            Care::Exact => false,
            Care::Above(limit) => rss.is_some_and(|rss| rss > limit),
            Care::Always => true,
        }
    }
}
