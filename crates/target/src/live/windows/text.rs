//! Text of two bytes a character, as the calls of Windows give it.

use crate::procfs::printable;

/// Text as far as its end, printable.
pub(super) fn wide(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    printable(String::from_utf16_lossy(&units[..end]).as_bytes())
}

/// Calls that fill a buffer with text and say how much: an empty text is none.
pub(super) fn filled(room: usize, fill: impl FnOnce(*mut u16, u32) -> u32) -> Option<String> {
    let mut units = vec![0; room];
    let length = fill(units.as_mut_ptr(), u32::try_from(room).unwrap_or(u32::MAX));
    let length = usize::try_from(length).unwrap_or_default().min(room);
    (length > 0).then(|| wide(&units[..length]))
}
