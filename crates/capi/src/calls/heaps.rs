//! The heaps of the process that calls.

#[cfg(windows)]
use library::{HeapSums, own_heaps};

use crate::border::entry::entry;
use crate::border::error::Result;
use crate::border::pointer::{place, room};
use crate::border::status::residue_status;
use crate::shape::heap::residue_heap;

/// Heaps that are walked at most.
#[cfg(windows)]
const MOST: usize = 256;

/// Walks the heaps of the process that calls: Windows only, elsewhere it fails with `RESIDUE_UNSUPPORTED`.
///
/// `*count` is how many there are. When there are more than `capacity`, the first of them stand in `buffer` and it gives
/// `RESIDUE_MORE`; at most 256 are walked. A null buffer with a capacity of 0 only counts, and gives `RESIDUE_OK`.
///
/// Each heap is locked while it is walked: threads that allocate from it wait, the longer the more blocks it has. Before
/// that it allocates as much as `buffer` has, and frees it afterwards.
///
/// # Safety
/// `buffer` points to `capacity` heaps, or is null with a capacity of 0; `count` points to a number that may be written.
/// No thread destroys a heap meanwhile, and none uses a heap that was made with `HEAP_NO_SERIALIZE`: a lock keeps nobody
/// out of those.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_heaps(
    buffer: *mut residue_heap,
    capacity: usize,
    count: *mut usize,
) -> residue_status {
    entry(|| {
        let only_counts = buffer.is_null();
        // SAFETY: as the caller promises.
        let (buffer, count) = unsafe { (room(buffer, capacity, "buffer")?, place(count, "count")?) };
        // SAFETY: as the caller promises.
        let (found, heaps) = unsafe { walk(buffer.len()) }?;
        for (place, heap) in buffer.iter_mut().zip(&heaps) {
            place.write(*heap);
        }
        count.write(found);
        let is_whole = only_counts || found <= heaps.len();
        Ok(if is_whole { residue_status::RESIDUE_OK } else { residue_status::RESIDUE_MORE })
    })
}

/// How many heaps there are, and the first of them.
///
/// # Safety
/// As for `residue_heaps`.
#[cfg(windows)]
unsafe fn walk(wanted: usize) -> Result<(usize, Vec<residue_heap>)> {
    let mut sums = vec![HeapSums::default(); wanted.min(MOST)];
    // SAFETY: as the caller of `residue_heaps` promises.
    let found = unsafe { own_heaps(&mut sums) };
    Ok((found, sums.iter().take(found).map(residue_heap::from).collect()))
}

/// # Safety
/// None: there is nothing to walk.
#[cfg(not(windows))]
unsafe fn walk(_: usize) -> Result<(usize, Vec<residue_heap>)> {
    Err(crate::border::error::Failure::unsupported("heaps are walked on Windows only"))
}
