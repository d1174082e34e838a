//! Phases that the program names: see `residue_marks.h`.

use core::ffi::{CStr, c_char};

use crate::recorder::{Caller, Passing};
use crate::tls::local;
use residue_recording::Kind;

use super::hook;

hook!(residue_mark_begin, "rsi", "rdx", mark_begun);
hook!(residue_mark_end, "rsi", "rdx", mark_ended);

unsafe extern "C" fn mark_begun(name: *const c_char, frame: *const u64, base: u64) {
    // SAFETY: the program promised a text with a zero at its end.
    unsafe { mark(Kind::MarkBegin, name, Caller { frame, base }) };
}

unsafe extern "C" fn mark_ended(name: *const c_char, frame: *const u64, base: u64) {
    // SAFETY: as above.
    unsafe { mark(Kind::MarkEnd, name, Caller { frame, base }) };
}

unsafe fn mark(kind: Kind, name: *const c_char, caller: Caller) {
    if name.is_null() {
        return;
    }
    // SAFETY: as the callers say.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    if let Passing::Recorded(call) = Passing::of(local(), caller) {
        call.marked(kind, name);
    }
}
