use residue_model::{Address, Bytes};
use windows_sys::Win32::Foundation::{ERROR_NO_MORE_ITEMS, GetLastError, HANDLE};
use windows_sys::Win32::System::Memory::{
    GetProcessHeaps, HeapLock, HeapUnlock, HeapWalk, PROCESS_HEAP_ENTRY,
};
use windows_sys::Win32::System::SystemServices::{
    PROCESS_HEAP_ENTRY_BUSY, PROCESS_HEAP_REGION, PROCESS_HEAP_UNCOMMITTED_RANGE,
};

/// What one heap of our own process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapSums {
    /// Its handle, which is where it begins.
    pub address: Address,
    /// Blocks that the program holds.
    pub live_blocks: u64,
    /// What they take, as they were asked for; Windows tells the size of a block modulo 4 GiB.
    pub live_bytes: Bytes,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// What these take.
    pub free_bytes: Bytes,
    /// What the heap keeps for itself: headers of all blocks.
    pub overhead: Bytes,
    /// Memory that it has committed.
    pub committed: Bytes,
    /// Address space that it has set aside and not committed.
    pub uncommitted: Bytes,
    /// Pieces of address space that it has grown by.
    pub regions: u64,
    /// Every block was seen. Otherwise the heap could not be locked, or is damaged, and the sums are of what came before.
    pub is_whole: bool,
}

/// Heaps that a process may have before only the first are walked.
const MOST: usize = 256;

/// Walks the heaps of our own process; gives how many there are, of which as many stand in `into` as it has room for.
///
/// Each heap is locked while it is walked: other threads wait that want memory of it. Nothing is allocated meanwhile.
///
/// # Safety
/// No thread destroys a heap meanwhile, and none uses a heap that was made without serialisation: a lock keeps nobody out
/// of those.
pub unsafe fn own_heaps(into: &mut [HeapSums]) -> usize {
    let mut heaps: [HANDLE; MOST] = [std::ptr::null_mut(); MOST];
    let room = u32::try_from(MOST).unwrap_or(u32::MAX);
    // SAFETY: the array has room for as many handles as is told.
    let count = unsafe { GetProcessHeaps(room, heaps.as_mut_ptr()) };
    let count = usize::try_from(count).unwrap_or_default();
    for (heap, sums) in heaps[..count.min(MOST)].iter().zip(into) {
        // SAFETY: as the caller promises.
        *sums = unsafe { walk(*heap) };
    }
    count
}

/// # Safety
/// As for [`own_heaps`].
unsafe fn walk(heap: HANDLE) -> HeapSums {
    let mut sums = HeapSums { address: Address(heap as u64), ..HeapSums::default() };
    let mut entry = PROCESS_HEAP_ENTRY::default();
    // SAFETY: as the caller promises; locked, the heap changes by nobody but this thread, which allocates nothing until it
    // is unlocked.
    unsafe {
        if HeapLock(heap) == 0 {
            return sums;
        }
        while HeapWalk(heap, &raw mut entry) != 0 {
            sums.add(&entry);
        }
        sums.is_whole = GetLastError() == ERROR_NO_MORE_ITEMS;
        HeapUnlock(heap);
    }
    sums
}

impl HeapSums {
    fn add(&mut self, entry: &PROCESS_HEAP_ENTRY) {
        let flags = u32::from(entry.wFlags);
        let size = Bytes(u64::from(entry.cbData));
        let overhead = Bytes(u64::from(entry.cbOverhead));
        if flags & PROCESS_HEAP_REGION != 0 {
            // SAFETY: the flag says that this member of the union was written.
            let region = unsafe { entry.Anonymous.Region };
            self.regions += 1;
            self.committed += Bytes(u64::from(region.dwCommittedSize));
            self.overhead += overhead;
        } else if flags & PROCESS_HEAP_UNCOMMITTED_RANGE != 0 {
            self.uncommitted += size;
        } else if flags & PROCESS_HEAP_ENTRY_BUSY != 0 {
            self.live_blocks += 1;
            self.live_bytes += size;
            self.overhead += overhead;
        } else {
            self.free_blocks += 1;
            self.free_bytes += size;
            self.overhead += overhead;
        }
    }
}
