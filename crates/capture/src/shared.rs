#![allow(unsafe_code, reason = "maps files that other processes write to")]

use std::fs::File;
use std::io;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicU32;

use residue_recording::wire::{Control, Header, ModuleRow, Node, Ring};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// What may stand in memory that others write to: nothing of it is read or written but by atomics, or by volatile copies
/// of cells, and all patterns of bits are valid.
///
/// # Safety
/// That must hold.
pub(crate) unsafe trait Shared {}

// SAFETY: atomics all over; what else they hold is private there and never read.
unsafe impl Shared for Control {}
// SAFETY: as above.
unsafe impl Shared for Header {}
// SAFETY: as above.
unsafe impl Shared for ModuleRow {}
// SAFETY: as above.
unsafe impl Shared for Node {}
// SAFETY: as above; its events are cells.
unsafe impl Shared for Ring {}
// SAFETY: an atomic.
unsafe impl Shared for AtomicU32 {}
// SAFETY: an atomic.
unsafe impl Shared for std::sync::atomic::AtomicU8 {}

/// A file in memory, shared with whoever maps it too.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: it owns the mapping, and all access goes through `Shared`.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first bytes of a file.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn of(file: &File, size: usize) -> io::Result<Mapping> {
        // SAFETY: a new mapping at a place that the kernel chooses touches nothing that stands.
        let start =
            unsafe { mmap(null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Mapping { start, size })
    }

    /// What stands so far from the start, when it does so whole.
    pub(crate) fn get<T: Shared>(&self, offset: usize) -> Option<&T> {
        let fits = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.size);
        let fits = fits && offset.is_multiple_of(align_of::<T>());
        // SAFETY: it is within the mapping, which lives as long as `self` and starts at a page; `Shared` allows the rest.
        fits.then(|| unsafe { self.start.add(offset).cast().as_ref() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and no reference into it outlives `self`. A failure leaves it mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.size) };
    }
}
