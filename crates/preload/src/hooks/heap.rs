//! `malloc` and its family.

use core::ffi::c_int;
use core::ptr;

use residue_recording::Kind;

use super::hook;
use crate::real::{self, Change, ChangeArray, Give, GiveInto, GiveTwo, Real, Take, TakeAligned, TakeSized};
use crate::recorder::{Call, Caller, Passing, keep};
use crate::tls::{Local, local};
use crate::{process, sampling};

const PAGE: usize = 4096;
const NO_MEMORY: c_int = 12;

hook!(malloc, "rsi", "rdx", malloc_called);
hook!(calloc, "rdx", "rcx", calloc_called);
hook!(realloc, "rdx", "rcx", realloc_called);
hook!(reallocarray, "rcx", "r8", reallocarray_called);
hook!(free, "rsi", "rdx", free_called);
hook!(cfree, "rsi", "rdx", free_called);
hook!(free_sized, "rdx", "rcx", free_sized_called);
hook!(free_aligned_sized, "rcx", "r8", free_aligned_sized_called);
hook!(posix_memalign, "rcx", "r8", posix_memalign_called);
hook!(aligned_alloc, "rdx", "rcx", aligned_alloc_called);
hook!(memalign, "rdx", "rcx", memalign_called);
hook!(valloc, "rsi", "rdx", valloc_called);
hook!(pvalloc, "rsi", "rdx", pvalloc_called);

/// Whether nobody need look at an allocation: the sample falls into a later one.
#[inline(always)]
pub(super) fn is_passed_on(local: &Local, size: usize) -> bool {
    let left = local.countdown.get();
    let is_passed_on = (size as u64) < left;
    local.countdown.set(if is_passed_on { left - size as u64 } else { 0 });
    is_passed_on
}

/// Has a block given `by` a function of the allocator and records it.
#[inline(always)]
pub(super) fn give(
    local: &'static Local,
    caller: Caller,
    by: &Real,
    size: usize,
    alignment: usize,
    allocate: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    match Passing::of(local, caller) {
        Passing::Recorded(call) => {
            if !call.is_wanted(size) {
                return allocate();
            }
            let block = call.allocator(allocate);
            call.given(by, Kind::Allocate, block, size, alignment);
            block
        }
        Passing::Kept(local) => {
            let block = allocate();
            if !block.is_null() && process::looks_at_all() {
                keep(local, Kind::Allocate, block as usize, size);
            }
            block
        }
        Passing::Unseen => allocate(),
    }
}

/// Says that a block goes back, before it does.
#[inline(always)]
pub(super) fn take(local: &'static Local, caller: Caller, block: *mut u8) {
    if block.is_null() || !is_looked_at(block) {
        return;
    }
    take_looked_at(local, caller, block);
}

#[inline(always)]
fn is_looked_at(block: *mut u8) -> bool {
    process::looks_at_all() || sampling::may_be_sampled(block as usize)
}

#[inline(always)]
fn take_looked_at(local: &'static Local, caller: Caller, block: *mut u8) {
    match Passing::of(local, caller) {
        Passing::Recorded(call) => {
            if call.is_exact() || sampling::forget(block as usize) {
                call.taken(block);
            }
        }
        Passing::Kept(local) => {
            if process::looks_at_all() || sampling::forget(block as usize) {
                keep(local, Kind::Free, block as usize, 0);
            }
        }
        Passing::Unseen => {}
    }
}

/// Has a block changed `by` a function of the allocator and records what came of it.
#[inline(always)]
pub(super) fn change(
    local: &'static Local,
    caller: Caller,
    by: &Real,
    block: *mut u8,
    size: usize,
    alignment: usize,
    reallocate: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    if block.is_null() {
        return give(local, caller, by, size, alignment, reallocate);
    }
    let Passing::Recorded(call) = Passing::of(local, caller) else {
        return change_nested(local, caller, block, size, reallocate);
    };
    if !call.is_exact() {
        return change_sampled(&call, by, block, size, alignment, reallocate);
    }
    if size == 0 {
        // It is freed, or becomes a block of no size: allocators differ.
        call.taken(block);
        let changed = call.allocator(reallocate);
        call.given(by, Kind::Allocate, changed, size, alignment);
        return changed;
    }
    call.plain(Kind::ReallocateBegin, block as usize, 0);
    let changed = call.allocator(reallocate);
    if changed.is_null() {
        call.plain(Kind::ReallocateFailed, block as usize, 0);
    } else {
        call.given(by, Kind::ReallocateEnd, changed, size, alignment);
    }
    changed
}

#[cold]
fn change_nested(
    local: &'static Local,
    caller: Caller,
    block: *mut u8,
    size: usize,
    reallocate: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let Passing::Kept(_) = Passing::of(local, caller) else { return reallocate() };
    if !process::looks_at_all() {
        take(local, caller, block);
        return reallocate();
    }
    keep(local, Kind::ReallocateBegin, block as usize, 0);
    let changed = reallocate();
    if changed.is_null() {
        keep(local, Kind::ReallocateFailed, block as usize, 0);
    } else {
        keep(local, Kind::ReallocateEnd, changed as usize, size);
    }
    changed
}

/// What was sampled goes, and whether what comes is sampled is another question.
fn change_sampled(
    call: &Call,
    by: &Real,
    block: *mut u8,
    size: usize,
    alignment: usize,
    reallocate: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let is_wanted = call.is_over() && call.is_wanted(size);
    let was_sampled = sampling::may_be_sampled(block as usize) && sampling::forget(block as usize);
    if was_sampled {
        call.taken(block);
    }
    let changed = call.allocator(reallocate);
    if !changed.is_null() && is_wanted {
        call.given(by, Kind::Allocate, changed, size, alignment);
    } else if changed.is_null() && was_sampled && size != 0 {
        // It is still there.
        call.given(by, Kind::Allocate, block, call.usable(by, block), alignment);
    }
    changed
}

// What is passed on most often begins with a short way that needs no stack: it is most of what sampling costs.

unsafe extern "C" fn malloc_called(size: usize, frame: *const u64, base: u64) -> *mut u8 {
    // SAFETY: the function has this form.
    if is_passed_on(local(), size)
        && let Some(malloc) = unsafe { real::MALLOC.known::<Give>() }
    {
        // SAFETY: as above.
        return unsafe { malloc(size) };
    }
    malloc_seen(size, Caller { frame, base })
}

#[inline(never)]
fn malloc_seen(size: usize, caller: Caller) -> *mut u8 {
    give(local(), caller, &real::MALLOC, size, 0, || real_malloc(size))
}

unsafe extern "C" fn calloc_called(count: usize, size: usize, frame: *const u64, base: u64) -> *mut u8 {
    // SAFETY: the function has this form.
    if is_passed_on(local(), count.wrapping_mul(size))
        && let Some(calloc) = unsafe { real::CALLOC.known::<GiveTwo>() }
    {
        // SAFETY: as above.
        return unsafe { calloc(count, size) };
    }
    calloc_seen(count, size, Caller { frame, base })
}

#[inline(never)]
fn calloc_seen(count: usize, size: usize, caller: Caller) -> *mut u8 {
    give(local(), caller, &real::CALLOC, count.wrapping_mul(size), 0, || {
        // SAFETY: the function has this form.
        unsafe { real::CALLOC.get::<GiveTwo>().map_or(ptr::null_mut(), |calloc| calloc(count, size)) }
    })
}

unsafe extern "C" fn realloc_called(block: *mut u8, size: usize, frame: *const u64, base: u64) -> *mut u8 {
    // SAFETY: the function has this form.
    if is_passed_on(local(), size)
        && !is_looked_at(block)
        && let Some(realloc) = unsafe { real::REALLOC.known::<Change>() }
    {
        // SAFETY: as above; the block is the caller's.
        return unsafe { realloc(block, size) };
    }
    realloc_seen(block, size, Caller { frame, base })
}

#[inline(never)]
fn realloc_seen(block: *mut u8, size: usize, caller: Caller) -> *mut u8 {
    change(local(), caller, &real::REALLOC, block, size, 0, || real_realloc(block, size))
}

unsafe extern "C" fn reallocarray_called(
    block: *mut u8,
    count: usize,
    size: usize,
    frame: *const u64,
    base: u64,
) -> *mut u8 {
    // SAFETY: the functions have these forms.
    let reallocarray = || unsafe {
        match real::REALLOCARRAY.get::<ChangeArray>() {
            Some(reallocarray) => reallocarray(block, count, size),
            None => count.checked_mul(size).map_or(ptr::null_mut(), |size| real_realloc(block, size)),
        }
    };
    let local = local();
    let size = count.wrapping_mul(size);
    if is_passed_on(local, size) && (block.is_null() || !is_looked_at(block)) {
        return reallocarray();
    }
    change(local, Caller { frame, base }, &real::REALLOCARRAY, block, size, 0, reallocarray)
}

unsafe extern "C" fn free_called(block: *mut u8, frame: *const u64, base: u64) {
    // SAFETY: the function has this form.
    if !is_looked_at(block)
        && let Some(free) = unsafe { real::FREE.known::<Take>() }
    {
        // SAFETY: as above; the block is the caller's to give.
        return unsafe { free(block) };
    }
    free_seen(block, Caller { frame, base });
}

#[inline(never)]
fn free_seen(block: *mut u8, caller: Caller) {
    take(local(), caller, block);
    real_free(block);
}

unsafe extern "C" fn free_sized_called(block: *mut u8, size: usize, frame: *const u64, base: u64) {
    take(local(), Caller { frame, base }, block);
    // SAFETY: the function has this form.
    unsafe {
        match real::FREE_SIZED.get::<TakeSized>() {
            Some(free) => free(block, size),
            None => real_free(block),
        }
    }
}

unsafe extern "C" fn free_aligned_sized_called(
    block: *mut u8,
    alignment: usize,
    size: usize,
    frame: *const u64,
    base: u64,
) {
    take(local(), Caller { frame, base }, block);
    // SAFETY: the function has this form.
    unsafe {
        match real::FREE_ALIGNED_SIZED.get::<TakeAligned>() {
            Some(free) => free(block, alignment, size),
            None => real_free(block),
        }
    }
}

unsafe extern "C" fn posix_memalign_called(
    into: *mut *mut u8,
    alignment: usize,
    size: usize,
    frame: *const u64,
    base: u64,
) -> c_int {
    let mut answer = NO_MEMORY;
    let mut posix_memalign = || {
        // SAFETY: the function has this form; `into` is the caller's.
        unsafe {
            let Some(posix_memalign) = real::POSIX_MEMALIGN.get::<GiveInto>() else { return ptr::null_mut() };
            answer = posix_memalign(into, alignment, size);
            if answer == 0 { *into } else { ptr::null_mut() }
        }
    };
    let local = local();
    if is_passed_on(local, size) {
        posix_memalign();
    } else {
        give(local, Caller { frame, base }, &real::POSIX_MEMALIGN, size, alignment, posix_memalign);
    }
    answer
}

unsafe extern "C" fn aligned_alloc_called(
    alignment: usize,
    size: usize,
    frame: *const u64,
    base: u64,
) -> *mut u8 {
    let local = local();
    if is_passed_on(local, size) {
        return real_aligned(&real::ALIGNED_ALLOC, alignment, size);
    }
    give(local, Caller { frame, base }, &real::ALIGNED_ALLOC, size, alignment, || {
        real_aligned(&real::ALIGNED_ALLOC, alignment, size)
    })
}

unsafe extern "C" fn memalign_called(alignment: usize, size: usize, frame: *const u64, base: u64) -> *mut u8 {
    let local = local();
    if is_passed_on(local, size) {
        return real_aligned(&real::MEMALIGN, alignment, size);
    }
    give(local, Caller { frame, base }, &real::MEMALIGN, size, alignment, || {
        real_aligned(&real::MEMALIGN, alignment, size)
    })
}

unsafe extern "C" fn valloc_called(size: usize, frame: *const u64, base: u64) -> *mut u8 {
    let local = local();
    if is_passed_on(local, size) {
        return real_pages(&real::VALLOC, size, size);
    }
    give(local, Caller { frame, base }, &real::VALLOC, size, PAGE, || real_pages(&real::VALLOC, size, size))
}

unsafe extern "C" fn pvalloc_called(size: usize, frame: *const u64, base: u64) -> *mut u8 {
    let whole = size.checked_next_multiple_of(PAGE).unwrap_or(size);
    let local = local();
    if is_passed_on(local, size) {
        return real_pages(&real::PVALLOC, size, whole);
    }
    give(local, Caller { frame, base }, &real::PVALLOC, size, PAGE, || {
        real_pages(&real::PVALLOC, size, whole)
    })
}

#[inline(always)]
fn real_malloc(size: usize) -> *mut u8 {
    // SAFETY: the function has this form.
    unsafe { real::MALLOC.get::<Give>().map_or(ptr::null_mut(), |malloc| malloc(size)) }
}

#[inline(always)]
pub(super) fn real_realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the function has this form; the block is the caller's.
    unsafe { real::REALLOC.get::<Change>().map_or(ptr::null_mut(), |realloc| realloc(block, size)) }
}

#[inline(always)]
pub(super) fn real_free(block: *mut u8) {
    // SAFETY: the function has this form; the block is the caller's to give.
    unsafe {
        if let Some(free) = real::FREE.get::<Take>() {
            free(block);
        }
    }
}

/// An aligned block, from the function that was asked for or another that does the same.
pub(super) fn real_aligned(function: &real::Real, alignment: usize, size: usize) -> *mut u8 {
    // SAFETY: all of them have this form.
    let found = unsafe {
        function.get::<GiveTwo>().or_else(|| real::MEMALIGN.get()).or_else(|| real::ALIGNED_ALLOC.get())
    };
    // SAFETY: as above.
    found.map_or(ptr::null_mut(), |give| unsafe { give(alignment, size) })
}

fn real_pages(function: &real::Real, size: usize, whole: usize) -> *mut u8 {
    // SAFETY: the function has this form.
    match unsafe { function.get::<Give>() } {
        // SAFETY: as above.
        Some(give) => unsafe { give(size) },
        None => real_aligned(&real::MEMALIGN, PAGE, whole),
    }
}
