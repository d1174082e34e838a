//! Names phases of a program for `residue record`: the report tells what was allocated within each and still lives.
//!
//! ```
//! let _phase = residue_marks::phase(c"request");
//! let answer = vec![1, 2, 3];
//! # drop(answer);
//! ```
//!
//! There is nothing to link to. In a program that is not recorded a phase costs a test of a pointer at either end. Phases
//! may nest, overlap and be used by any thread; names of more than 255 bytes are cut. On Linux with glibc or musl, in programs
//! that are linked dynamically; elsewhere they do nothing. For C and C++ there is `residue_marks.h`.

#![no_std]

use core::ffi::CStr;

/// Begins a phase, which ends when this is dropped.
#[must_use = "the phase ends when this is dropped"]
pub fn phase(name: &'static CStr) -> Phase {
    begin(name);
    Phase { name }
}

/// A phase, until it is dropped.
#[derive(Debug)]
pub struct Phase {
    name: &'static CStr,
}

impl Drop for Phase {
    fn drop(&mut self) {
        end(self.name);
    }
}

/// Begins a phase.
pub fn begin(name: &CStr) {
    recorder::say(&recorder::BEGIN, name);
}

/// Ends a phase that has begun by this name, in whichever thread.
pub fn end(name: &CStr) {
    recorder::say(&recorder::END, name);
}

#[cfg(all(target_os = "linux", not(target_feature = "crt-static")))]
#[allow(unsafe_code, reason = "the recorder is a function of the program that is found by name")]
mod recorder {
    use core::ffi::{CStr, c_char, c_void};
    use core::ptr;
    use core::sync::atomic::AtomicPtr;
    use core::sync::atomic::Ordering::Relaxed;

    /// A function that the recorder has.
    pub(super) struct Function {
        name: &'static CStr,
        /// Null when it is missing; `NOT_LOOKED_FOR` before that is known.
        address: AtomicPtr<c_void>,
    }

    const NOT_LOOKED_FOR: *mut c_void = ptr::without_provenance_mut(1);

    pub(super) static BEGIN: Function = Function::named(c"residue_mark_begin");
    pub(super) static END: Function = Function::named(c"residue_mark_end");

    unsafe extern "C" {
        fn dlsym(scope: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    impl Function {
        const fn named(name: &'static CStr) -> Function {
            Function { name, address: AtomicPtr::new(NOT_LOOKED_FOR) }
        }

        fn address(&self) -> *mut c_void {
            let known = self.address.load(Relaxed);
            if known != NOT_LOOKED_FOR {
                return known;
            }
            // SAFETY: a name that ends with a zero; the scope is the whole program (`RTLD_DEFAULT`).
            let found = unsafe { dlsym(ptr::null_mut(), self.name.as_ptr()) };
            self.address.store(found, Relaxed);
            found
        }
    }

    pub(super) fn say(function: &Function, name: &CStr) {
        let address = function.address();
        if !address.is_null() {
            // SAFETY: the recorder's function, which has this form and is never unloaded.
            let function: unsafe extern "C" fn(*const c_char) = unsafe { core::mem::transmute(address) };
            // SAFETY: the name ends with a zero.
            unsafe { function(name.as_ptr()) };
        }
    }
}

#[cfg(not(all(target_os = "linux", not(target_feature = "crt-static"))))]
mod recorder {
    use core::ffi::CStr;

    pub(super) const BEGIN: () = ();
    pub(super) const END: () = ();

    pub(super) fn say(_: &(), _: &CStr) {}
}
