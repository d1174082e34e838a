//! The functions that the hooks stand in front of: the next definition of each.

use core::ffi::{CStr, c_int, c_void};
use core::mem::transmute_copy;
use core::ops::Range;
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Relaxed, Release},
};

use crate::elf::{self, Image};

/// A function, and where the next definition of it is.
#[repr(C)]
pub struct Real {
    address: AtomicUsize,
    name: &'static CStr,
}

/// A kind of pointer to a function.
///
/// # Safety
/// It is one: as large as an address.
pub unsafe trait Function: Copy {}

macro_rules! functions {
    ($($(#[$about:meta])* $kind:ident = fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        $(
            $(#[$about])*
            pub type $kind = unsafe extern "C" fn($($argument),*) $(-> $result)?;
            // SAFETY: it is one.
            unsafe impl Function for $kind {}
        )*
    };
}

functions! {
    Give = fn(usize) -> *mut u8;
    GiveTwo = fn(usize, usize) -> *mut u8;
    Change = fn(*mut u8, usize) -> *mut u8;
    ChangeArray = fn(*mut u8, usize, usize) -> *mut u8;
    Take = fn(*mut u8);
    TakeSized = fn(*mut u8, usize);
    TakeAligned = fn(*mut u8, usize, usize);
    GiveInto = fn(*mut *mut u8, usize, usize) -> c_int;
    Usable = fn(*const u8) -> usize;
    Resize = fn(*mut u8, usize, usize, c_int) -> usize;
    ChangeFlags = fn(*mut u8, usize, c_int) -> *mut u8;
    TakeFlags = fn(*mut u8, c_int);
    GiveFlags = fn(usize, c_int) -> *mut u8;
    MapPages = fn(*mut u8, usize, c_int, c_int, c_int, i64) -> *mut u8;
    UnmapPages = fn(*mut u8, usize) -> c_int;
    RemapPages = fn(*mut u8, usize, usize, c_int, *mut u8) -> *mut u8;
    SetBreak = fn(*mut u8) -> c_int;
    MoveBreak = fn(isize) -> *mut u8;
    Close = fn(*mut c_void) -> c_int;
    MakeKey = fn(*mut u32, unsafe extern "C" fn(*mut c_void)) -> c_int;
    SetSpecific = fn(u32, *const c_void) -> c_int;
}

impl Real {
    const fn new(name: &'static CStr) -> Real {
        Real { address: AtomicUsize::new(0), name }
    }

    /// The next definition, in this form; `None`: the program has none.
    ///
    /// # Safety
    /// The function of this name has this form.
    #[inline(always)]
    pub unsafe fn get<F: Function>(&self) -> Option<F> {
        let address = self.address();
        // SAFETY: as promised.
        (address != 0).then(|| unsafe { transmute_copy(&address) })
    }

    /// Its address; 0: the program has none.
    #[inline(always)]
    pub fn address(&self) -> usize {
        match self.address.load(Relaxed) {
            0 if !IS_FOUND.load(Relaxed) => self.found(),
            address => address,
        }
    }

    #[cold]
    #[inline(never)]
    fn found(&self) -> usize {
        find();
        self.address.load(Relaxed)
    }

    /// Looks again, in what was loaded since.
    #[cold]
    pub fn look_again(&self) -> usize {
        let mut is_behind = false;
        elf::each_image(&mut |image| {
            if is_behind && let Some(address) = image.function(self.name) {
                self.address.store(address, Relaxed);
                return true;
            }
            is_behind |= is_ours(image);
            false
        });
        self.address.load(Relaxed)
    }
}

static IS_FOUND: AtomicBool = AtomicBool::new(false);
static PROVIDER: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
static MALLOC_IS_OURS: AtomicBool = AtomicBool::new(true);

macro_rules! reals {
    ($($place:ident $name:literal)*) => {
        $(
            pub static $place: Real = Real::new($name);
        )*
        static ALL: &[&Real] = &[$(&$place),*];
    };
}

reals! {
    MALLOC c"malloc"
    CALLOC c"calloc"
    REALLOC c"realloc"
    REALLOCARRAY c"reallocarray"
    FREE c"free"
    FREE_SIZED c"free_sized"
    FREE_ALIGNED_SIZED c"free_aligned_sized"
    POSIX_MEMALIGN c"posix_memalign"
    ALIGNED_ALLOC c"aligned_alloc"
    MEMALIGN c"memalign"
    VALLOC c"valloc"
    PVALLOC c"pvalloc"
    USABLE c"malloc_usable_size"
    MMAP c"mmap"
    MUNMAP c"munmap"
    MREMAP c"mremap"
    BRK c"brk"
    SBRK c"sbrk"
    DLCLOSE c"dlclose"
    PRCTL c"prctl"
    SYSCALL c"syscall"
    MAKE_KEY c"pthread_key_create"
    SET_SPECIFIC c"pthread_setspecific"
}

/// Finds all. Several threads may do so at once: they find the same.
fn find() {
    let mut is_behind = false;
    let mut is_first = true;
    elf::each_image(&mut |image| {
        if is_first && image.function(MALLOC.name).is_some() {
            is_first = false;
            MALLOC_IS_OURS.store(is_ours(image), Relaxed);
        }
        if is_behind {
            take_from(image);
        }
        is_behind |= is_ours(image);
        false
    });
    IS_FOUND.store(true, Release);
}

fn take_from(image: &Image) {
    for real in ALL {
        if real.address.load(Relaxed) == 0
            && let Some(address) = image.function(real.name)
        {
            real.address.store(address, Relaxed);
            if core::ptr::eq(*real, &raw const MALLOC) {
                PROVIDER[0].store(image.range().start, Relaxed);
                PROVIDER[1].store(image.range().end, Relaxed);
            }
        }
    }
}

fn is_ours(image: &Image) -> bool {
    image.range().contains(&(&raw const IS_FOUND as usize))
}

/// Where the code of the allocator stands.
pub fn provider() -> Range<usize> {
    PROVIDER[0].load(Relaxed)..PROVIDER[1].load(Relaxed)
}

/// Whether it is our `malloc` that the program calls: one in its executable goes before ours.
pub fn malloc_is_ours() -> bool {
    MALLOC.address() != 0 && MALLOC_IS_OURS.load(Relaxed)
}
