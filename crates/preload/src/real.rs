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
    /// Where a call of it goes on that is not recorded here, or not by itself: the next definition or `recorder`; 0: not
    /// known yet. Read by the hooks' own instructions, as is the address behind it.
    target: AtomicUsize,
    address: AtomicUsize,
    recorder: Option<unsafe extern "C" fn()>,
    was_at_start: AtomicBool,
    is_allocators: AtomicBool,
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
    GiveOrNull = fn(usize, *const u8) -> *mut u8;
    GiveAlignedOrNull = fn(usize, usize, *const u8) -> *mut u8;
    TakeSizedFlags = fn(*mut u8, usize, c_int);
    Close = fn(*mut c_void) -> c_int;
    MakeKey = fn(*mut u32, unsafe extern "C" fn(*mut c_void)) -> c_int;
    SetSpecific = fn(u32, *const c_void) -> c_int;
}

impl Real {
    pub const fn new(name: &'static CStr) -> Real {
        Real {
            target: AtomicUsize::new(0),
            address: AtomicUsize::new(0),
            recorder: None,
            was_at_start: AtomicBool::new(false),
            is_allocators: AtomicBool::new(false),
            name,
        }
    }

    /// One that goes through `recorder` when the allocator's own image defines it.
    pub const fn seen_by(name: &'static CStr, recorder: unsafe extern "C" fn()) -> Real {
        Real { recorder: Some(recorder), ..Real::new(name) }
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

    /// The same, when it was looked for already.
    ///
    /// # Safety
    /// As for [`Real::get`].
    #[inline(always)]
    pub unsafe fn known<F: Function>(&self) -> Option<F> {
        let address = self.address.load(Relaxed);
        // SAFETY: as promised.
        (address != 0).then(|| unsafe { transmute_copy(&address) })
    }

    /// As `get`, looked for among what was loaded since when there was none at the start.
    ///
    /// # Safety
    /// As for [`Real::get`].
    pub unsafe fn get_now<F: Function>(&self) -> Option<F> {
        if self.address() == 0 {
            self.look_again();
        }
        // SAFETY: as promised.
        unsafe { self.get() }
    }

    /// Its address; 0: the program has none.
    #[inline(always)]
    pub fn address(&self) -> usize {
        match self.address.load(Relaxed) {
            0 if !IS_FOUND.load(Relaxed) => self.found(),
            address => address,
        }
    }

    /// Whether the image that has the allocator's `malloc` defines it: what another one defines may give blocks of its own.
    #[inline(always)]
    pub fn is_allocators(&self) -> bool {
        self.is_allocators.load(Relaxed)
    }

    #[cold]
    #[inline(never)]
    fn found(&self) -> usize {
        find();
        self.address.load(Relaxed)
    }

    #[cold]
    fn look_again(&self) {
        let mut is_behind = false;
        elf::each_image(&mut |image| {
            if is_behind {
                self.take_from(image);
            }
            is_behind |= is_ours(image);
            self.address.load(Relaxed) != 0
        });
        IS_LATE.store(true, Relaxed);
    }

    fn take_from(&self, image: &Image) {
        let Some(address) = image.function(self.name) else { return };
        let is_allocator = image.range() == provider();
        self.is_allocators.store(is_allocator, Relaxed);
        self.address.store(address, Relaxed);
        let recorder = self.recorder.filter(|_| is_allocator);
        self.target.store(recorder.map_or(address, |recorder| recorder as usize), Release);
    }

    /// Where a call goes on that found no target yet.
    #[cold]
    pub extern "C" fn find_target(&self) {
        if self.address() == 0 {
            self.look_again();
        }
        if self.target.load(Relaxed) == 0 {
            let nowhere: unsafe extern "C" fn() = nowhere;
            self.target.store(self.recorder.unwrap_or(nowhere) as usize, Relaxed);
        }
    }
}

/// A function was called that nobody defines; without us the program would not have started.
unsafe extern "C" fn nowhere() {
    // SAFETY: ends the program.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}

/// A library was unloaded: what was found in libraries that came late may have been in it.
pub fn forget_late() {
    if !IS_LATE.swap(false, Relaxed) {
        return;
    }
    for real in all().filter(|real| !real.was_at_start.load(Relaxed)) {
        real.target.store(0, Relaxed);
        real.address.store(0, Relaxed);
    }
}

/// Something was found that was not there at the start.
static IS_LATE: AtomicBool = AtomicBool::new(false);
static IS_FOUND: AtomicBool = AtomicBool::new(false);
static PROVIDER: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
static MALLOC_IS_OURS: AtomicBool = AtomicBool::new(true);

macro_rules! reals {
    ($($place:ident $name:literal)*) => {
        $(
            pub static $place: Real = Real::new($name);
        )*
        static FUNCTIONS: &[&Real] = &[$(&$place),*];
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
            take_all_from(image);
        }
        is_behind |= is_ours(image);
        false
    });
    IS_FOUND.store(true, Release);
}

fn take_all_from(image: &Image) {
    if MALLOC.address.load(Relaxed) == 0 && image.function(MALLOC.name).is_some() {
        PROVIDER[0].store(image.range().start, Relaxed);
        PROVIDER[1].store(image.range().end, Relaxed);
    }
    for real in all().filter(|real| real.address.load(Relaxed) == 0) {
        real.take_from(image);
        real.was_at_start.store(real.address.load(Relaxed) != 0, Relaxed);
    }
}

fn all() -> impl Iterator<Item = &'static &'static Real> {
    #[cfg(feature = "hooks")]
    let more = crate::hooks::cxx::OPERATORS.iter().chain(crate::hooks::jemalloc::FUNCTIONS);
    #[cfg(not(feature = "hooks"))]
    let more = core::iter::empty();
    FUNCTIONS.iter().chain(more)
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
