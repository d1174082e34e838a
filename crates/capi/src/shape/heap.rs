//! What one heap holds.

#[cfg(windows)]
use library::HeapSums;

/// What one heap holds. Sizes are in bytes. It never changes within `RESIDUE_ABI_VERSION` 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct residue_heap {
    /// Its handle, which is where it begins.
    pub address: u64,
    /// Blocks that the program holds.
    pub live_blocks: u64,
    /// What they take, as they were asked for; a block counts modulo 4 GiB, for Windows tells no more.
    pub live_bytes: u64,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// What these take.
    pub free_bytes: u64,
    /// What the heap keeps for itself.
    pub overhead: u64,
    /// Memory that it has committed.
    pub committed: u64,
    /// Address space that it has set aside and not committed.
    pub uncommitted: u64,
    /// Pieces of address space that it has grown by.
    pub regions: u64,
    /// 1 when every block was seen. 0 when the heap could not be locked or is damaged: the sums are of what came before.
    pub is_whole: u64,
}

#[cfg(windows)]
impl From<&HeapSums> for residue_heap {
    fn from(sums: &HeapSums) -> residue_heap {
        residue_heap {
            address: sums.address.0,
            live_blocks: sums.live_blocks,
            live_bytes: sums.live_bytes.0,
            free_blocks: sums.free_blocks,
            free_bytes: sums.free_bytes.0,
            overhead: sums.overhead.0,
            committed: sums.committed.0,
            uncommitted: sums.uncommitted.0,
            regions: sums.regions,
            is_whole: u64::from(sums.is_whole),
        }
    }
}
