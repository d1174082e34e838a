//! How a call went.

use std::ffi::{CStr, c_char};

use library::ErrorKind;

/// How a call went: negative when it failed, and `residue_last_error` tells why.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum residue_status {
    /// It is done.
    RESIDUE_OK = 0,
    /// It is done, and there is more than the buffer had room for. No failure.
    RESIDUE_MORE = 1,
    /// A pointer that must not be null is.
    RESIDUE_NULL_POINTER = -1,
    /// The `size` of a struct is smaller than its first version, or larger than any can be: it was not set.
    RESIDUE_BAD_SIZE = -2,
    /// An argument is out of range, or makes no sense here.
    RESIDUE_BAD_ARGUMENT = -3,
    /// There is no such process or file.
    RESIDUE_NOT_FOUND = -4,
    /// The process has ended.
    RESIDUE_ENDED = -5,
    /// The system refuses.
    RESIDUE_DENIED = -6,
    /// This system, this handle or this version cannot do that.
    RESIDUE_UNSUPPORTED = -7,
    /// It is there and cannot be read, or is damaged.
    RESIDUE_UNREADABLE = -8,
    /// A file cannot be written.
    RESIDUE_WRITE_FAILED = -9,
    /// A bug of the library, stopped before it reached the caller. The handle can still be used, and closed.
    RESIDUE_PANIC = -10,
}

use residue_status::{
    RESIDUE_BAD_ARGUMENT, RESIDUE_BAD_SIZE, RESIDUE_DENIED, RESIDUE_ENDED, RESIDUE_MORE, RESIDUE_NOT_FOUND,
    RESIDUE_NULL_POINTER, RESIDUE_OK, RESIDUE_PANIC, RESIDUE_UNREADABLE, RESIDUE_UNSUPPORTED,
    RESIDUE_WRITE_FAILED,
};

const TEXTS: [(residue_status, &CStr); 12] = [
    (RESIDUE_OK, c"done"),
    (RESIDUE_MORE, c"done, and there is more than the buffer had room for"),
    (RESIDUE_NULL_POINTER, c"a pointer is null"),
    (RESIDUE_BAD_SIZE, c"the size of a struct is wrong"),
    (RESIDUE_BAD_ARGUMENT, c"an argument makes no sense"),
    (RESIDUE_NOT_FOUND, c"no such process or file"),
    (RESIDUE_ENDED, c"the process has ended"),
    (RESIDUE_DENIED, c"access denied"),
    (RESIDUE_UNSUPPORTED, c"not supported here"),
    (RESIDUE_UNREADABLE, c"not readable"),
    (RESIDUE_WRITE_FAILED, c"failed to write"),
    (RESIDUE_PANIC, c"a bug in the library"),
];

/// A status in a few words. The text is the library's own: it is not freed. Any number may be asked for.
#[unsafe(no_mangle)]
pub extern "C" fn residue_status_text(status: i32) -> *const c_char {
    TEXTS
        .iter()
        .find(|(known, _)| *known as i32 == status)
        .map_or(c"unknown status", |(_, text)| *text)
        .as_ptr()
}

impl From<ErrorKind> for residue_status {
    fn from(kind: ErrorKind) -> residue_status {
        match kind {
            ErrorKind::NotFound => RESIDUE_NOT_FOUND,
            ErrorKind::Ended => RESIDUE_ENDED,
            ErrorKind::PermissionDenied => RESIDUE_DENIED,
            ErrorKind::Ambiguous => RESIDUE_BAD_ARGUMENT,
            ErrorKind::NoMemory | ErrorKind::Unsupported => RESIDUE_UNSUPPORTED,
            ErrorKind::Write => RESIDUE_WRITE_FAILED,
            _ => RESIDUE_UNREADABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_text_of_its_own_and_any_number_may_be_asked_for() {
        let text = |status| {
            // SAFETY: it gives constants that end in zero.
            unsafe { CStr::from_ptr(residue_status_text(status)) }
        };
        let texts: Vec<&CStr> = (-10..=1).map(text).collect();
        assert!(texts.iter().all(|text| *text != c"unknown status"));
        assert!(texts.iter().enumerate().all(|(at, text)| !texts[..at].contains(text)));
        assert_eq!(text(i32::MIN), c"unknown status");
    }
}
