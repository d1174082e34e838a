//! Memory that the program takes from the kernel itself.

use core::ffi::c_int;

use residue_recording::Kind;

use super::hook;
use crate::process::RULES;
use crate::real::{self, MapPages, MoveBreak, RemapPages, SetBreak, UnmapPages};
use crate::recorder::{Caller, Passing, keep};
use crate::tls::local;

const PAGE: usize = 4096;
const PROT_NONE: c_int = 0;
const MAP_FIXED: c_int = 0x10;
const MAP_ANONYMOUS: c_int = 0x20;
const MREMAP_DONTUNMAP: c_int = 4;
const FAILED: usize = usize::MAX;

/// As [`hook`], for six arguments: the caller's registers go on the stack.
macro_rules! hook_of_six {
    ($name:ident, $inner:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                ".cfi_startproc",
                "mov rax, rsp",
                "sub rsp, 8",
                "push rbp",
                "push rax",
                ".cfi_def_cfa_offset 32",
                "call {inner}",
                "add rsp, 24",
                ".cfi_def_cfa_offset 8",
                "ret",
                ".cfi_endproc",
                inner = sym $inner,
            )
        }
    };
}

hook_of_six!(mmap, mmap_called);
hook_of_six!(mmap64, mmap_called);
hook!(munmap, "rdx", "rcx", munmap_called);
hook_of_six!(mremap, mremap_called);
hook!(brk, "rsi", "rdx", brk_called);
hook!(sbrk, "rsi", "rdx", sbrk_called);

/// What the allocator asks of the kernel is not the program's.
fn is_allocator(caller: Caller) -> bool {
    real::provider().contains(&caller.code())
}

/// Says that a range is mapped.
fn mapped(caller: Caller, kind: Kind, address: usize, size: usize) {
    if is_allocator(caller) {
        return;
    }
    match Passing::of(local(), caller) {
        Passing::Recorded(call) => call.mapped(kind, address, size),
        Passing::Kept(local) => keep(local, kind, address, size),
        Passing::Unseen => {}
    }
}

/// Says that a range is not mapped any more.
fn unmapped(caller: Caller, kind: Kind, address: usize, size: usize) {
    if is_allocator(caller) {
        return;
    }
    match Passing::of(local(), caller) {
        Passing::Recorded(call) => call.plain(kind, address, size),
        Passing::Kept(local) => keep(local, kind, address, size),
        Passing::Unseen => {}
    }
}

fn whole_pages(size: usize) -> usize {
    size.checked_next_multiple_of(PAGE).unwrap_or(size)
}

unsafe extern "C" fn mmap_called(
    address: *mut u8,
    size: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
    frame: *const u64,
    base: u64,
) -> *mut u8 {
    // SAFETY: the function has this form.
    let Some(mmap) = (unsafe { real::MMAP.get::<MapPages>() }) else {
        return core::ptr::without_provenance_mut(FAILED);
    };
    let caller = Caller { frame, base };
    let replaces = flags & MAP_FIXED != 0;
    if replaces {
        unmapped(caller, Kind::Unmap, address as usize, whole_pages(size));
    }
    // SAFETY: the program's own call.
    let given = unsafe { mmap(address, size, protection, flags, file, offset) };
    if replaces {
        RULES.unmapped();
    }
    // A file's pages are the file's, and what nobody may touch is no memory yet.
    let is_memory = flags & MAP_ANONYMOUS != 0 && protection != PROT_NONE;
    if is_memory && given as usize != FAILED {
        mapped(caller, Kind::Map, given as usize, whole_pages(size));
    }
    given
}

unsafe extern "C" fn munmap_called(address: *mut u8, size: usize, frame: *const u64, base: u64) -> c_int {
    // SAFETY: the function has this form.
    let Some(munmap) = (unsafe { real::MUNMAP.get::<UnmapPages>() }) else { return -1 };
    if size != 0 && (address as usize).is_multiple_of(PAGE) {
        unmapped(Caller { frame, base }, Kind::Unmap, address as usize, whole_pages(size));
    }
    // SAFETY: the program's own call.
    let answer = unsafe { munmap(address, size) };
    RULES.unmapped();
    answer
}

unsafe extern "C" fn mremap_called(
    old: *mut u8,
    old_size: usize,
    new_size: usize,
    flags: c_int,
    wanted: *mut u8,
    _: usize,
    frame: *const u64,
    base: u64,
) -> *mut u8 {
    // SAFETY: the function has this form.
    let Some(mremap) = (unsafe { real::MREMAP.get::<RemapPages>() }) else {
        return core::ptr::without_provenance_mut(FAILED);
    };
    // SAFETY: the program's own call.
    let given = unsafe { mremap(old, old_size, new_size, flags, wanted) };
    RULES.unmapped();
    if given as usize != FAILED {
        let caller = Caller { frame, base };
        if flags & MREMAP_DONTUNMAP == 0 && old_size != 0 {
            unmapped(caller, Kind::Unmap, old as usize, whole_pages(old_size));
        }
        mapped(caller, Kind::Map, given as usize, whole_pages(new_size));
    }
    given
}

unsafe extern "C" fn brk_called(wanted: *mut u8, frame: *const u64, base: u64) -> c_int {
    // SAFETY: the function has this form.
    let Some(brk) = (unsafe { real::BRK.get::<SetBreak>() }) else { return -1 };
    let before = current_break();
    // SAFETY: the program's own call.
    let answer = unsafe { brk(wanted) };
    if answer == 0 && before != FAILED {
        moved(Caller { frame, base }, before, wanted as usize);
    }
    answer
}

unsafe extern "C" fn sbrk_called(distance: isize, frame: *const u64, base: u64) -> *mut u8 {
    // SAFETY: the function has this form.
    let Some(sbrk) = (unsafe { real::SBRK.get::<MoveBreak>() }) else {
        return core::ptr::without_provenance_mut(FAILED);
    };
    // SAFETY: the program's own call.
    let before = unsafe { sbrk(distance) };
    if before as usize != FAILED {
        moved(Caller { frame, base }, before as usize, (before as usize).wrapping_add_signed(distance));
    }
    before
}

fn moved(caller: Caller, before: usize, after: usize) {
    if after > before {
        mapped(caller, Kind::BreakUp, before, after - before);
    } else if after < before {
        unmapped(caller, Kind::BreakDown, after, before - after);
    }
}

fn current_break() -> usize {
    // SAFETY: the function has this form; it moves nothing.
    unsafe { real::SBRK.get::<MoveBreak>().map_or(FAILED, |sbrk| sbrk(0) as usize) }
}
