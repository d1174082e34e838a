//! Code that goes away, and the moment from which the kernel ends who calls it.

use core::ffi::{c_int, c_void};

use super::forward;
use crate::process::RULES;
use crate::real::{self, Close};
use crate::sys;

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

// `prctl(PR_SET_SECCOMP, …)`, and `syscall(SYS_seccomp, SECCOMP_SET_MODE_…, …)`.
forward!(prctl, real::PRCTL, seldom: ("cmp edi, 22") => bound);
forward!(syscall, real::SYSCALL, seldom: ("cmp edi, 317") => bound);

/// The program binds itself to few system calls; which ones, is not looked at.
extern "C" fn bound() {
    sys::bind();
    RULES.forbid_calls();
}
