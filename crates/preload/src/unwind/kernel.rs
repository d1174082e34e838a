//! The few system calls of the unwinder, straight to the kernel: the C library's functions may be the program's own, set
//! `errno`, or be half set up.

use core::arch::asm;
use core::ptr::NonNull;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

const MMAP: u64 = 9;
const MUNMAP: u64 = 11;
const RT_SIGPROCMASK: u64 = 14;
const READLINK: u64 = 89;

const READ_WRITE: u64 = 3;
const PRIVATE_ANONYMOUS: u64 = 0x22;
const INVALID: i64 = -22;
const NOT_PERMITTED: i64 = -1;

static FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// From now on the kernel would kill the process for any of these calls: none is made, and each fails.
pub(super) fn forbid() {
    FORBIDDEN.store(true, Relaxed);
}

/// Zeroed memory of our own.
pub(super) fn map(size: usize) -> Option<NonNull<u8>> {
    // SAFETY: a new mapping, wherever there is room, touches nothing that exists.
    let result = unsafe { call(MMAP, [0, size as u64, READ_WRITE, PRIVATE_ANONYMOUS, u64::MAX, 0]) };
    if result < 0 { None } else { NonNull::new(result as *mut u8) }
}

/// Gives memory back.
///
/// # Safety
/// `map` gave it, in this size, and nobody uses it any more.
pub(super) unsafe fn unmap(memory: NonNull<u8>, size: usize) {
    // SAFETY: it is ours, as promised.
    unsafe { call(MUNMAP, [memory.as_ptr() as u64, size as u64, 0, 0, 0, 0]) };
}

/// Whether the page that an address is in can be read. Asked with a change of the signal mask that cannot be made: the
/// kernel copies the new mask from there before it finds that there is no such kind of change (`EINVAL`).
pub(super) fn is_readable(address: u64) -> bool {
    // SAFETY: no change of the mask has this number, so nothing comes of it.
    let answer = unsafe { call(RT_SIGPROCMASK, [u64::from(u32::MAX), address & !7, 0, 8, 0, 0]) };
    answer == INVALID
}

/// What a symbolic link says: the part of the buffer that it fills.
pub(super) fn read_link<'a>(path: &core::ffi::CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: the kernel writes to the buffer, within its length.
    let length = unsafe {
        call(READLINK, [path.as_ptr() as u64, buffer.as_mut_ptr() as u64, buffer.len() as u64, 0, 0, 0])
    };
    buffer.get(..usize::try_from(length).ok()?)
}

unsafe fn call(number: u64, arguments: [u64; 6]) -> i64 {
    if FORBIDDEN.load(Relaxed) {
        return NOT_PERMITTED;
    }
    let result;
    // SAFETY: that of the system call, which is the caller's; the kernel changes no other register.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") arguments[0], in("rsi") arguments[1],
            in("rdx") arguments[2], in("r10") arguments[3], in("r8") arguments[4], in("r9") arguments[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}
