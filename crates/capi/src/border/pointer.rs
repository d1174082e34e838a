//! What callers point to, checked as far as it can be.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

use crate::border::error::{Failure, Result};
use crate::border::status::residue_status;

fn null(name: &str) -> Failure {
    Failure::new(residue_status::RESIDUE_NULL_POINTER, format!("`{name}` is null"))
}

/// What is pointed to.
///
/// # Safety
/// Not null, it points to a value that outlives its use here and that nobody changes meanwhile.
pub(crate) unsafe fn value<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: as the caller promises.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// A place for a value, which may hold anything yet.
///
/// # Safety
/// Not null, it points to room for a value that outlives its use here and that nobody else uses meanwhile.
pub(crate) unsafe fn place<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut MaybeUninit<T>> {
    // SAFETY: as the caller promises; room for a value is room for one that is not written yet.
    unsafe { pointer.cast::<MaybeUninit<T>>().as_mut() }.ok_or_else(|| null(name))
}

/// A buffer, which may hold anything yet. Null is one without room.
///
/// # Safety
/// Not null, it points to room for `capacity` values that outlives its use here and that nobody else uses meanwhile.
pub(crate) unsafe fn room<'a, T>(
    buffer: *mut T,
    capacity: usize,
    name: &str,
) -> Result<&'a mut [MaybeUninit<T>]> {
    match (buffer.is_null(), capacity) {
        (_, 0) => Ok(&mut []),
        (true, _) => Err(null(name)),
        // SAFETY: as the caller promises.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts_mut(buffer.cast(), capacity) }),
    }
}

/// A path in UTF-8.
///
/// # Safety
/// Not null, it points to bytes that end in zero, outlive their use here and do not change meanwhile.
pub(crate) unsafe fn path<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(text) }.to_str();
    let path = path.map_err(|_| Failure::argument(format!("`{name}` is not UTF-8")))?;
    if path.is_empty() { Err(Failure::argument(format!("`{name}` is empty"))) } else { Ok(path) }
}
