//! The functions that jemalloc has besides: `mallocx` and its kin.
//!
//! Source: jemalloc(3). Where no jemalloc is, they do the same by `malloc`: a program that finds them, since they are here,
//! must be able to use them.

use core::ffi::c_int;

use residue_recording::Kind;

use super::forward;
use super::heap::{change, give, is_passed_on, real_aligned, real_free, real_realloc, take};
use crate::real::{self, ChangeFlags, GiveFlags, Real, Resize, TakeFlags, TakeSizedFlags};
use crate::recorder::{Caller, Passing};
use crate::tls::local;

/// The power of two of the alignment in a call's flags.
const ALIGNMENT: c_int = 63;
const ZERO: c_int = 64;

/// All functions.
pub static FUNCTIONS: &[&Real] = &[&MALLOCX, &RALLOCX, &XALLOCX, &DALLOCX, &SDALLOCX];

macro_rules! functions {
    ($($real:ident $name:ident $text:literal $frame:literal $base:literal $called:ident;)*) => { $(
        static $real: Real = {
            $crate::hooks::hook!(#[allow(dead_code)] recorded, $frame, $base, $called);
            Real::seen_by($text, recorded)
        };
        forward!($name, $real);
    )* };
}

functions! {
    MALLOCX mallocx c"mallocx" "rdx" "rcx" mallocx_called;
    RALLOCX rallocx c"rallocx" "rcx" "r8" rallocx_called;
    XALLOCX xallocx c"xallocx" "r8" "r9" xallocx_called;
    DALLOCX dallocx c"dallocx" "rdx" "rcx" dallocx_called;
    SDALLOCX sdallocx c"sdallocx" "rcx" "r8" sdallocx_called;
}

fn alignment(flags: c_int) -> usize {
    match flags & ALIGNMENT {
        0 => 0,
        power => 1 << power,
    }
}

unsafe extern "C" fn mallocx_called(size: usize, flags: c_int, frame: *const u64, base: u64) -> *mut u8 {
    // SAFETY: the function has this form.
    let mallocx = || match unsafe { MALLOCX.get::<GiveFlags>() } {
        // SAFETY: as above.
        Some(mallocx) => unsafe { mallocx(size, flags) },
        None => aligned(size, flags),
    };
    let local = local();
    if is_passed_on(local, size) {
        return mallocx();
    }
    give(local, Caller { frame, base }, &MALLOCX, size, alignment(flags), mallocx)
}

fn aligned(size: usize, flags: c_int) -> *mut u8 {
    let block = real_aligned(&real::MEMALIGN, alignment(flags).max(16), size);
    if flags & ZERO != 0 && !block.is_null() {
        // SAFETY: it was just given, so large.
        unsafe { block.write_bytes(0, size) };
    }
    block
}

unsafe extern "C" fn rallocx_called(
    block: *mut u8,
    size: usize,
    flags: c_int,
    frame: *const u64,
    base: u64,
) -> *mut u8 {
    // SAFETY: the function has this form.
    let rallocx = || match unsafe { RALLOCX.get::<ChangeFlags>() } {
        // SAFETY: as above.
        Some(rallocx) => unsafe { rallocx(block, size, flags) },
        None => real_realloc(block, size),
    };
    let local = local();
    is_passed_on(local, size);
    change(local, Caller { frame, base }, &RALLOCX, block, size, alignment(flags), rallocx)
}

unsafe extern "C" fn xallocx_called(
    block: *mut u8,
    size: usize,
    extra: usize,
    flags: c_int,
    frame: *const u64,
    base: u64,
) -> usize {
    // SAFETY: the functions have these forms.
    let xallocx = || unsafe {
        match (XALLOCX.get::<Resize>(), real::USABLE.get::<real::Usable>()) {
            (Some(xallocx), _) => xallocx(block, size, extra, flags),
            (None, Some(usable)) if real::USABLE.is_allocators() => usable(block),
            _ => 0,
        }
    };
    // In a sample, what a block has become by this is not followed: where it stands, and that it was sampled, stays.
    match Passing::of(local(), Caller { frame, base }) {
        Passing::Recorded(call) if call.is_exact() => {
            call.plain(Kind::ReallocateBegin, block as usize, 0);
            let usable = call.allocator(xallocx);
            if usable < size {
                call.plain(Kind::ReallocateFailed, block as usize, 0);
            } else {
                call.given(
                    &XALLOCX,
                    Kind::ReallocateEnd,
                    block,
                    usable.min(size.saturating_add(extra)),
                    alignment(flags),
                );
            }
            usable
        }
        _ => xallocx(),
    }
}

unsafe extern "C" fn dallocx_called(block: *mut u8, flags: c_int, frame: *const u64, base: u64) {
    take(local(), Caller { frame, base }, block);
    // SAFETY: the function has this form.
    match unsafe { DALLOCX.get::<TakeFlags>() } {
        // SAFETY: as above.
        Some(dallocx) => unsafe { dallocx(block, flags) },
        None => real_free(block),
    }
}

unsafe extern "C" fn sdallocx_called(
    block: *mut u8,
    size: usize,
    flags: c_int,
    frame: *const u64,
    base: u64,
) {
    take(local(), Caller { frame, base }, block);
    // SAFETY: the function has this form.
    match unsafe { SDALLOCX.get::<TakeSizedFlags>() } {
        // SAFETY: as above.
        Some(sdallocx) => unsafe { sdallocx(block, size, flags) },
        None => real_free(block),
    }
}
