//! C++: `operator new` and `operator delete`.
//!
//! Those of a C++ library call `malloc`, where they are recorded; they are only passed through here. Those of an allocator
//! that has its own are recorded. An exception must not find a frame of ours on its way: what may throw is asked for
//! without exceptions first, and jumped to when it has nothing to give.

use core::ptr;

use super::forward;
use super::heap::{give, is_passed_on, take};
use crate::real::{GiveAlignedOrNull, GiveOrNull, Real};
use crate::recorder::Caller;
use crate::tls::local;

/// `std::nothrow`, of which nobody looks at more than the type.
static NO_THROW: u8 = 0;

/// All operators.
pub static OPERATORS: &[&Real] = &[
    &NEW,
    &NEW_ARRAY,
    &NEW_ALIGNED,
    &NEW_ARRAY_ALIGNED,
    &NEW_OR_NULL,
    &NEW_ARRAY_OR_NULL,
    &NEW_ALIGNED_OR_NULL,
    &NEW_ARRAY_ALIGNED_OR_NULL,
    &DELETE,
    &DELETE_ARRAY,
    &DELETE_SIZED,
    &DELETE_ARRAY_SIZED,
    &DELETE_OR_NULL,
    &DELETE_ARRAY_OR_NULL,
    &DELETE_ALIGNED,
    &DELETE_ARRAY_ALIGNED,
    &DELETE_SIZED_ALIGNED,
    &DELETE_ARRAY_SIZED_ALIGNED,
    &DELETE_ALIGNED_OR_NULL,
    &DELETE_ARRAY_ALIGNED_OR_NULL,
];

/// An operator that throws: `$given` has the same from its sibling that does not.
macro_rules! throwing {
    ($($real:ident $name:ident $text:literal $given:ident;)*) => { $(
        static $real: Real = {
            #[unsafe(naked)]
            unsafe extern "C" fn recorded() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    "mov rdx, rsp",
                    "mov rcx, rbp",
                    "push rdi",
                    "push rsi",
                    "push rsi",
                    ".cfi_def_cfa_offset 32",
                    "call {given}",
                    "pop rsi",
                    "pop rsi",
                    "pop rdi",
                    ".cfi_def_cfa_offset 8",
                    "test rax, rax",
                    "jz 2f",
                    "ret",
                    "2:",
                    "jmp qword ptr [rip + {real} + 8]",
                    ".cfi_endproc",
                    given = sym $given,
                    real = sym $real,
                )
            }
            Real::seen_by($text, recorded)
        };
        forward!($name, $real);
    )* };
}

/// One that gives null instead.
macro_rules! giving_null {
    ($($real:ident $name:ident $text:literal $given:ident;)*) => { $(
        static $real: Real = {
            $crate::hooks::hook!(#[allow(dead_code)] recorded, "rdx", "rcx", $given);
            Real::seen_by($text, recorded)
        };
        forward!($name, $real);
    )* };
}

/// One that takes a block back.
macro_rules! taking {
    ($($real:ident $name:ident $text:literal;)*) => { $(
        static $real: Real = {
            #[unsafe(naked)]
            unsafe extern "C" fn recorded() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    "mov rax, rsp",
                    "push rdi",
                    "push rsi",
                    "push rdx",
                    ".cfi_def_cfa_offset 32",
                    "mov rsi, rax",
                    "mov rdx, rbp",
                    "call {taken}",
                    "pop rdx",
                    "pop rsi",
                    "pop rdi",
                    ".cfi_def_cfa_offset 8",
                    "jmp qword ptr [rip + {real} + 8]",
                    ".cfi_endproc",
                    taken = sym taken,
                    real = sym $real,
                )
            }
            Real::seen_by($text, recorded)
        };
        forward!($name, $real);
    )* };
}

throwing! {
    NEW _Znwm c"_Znwm" new_given;
    NEW_ARRAY _Znam c"_Znam" new_array_given;
    NEW_ALIGNED _ZnwmSt11align_val_t c"_ZnwmSt11align_val_t" new_aligned_given;
    NEW_ARRAY_ALIGNED _ZnamSt11align_val_t c"_ZnamSt11align_val_t" new_array_aligned_given;
}

giving_null! {
    NEW_OR_NULL _ZnwmRKSt9nothrow_t c"_ZnwmRKSt9nothrow_t" new_given;
    NEW_ARRAY_OR_NULL _ZnamRKSt9nothrow_t c"_ZnamRKSt9nothrow_t" new_array_given;
    NEW_ALIGNED_OR_NULL _ZnwmSt11align_val_tRKSt9nothrow_t c"_ZnwmSt11align_val_tRKSt9nothrow_t" new_aligned_given;
    NEW_ARRAY_ALIGNED_OR_NULL _ZnamSt11align_val_tRKSt9nothrow_t c"_ZnamSt11align_val_tRKSt9nothrow_t" new_array_aligned_given;
}

taking! {
    DELETE _ZdlPv c"_ZdlPv";
    DELETE_ARRAY _ZdaPv c"_ZdaPv";
    DELETE_SIZED _ZdlPvm c"_ZdlPvm";
    DELETE_ARRAY_SIZED _ZdaPvm c"_ZdaPvm";
    DELETE_OR_NULL _ZdlPvRKSt9nothrow_t c"_ZdlPvRKSt9nothrow_t";
    DELETE_ARRAY_OR_NULL _ZdaPvRKSt9nothrow_t c"_ZdaPvRKSt9nothrow_t";
    DELETE_ALIGNED _ZdlPvSt11align_val_t c"_ZdlPvSt11align_val_t";
    DELETE_ARRAY_ALIGNED _ZdaPvSt11align_val_t c"_ZdaPvSt11align_val_t";
    DELETE_SIZED_ALIGNED _ZdlPvmSt11align_val_t c"_ZdlPvmSt11align_val_t";
    DELETE_ARRAY_SIZED_ALIGNED _ZdaPvmSt11align_val_t c"_ZdaPvmSt11align_val_t";
    DELETE_ALIGNED_OR_NULL _ZdlPvSt11align_val_tRKSt9nothrow_t c"_ZdlPvSt11align_val_tRKSt9nothrow_t";
    DELETE_ARRAY_ALIGNED_OR_NULL _ZdaPvSt11align_val_tRKSt9nothrow_t c"_ZdaPvSt11align_val_tRKSt9nothrow_t";
}

/// The second argument, of a throwing operator, is nothing; of one that gives null, a tag.
unsafe extern "C" fn new_given(size: usize, _: usize, frame: *const u64, base: u64) -> *mut u8 {
    given(&NEW_OR_NULL, size, Caller { frame, base })
}

unsafe extern "C" fn new_array_given(size: usize, _: usize, frame: *const u64, base: u64) -> *mut u8 {
    given(&NEW_ARRAY_OR_NULL, size, Caller { frame, base })
}

/// The third argument of one that gives null, a tag, made room for where its caller stands.
unsafe extern "C" fn new_aligned_given(
    size: usize,
    alignment: usize,
    frame: *const u64,
    base: u64,
) -> *mut u8 {
    given_aligned(&NEW_ALIGNED_OR_NULL, size, alignment, Caller { frame, base })
}

unsafe extern "C" fn new_array_aligned_given(
    size: usize,
    alignment: usize,
    frame: *const u64,
    base: u64,
) -> *mut u8 {
    given_aligned(&NEW_ARRAY_ALIGNED_OR_NULL, size, alignment, Caller { frame, base })
}

fn given(real: &Real, size: usize, caller: Caller) -> *mut u8 {
    // SAFETY: the operator has this form.
    let new =
        || unsafe { real.get::<GiveOrNull>().map_or(ptr::null_mut(), |new| new(size, &raw const NO_THROW)) };
    let local = local();
    if is_passed_on(local, size) { new() } else { give(local, caller, real, size, 0, new) }
}

fn given_aligned(real: &Real, size: usize, alignment: usize, caller: Caller) -> *mut u8 {
    // SAFETY: the operator has this form.
    let new = || unsafe {
        let new = real.get::<GiveAlignedOrNull>();
        new.map_or(ptr::null_mut(), |new| new(size, alignment, &raw const NO_THROW))
    };
    let local = local();
    if is_passed_on(local, size) { new() } else { give(local, caller, real, size, alignment, new) }
}

unsafe extern "C" fn taken(block: *mut u8, frame: *const u64, base: u64) {
    take(local(), Caller { frame, base }, block);
}
