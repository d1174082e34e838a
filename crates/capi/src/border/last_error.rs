//! What went wrong last, kept for each thread.

use std::cell::RefCell;
use std::ffi::c_char;

use super::error::Failure;
use super::pointer::room;

/// Room for the text of a failure. What is longer is cut.
const ROOM: usize = 1024;

struct Last {
    bytes: [u8; ROOM],
    length: usize,
}

thread_local! {
    // Nothing in it is dropped: a thread that ends after the library was unloaded calls nothing of it.
    static LAST: RefCell<Last> = const { RefCell::new(Last { bytes: [0; ROOM], length: 0 }) };
}

/// Keeps the text for whoever asks on this thread.
pub(crate) fn remember(failure: &Failure) {
    let text = failure.text.as_bytes();
    let fits = text.len().min(ROOM - 1);
    let length = (0..=fits).rfind(|&at| failure.text.is_char_boundary(at)).unwrap_or_default();
    LAST.with_borrow_mut(|last| {
        last.bytes[..length].copy_from_slice(&text[..length]);
        last.length = length;
    });
}

/// What went wrong in the last call that failed on this thread: "what; cause: why; help: what to do", in UTF-8, at most
/// 1023 bytes. Empty when none has failed. A call that succeeds leaves it as it is.
///
/// Gives how many bytes the whole text needs with its closing zero. As much of it as fits stands in `buffer`, and it ends
/// in zero whenever `capacity` is above 0. With a capacity of 0, `buffer` may be null.
///
/// # Safety
/// `buffer` points to `capacity` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_last_error(buffer: *mut c_char, capacity: usize) -> usize {
    // SAFETY: as the caller promises; bytes need no alignment.
    let Ok(into) = (unsafe { room(buffer.cast::<u8>(), capacity, "buffer") }) else { return 0 };
    LAST.with_borrow(|last| {
        if let Some(fits) = into.len().checked_sub(1) {
            let shown = last.length.min(fits);
            for (place, byte) in into.iter_mut().zip(last.bytes[..shown].iter().copied().chain([0])) {
                place.write(byte);
            }
        }
        last.length + 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(capacity: usize) -> (usize, Vec<u8>) {
        let mut buffer = vec![b'?'; capacity];
        // SAFETY: the buffer has that capacity.
        let needed = unsafe { residue_last_error(buffer.as_mut_ptr().cast(), capacity) };
        (needed, buffer)
    }

    #[test]
    fn the_text_is_cut_to_the_buffer_and_always_ends_in_zero() {
        assert_eq!(last(3), (1, b"\0??".to_vec()));
        remember(&Failure::argument("no such thing"));
        assert_eq!(last(14), (14, b"no such thing\0".to_vec()));
        assert_eq!(last(3), (14, b"no\0".to_vec()));
        assert_eq!(last(1), (14, b"\0".to_vec()));
        // SAFETY: a capacity of 0 asks only for the size.
        assert_eq!(unsafe { residue_last_error(std::ptr::null_mut(), 0) }, 14);
    }

    #[test]
    fn a_text_too_long_is_cut_between_letters() {
        remember(&Failure::argument("ä".repeat(2000)));
        let (needed, text) = last(4000);
        assert_eq!(needed, 1023);
        assert_eq!(std::str::from_utf8(&text[..1022]).expect("whole letters").chars().count(), 511);
    }
}
