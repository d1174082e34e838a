use serde::{Deserialize, Serialize};

use crate::Bytes;

/// The memory of the whole machine. Source: `proc_meminfo(5)`, `/proc/iomem`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemMemory {
    /// Memory that the kernel manages.
    pub total: Option<Bytes>,
    /// Memory that nobody uses.
    pub free: Option<Bytes>,
    /// Memory that can be had without swapping. Since Linux 3.14.
    pub available: Option<Bytes>,
    /// Buffers of block devices.
    pub buffers: Option<Bytes>,
    /// Page cache, shared memory included.
    pub cached: Option<Bytes>,
    /// Anonymous memory of all processes.
    pub anonymous: Option<Bytes>,
    /// Files that processes have mapped.
    pub mapped: Option<Bytes>,
    /// Shared memory and tmpfs.
    pub shmem: Option<Bytes>,
    /// Kernel objects that can be given back.
    pub slab_reclaimable: Option<Bytes>,
    /// Swap space.
    pub swap_total: Option<Bytes>,
    /// Unused swap space.
    pub swap_free: Option<Bytes>,
    /// Memory that the firmware reports, before the kernel took its own. Root only.
    pub installed: Option<Bytes>,
    /// Code and data of the kernel's image. Root only.
    pub kernel_image: Option<Bytes>,
    /// What Windows can promise to all processes: RAM and page files.
    pub commit_limit: Option<Bytes>,
    /// What it has promised.
    pub committed: Option<Bytes>,
}
