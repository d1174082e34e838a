//! The kernel, called directly: what stands in a C library may allocate, take locks, set `errno` or be somebody's hook.

use core::arch::asm;
use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Set when the program has bound itself to few system calls: from then on none is made from here, for the kernel ends
/// who makes another.
static BOUND: AtomicBool = AtomicBool::new(false);

/// Why a call failed: an `errno`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// The call was not made, since the program has bound itself.
    pub const NOT_MADE: Errno = Errno(38);
    pub const EXISTS: Errno = Errno(17);
    pub const TIMED_OUT: Errno = Errno(110);
    pub const INVALID: Errno = Errno(22);
}

type Result<T> = core::result::Result<T, Errno>;

/// From now on no call is made.
pub fn bind() {
    BOUND.store(true, Relaxed);
}

/// Whether no call is made any more.
pub fn is_bound() -> bool {
    BOUND.load(Relaxed)
}

unsafe fn call(number: usize, arguments: [usize; 6]) -> Result<usize> {
    if is_bound() {
        return Err(Errno::NOT_MADE);
    }
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the kernel's convention; what the call does to memory is the caller's to know.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => answer, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    if (-4095..0).contains(&answer) { Err(Errno(-answer as i32)) } else { Ok(answer as usize) }
}

pub const READ_WRITE: usize = 2;
pub const CREATE_NEW: usize = 0o300;
const CLOSE_ON_EXEC: usize = 0o2_000_000;
const NO_FOLLOW: usize = 0o400_000;

const PROT_READ: usize = 1;
const PROT_WRITE: usize = 2;
const MAP_SHARED: usize = 1;
const MAP_PRIVATE: usize = 2;
const MAP_ANONYMOUS: usize = 0x20;
const MAP_NO_RESERVE: usize = 0x4000;

pub const ADVICE_DONT_DUMP: usize = 16;
pub const ADVICE_WIPE_ON_FORK: usize = 18;
const ADVICE_POPULATE_WRITE: usize = 23;

/// A file that is open for a moment: nothing here keeps one.
#[derive(Debug)]
pub struct File(usize);

impl File {
    /// Opens a path. Symbolic links at its end are not followed.
    pub fn open(path: &CStr, flags: usize) -> Result<File> {
        let flags = flags | CLOSE_ON_EXEC | NO_FOLLOW;
        // SAFETY: openat(AT_FDCWD, …) reads the path.
        unsafe { call(257, [-100_isize as usize, path.as_ptr() as usize, flags, 0o600, 0, 0]) }.map(File)
    }

    /// Makes it this long.
    pub fn set_length(&self, length: usize) -> Result<()> {
        // SAFETY: ftruncate touches no memory.
        unsafe { call(77, [self.0, length, 0, 0, 0, 0]) }.map(drop)
    }

    /// Maps its beginning, shared, to be read and written.
    pub fn map(&self, length: usize) -> Result<*mut u8> {
        // SAFETY: a new mapping, where the kernel finds room.
        unsafe { call(9, [0, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NO_RESERVE, self.0, 0]) }
            .map(ptr::with_exposed_provenance_mut)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: close touches no memory.
        let _ = unsafe { call(3, [self.0, 0, 0, 0, 0, 0]) };
    }
}

/// Zeroed memory of our own, which costs nothing until it is touched.
pub fn map(length: usize) -> Result<*mut u8> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NO_RESERVE;
    // SAFETY: a new mapping, where the kernel finds room.
    unsafe { call(9, [0, length, PROT_READ | PROT_WRITE, flags, usize::MAX, 0]) }
        .map(ptr::with_exposed_provenance_mut)
}

/// Gives a mapping back.
///
/// # Safety
/// It is ours, and nothing refers to it any more.
pub unsafe fn unmap(start: *mut u8, length: usize) {
    // SAFETY: as said.
    let _ = unsafe { call(11, [start as usize, length, 0, 0, 0, 0]) };
}

/// Allows or forbids that memory of ours is touched. False: it could not be done.
pub fn allow(start: *mut u8, length: usize, is_allowed: bool) -> bool {
    let protection = if is_allowed { PROT_READ | PROT_WRITE } else { 0 };
    // SAFETY: who forbids it, touches it no more.
    unsafe { call(10, [start as usize, length, protection, 0, 0, 0]) }.is_ok()
}

/// Tells the kernel how memory of ours is to be treated.
pub fn advise(start: *mut u8, length: usize, advice: usize) -> Result<()> {
    // SAFETY: none of the advices used here takes away what stands in the memory of this process.
    unsafe { call(28, [start as usize, length, advice, 0, 0, 0]) }.map(drop)
}

/// Has the kernel find memory behind these pages now. False: there is none, and touching them would end the program.
///
/// A kernel before 5.14 does not know; it is then taken for granted.
pub fn populate(start: *mut u8, length: usize) -> bool {
    let first = start as usize & !4095;
    let length = start as usize + length - first;
    matches!(
        advise(ptr::with_exposed_provenance_mut(first), length, ADVICE_POPULATE_WRITE),
        Ok(()) | Err(Errno::INVALID | Errno::NOT_MADE)
    )
}

/// Whether the page that an address is in can be read. Asked with a change of the signal mask that cannot be made: the kernel
/// copies the new mask from there before it finds that there is no such kind of change.
pub fn is_readable(address: u64) -> bool {
    const NO_CHANGE: usize = u32::MAX as usize;
    // SAFETY: rt_sigprocmask with no change that exists changes nothing.
    let answer = unsafe { call(14, [NO_CHANGE, address as usize & !7, 0, 8, 0, 0]) };
    answer == Err(Errno::INVALID)
}

/// What a symbolic link says: the part of the buffer that it fills.
pub fn read_link<'a>(path: &CStr, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    // SAFETY: readlink writes to the buffer, within its length.
    let length =
        unsafe { call(89, [path.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) }?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// Lets another thread have the processor.
pub fn give_way() {
    // SAFETY: sched_yield touches no memory.
    let _ = unsafe { call(24, [0; 6]) };
}

pub fn process_id() -> u32 {
    // SAFETY: touches no memory.
    unsafe { call(39, [0; 6]) }.unwrap_or(0) as u32
}

pub fn parent_id() -> u32 {
    // SAFETY: touches no memory.
    unsafe { call(110, [0; 6]) }.unwrap_or(0) as u32
}

/// 0 when it cannot be asked any more.
pub fn thread_id() -> u32 {
    // SAFETY: touches no memory.
    unsafe { call(186, [0; 6]) }.unwrap_or(0) as u32
}

/// A resource of which there may be a limit.
#[derive(Clone, Copy)]
pub enum Resource {
    FileSize = 1,
    AddressSpace = 9,
}

/// How much of it this process may have; `None`: any amount.
pub fn limit(resource: Resource) -> Option<u64> {
    let mut soft_and_hard = [u64::MAX; 2];
    // SAFETY: prlimit64(self, resource, no new one, two words out).
    let _ = unsafe { call(302, [0, resource as usize, 0, soft_and_hard.as_mut_ptr() as usize, 0, 0]) };
    Some(soft_and_hard[0]).filter(|&limit| limit != u64::MAX)
}

/// Sleeps until somebody wakes the word, it is not `expected`, or the time is over.
pub fn wait(word: &AtomicU32, expected: u32, nanoseconds: u32) -> Result<()> {
    let time = [0_u64, u64::from(nanoseconds)];
    // SAFETY: futex(FUTEX_WAIT) reads the word and the time.
    unsafe { call(202, [word.as_ptr() as usize, 0, expected as usize, time.as_ptr() as usize, 0, 0]) }
        .map(drop)
}

/// Wakes who sleeps at the word.
pub fn wake(word: &AtomicU32) {
    // SAFETY: futex(FUTEX_WAKE) touches no memory.
    let _ = unsafe { call(202, [word.as_ptr() as usize, 1, i32::MAX as usize, 0, 0, 0]) };
}

/// Whether this thread runs on the stack that it set aside for signals, or may do so.
pub fn is_on_signal_stack() -> bool {
    const ON_STACK: u32 = 1;
    let mut old = [0_usize, 0, 0];
    // SAFETY: sigaltstack(no new one, out: address, flags, size).
    let asked = unsafe { call(131, [0, old.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    asked.is_err() || old[1] as u32 & ON_STACK != 0
}

// Memory functions for what the compiler makes calls of, hidden from the program, so that nothing must be linked to.
#[cfg(feature = "hooks")]
core::arch::global_asm!(
    ".hidden memcpy, memmove, memset, memcmp, bcmp, strlen",
    ".globl memcpy, memmove, memset, memcmp, bcmp, strlen",
    ".type memcpy, @function",
    ".type memmove, @function",
    ".type memset, @function",
    ".type memcmp, @function",
    ".type bcmp, @function",
    ".type strlen, @function",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    "memmove:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "mov r8, rdi",
    "sub r8, rsi",
    "cmp r8, rdx",
    "jb 2f",
    "rep movsb",
    "ret",
    "2:",
    "lea rdi, [rdi + rcx - 1]",
    "lea rsi, [rsi + rcx - 1]",
    "std",
    "rep movsb",
    "cld",
    "ret",
    "memset:",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    "memcmp:",
    "bcmp:",
    "xor eax, eax",
    "mov rcx, rdx",
    "cmp rcx, rcx",
    "repe cmpsb",
    "je 3f",
    "movzx eax, byte ptr [rdi - 1]",
    "movzx ecx, byte ptr [rsi - 1]",
    "sub eax, ecx",
    "3:",
    "ret",
    "strlen:",
    "xor eax, eax",
    "4:",
    "cmp byte ptr [rdi + rax], 0",
    "je 5f",
    "inc rax",
    "jmp 4b",
    "5:",
    "ret",
);
