//! Structs that grow in later versions: the first field says how large the caller's is.

use std::mem::MaybeUninit;
use std::ptr;

use crate::border::error::{Failure, Result};
use crate::border::status::residue_status;

/// A struct whose first field is its `size`.
///
/// # Safety
/// `repr(C)`, begins with a `u32` that is its size, has no padding, and is valid with any bytes.
pub(crate) unsafe trait Sized32: Copy + Default {
    /// How large its first version is.
    const FIRST: usize;
}

/// No struct of ours will ever be larger. A size above was never set.
const LARGEST: usize = 4096;

/// A caller's struct that will be filled.
pub(crate) struct Slot<T> {
    into: *mut T,
    size: usize,
}

impl<T: Sized32> Slot<T> {
    /// Looks at the size, before anything is done.
    ///
    /// # Safety
    /// Not null, it points to a size and to as many bytes, which nobody else uses until it is filled.
    pub(crate) unsafe fn of(into: *mut T, name: &str) -> Result<Slot<T>> {
        // SAFETY: as the caller promises.
        let size = unsafe { size_of_callers(into, name) }?;
        Ok(Slot { into, size })
    }

    /// Fills as much of it as both know, and tells in `size` how much that is.
    pub(crate) fn fill(self, value: &T) {
        let filled = self.size.min(size_of::<T>());
        let told = u32::try_from(filled).unwrap_or(u32::MAX);
        // SAFETY: whoever made the slot promised `size` bytes, and both begin with a `u32`. Bytes need no alignment.
        unsafe {
            ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>(), self.into.cast::<u8>(), filled);
            self.into.cast::<u32>().write_unaligned(told);
        }
    }
}

/// Reads a caller's struct; what it does not have yet is 0.
///
/// A caller that is newer than we are may set what we do not know: that is refused, not ignored.
///
/// # Safety
/// Not null, it points to a size and to as many bytes, which nobody changes meanwhile.
pub(crate) unsafe fn taken<T: Sized32>(from: *const T, name: &str) -> Result<T> {
    // SAFETY: as the caller promises.
    let size = unsafe { size_of_callers(from, name) }?;
    let mut value = MaybeUninit::new(T::default());
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes can be read, and no more than the value has are written; with any bytes it is valid.
    let (value, rest) = unsafe {
        ptr::copy_nonoverlapping(from.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), known);
        (value.assume_init(), std::slice::from_raw_parts(from.cast::<u8>().add(known), size - known))
    };
    if rest.iter().any(|&byte| byte != 0) {
        let text = format!("`{name}` asks for something that this version does not know");
        return Err(Failure::argument(format!("{text}; help: load a newer library, or ask for less")));
    }
    Ok(value)
}

/// # Safety
/// Not null, it points to a size.
unsafe fn size_of_callers<T: Sized32>(pointer: *const T, name: &str) -> Result<usize> {
    if pointer.is_null() {
        return Err(Failure::new(residue_status::RESIDUE_NULL_POINTER, format!("`{name}` is null")));
    }
    // SAFETY: as the caller promises; it may stand anywhere.
    let told = unsafe { pointer.cast::<u32>().read_unaligned() };
    let size = usize::try_from(told).unwrap_or(usize::MAX);
    if (T::FIRST..=LARGEST).contains(&size) {
        return Ok(size);
    }
    let text = format!("`{name}->size` is {told}, and must be at least {}", T::FIRST);
    Err(Failure::new(residue_status::RESIDUE_BAD_SIZE, format!("{text}; help: set it to sizeof *{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Grown {
        size: u32,
        first: u32,
        second: u64,
    }

    // SAFETY: it is as the trait asks.
    unsafe impl Sized32 for Grown {
        const FIRST: usize = 8;
    }

    const FULL: Grown = Grown { size: 0, first: 7, second: 9 };

    fn filled(size: u32) -> Result<[u32; 6]> {
        let mut room = [size, 1, 1, 1, 1, 1];
        // SAFETY: no size in these tests that is not refused is larger than the room.
        unsafe { Slot::<Grown>::of(room.as_mut_ptr().cast(), "out") }?.fill(&FULL);
        Ok(room)
    }

    #[test]
    fn an_older_caller_gets_what_it_knows_and_a_newer_one_what_we_know() {
        assert_eq!(filled(8), Ok([8, 7, 1, 1, 1, 1]));
        assert_eq!(filled(16), Ok([16, 7, 9, 0, 1, 1]));
        assert_eq!(filled(24), Ok([16, 7, 9, 0, 1, 1]));
    }

    #[test]
    fn a_size_that_was_not_set_is_refused() {
        for size in [0, 7, 4097, u32::MAX] {
            let status = filled(size).expect_err("no such size").status;
            assert_eq!(status, residue_status::RESIDUE_BAD_SIZE, "{size}");
        }
    }

    #[test]
    fn what_an_older_caller_cannot_ask_for_is_zero_and_what_we_do_not_know_is_refused() {
        // SAFETY: the sizes are those of the arrays, or less.
        let taken = |room: &[u32]| unsafe { taken::<Grown>(room.as_ptr().cast(), "options") };
        assert_eq!(taken(&[8, 7, 5, 5]), Ok(Grown { size: 8, first: 7, second: 0 }));
        assert_eq!(taken(&[24, 7, 9, 0, 0, 0]), Ok(Grown { size: 24, ..FULL }));
        let refused = taken(&[24, 7, 9, 0, 1, 0]).expect_err("something unknown");
        assert_eq!(refused.status, residue_status::RESIDUE_BAD_ARGUMENT);
    }
}
