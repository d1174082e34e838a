//! Code that goes away, and the moment from which the kernel ends who calls it.

use core::ffi::{c_int, c_long, c_ulong, c_void};
use core::ops::Range;

use super::forward;
use crate::clock;
use crate::process::{self, RULES};
use crate::real::{self, Close};

#[unsafe(no_mangle)]
unsafe extern "C" fn dlclose(library: *mut c_void) -> c_int {
    // SAFETY: the function has this form.
    let Some(close) = (unsafe { real::DLCLOSE.get_now::<Close>() }) else { return -1 };
    // SAFETY: the program's own call.
    let answer = unsafe { close(library) };
    RULES.unloaded();
    real::forget_late();
    answer
}

forward!(prctl, real::PRCTL, look: ("cmp edi, edi") => process_changes);
// Only `syscall(SYS_seccomp, …)` is looked at.
forward!(syscall, real::SYSCALL, look: ("cmp edi, 317") => filter_comes);

const PR_SET_SECCOMP: c_int = 22;
const PR_SET_TSC: c_int = 26;
const STRICT: c_ulong = 1;
/// `SECCOMP_SET_MODE_STRICT`, `SECCOMP_SET_MODE_FILTER`.
const SET_MODES: Range<c_ulong> = 0..2;

extern "C" fn process_changes(operation: c_int, argument: c_ulong) {
    match operation {
        PR_SET_SECCOMP => bound(argument == STRICT),
        PR_SET_TSC => clock::stop_reading(),
        _ => {}
    }
}

extern "C" fn filter_comes(_: c_long, operation: c_ulong) {
    if SET_MODES.contains(&operation) {
        bound(operation == SET_MODES.start);
    }
}

/// The program binds itself to few system calls; which ones, is not looked at. In the strict way, not even the time may be read.
fn bound(is_strict: bool) {
    process::bind();
    if is_strict {
        clock::stop_reading();
    }
}
