//! The images that a process has loaded: which one is an address in?

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::{MaybeUninit, transmute};
use core::ops::Range;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, fence};

use super::elf;
use crate::weak::weak;

/// Images of which more are not remembered where the C library does not tell them.
const MOST: usize = 1024;
const EH_FRAME: u32 = 0x6474_e550;
const PAGE: u64 = 4096;
const AT_PHDR: u64 = 3;

/// An image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) bias: u64,
    /// As the loader calls it; empty for the program itself.
    pub(super) name: *const c_char,
    /// The sorted table over its unwind information; 0 when it has none.
    pub(super) eh_frame_header: u64,
}

impl Object {
    pub(super) fn name(&self) -> &CStr {
        // SAFETY: the loader keeps the name while the image is loaded, which it is while code of it is on a stack.
        if self.name.is_null() { c"" } else { unsafe { CStr::from_ptr(self.name) } }
    }
}

/// The image that an address is in, told by the C library without locks; None too where it cannot.
pub(super) fn find(address: u64) -> Option<Object> {
    let ask = find_object()?;
    let mut found = MaybeUninit::<Found>::uninit();
    // SAFETY: the function is the C library's; it fills the answer when it returns 0.
    let found = unsafe {
        if ask(address as *mut c_void, found.as_mut_ptr()) != 0 {
            return None;
        }
        found.assume_init()
    };
    // SAFETY: the loader keeps it while the image is loaded.
    let link = unsafe { &*found.link };
    let Range { start, end } = extent(link, address).unwrap_or(found.start as u64..found.end as u64);
    Some(Object {
        start,
        end,
        bias: link.bias,
        name: link.name,
        eh_frame_header: found.eh_frame_header as u64,
    })
}

/// The whole range of an image, by its own headers: of one that has holes the C library tells the part that an address is in.
fn extent(link: &LinkMap, address: u64) -> Option<Range<u64>> {
    let start = match link.bias {
        0 => auxiliary(AT_PHDR) / PAGE * PAGE, // A program at the addresses that its file says.
        bias => bias,
    };
    elf::extent(elf::segments(start), link.bias).filter(|extent| extent.contains(&address))
}

/// What the kernel told the program when it started it; 0 when it did not tell this.
pub(super) fn auxiliary(kind: u64) -> u64 {
    let getauxval = weak!("getauxval");
    if getauxval.is_null() {
        return 0;
    }
    // SAFETY: it has this form in every C library.
    let getauxval: unsafe extern "C" fn(u64) -> u64 = unsafe { core::mem::transmute(getauxval) };
    // SAFETY: it reads what the kernel left for the program.
    unsafe { getauxval(kind) }
}

/// Whether the C library tells images without locks: glibc from 2.35 on.
pub(super) fn are_told() -> bool {
    find_object().is_some()
}

/// `struct dl_find_object` of glibc on `x86_64`.
#[repr(C)]
struct Found {
    flags: u64,
    start: *const c_void,
    end: *const c_void,
    link: *const LinkMap,
    eh_frame_header: *const c_void,
    reserved: [u64; 7],
}

#[repr(C)]
struct LinkMap {
    bias: u64,
    name: *const c_char,
}

type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;

fn find_object() -> Option<FindObject> {
    let address = weak!("_dl_find_object");
    // SAFETY: the function has this form; a null address is `None`.
    unsafe { transmute(address) }
}

/// The images of a process whose C library does not tell them by address, as they stood when they were last looked at.
#[derive(Debug)]
pub(super) struct Remembered {
    /// Odd while the list is written.
    version: AtomicU32,
    /// How often to look was asked for since somebody began to.
    asked: AtomicU32,
    list: UnsafeCell<List>,
}

#[derive(Debug)]
struct List {
    count: usize,
    objects: [MaybeUninit<Object>; MOST],
}

// SAFETY: whoever reads the list sees by the version when it was being written; one thread writes at a time.
unsafe impl Sync for Remembered {}

impl Remembered {
    pub(super) const fn new() -> Remembered {
        let list = UnsafeCell::new(List { count: 0, objects: [MaybeUninit::uninit(); MOST] });
        Remembered { version: AtomicU32::new(0), asked: AtomicU32::new(0), list }
    }

    /// Looks at what is loaded. Takes the loader's lock, as `dlclose` does: never to be called from where stacks are captured.
    pub(super) fn look(&self) {
        if self.asked.fetch_add(1, AcqRel) != 0 {
            return; // Who is at it looks once more.
        }
        let mut seen = 1;
        loop {
            self.version.fetch_add(1, Acquire);
            fence(Release);
            // SAFETY: only who found 0 in `asked` is here, and the callback gets the list that it expects.
            unsafe {
                (*self.list.get()).count = 0;
                dl_iterate_phdr(remember, self.list.get().cast());
            }
            self.version.fetch_add(1, Release);
            match self.asked.compare_exchange(seen, 0, AcqRel, Acquire) {
                Ok(_) => return,
                Err(more) => seen = more,
            }
        }
    }

    /// In a child after `fork`, whose other threads are gone: if one of them was looking, nothing is remembered until
    /// somebody looks again.
    pub(super) fn forked(&self) {
        if self.asked.swap(0, AcqRel) != 0 {
            // SAFETY: there is no other thread.
            unsafe { (*self.list.get()).count = 0 };
            self.version.store(self.version.load(Relaxed).next_multiple_of(2), Release);
        }
    }

    /// The image that an address is in. None too while the list is written.
    pub(super) fn find(&self, address: u64) -> Option<Object> {
        let version = self.version.load(Acquire);
        if !version.is_multiple_of(2) {
            return None;
        }
        let list = self.list.get();
        // SAFETY: what is read while another thread writes is thrown away below; numbers stay within the array.
        let found = unsafe {
            let count = (&raw const (*list).count).read_volatile().min(MOST);
            let objects = (&raw const (*list).objects).cast::<Object>();
            (0..count)
                .map(|at| objects.add(at).read_volatile())
                .find(|object| (object.start..object.end).contains(&address))
        };
        fence(Acquire);
        found.filter(|_| self.version.load(Relaxed) == version)
    }
}

#[repr(C)]
struct Info {
    bias: u64,
    name: *const c_char,
    segments: *const elf::Segment,
    count: u16,
}

unsafe extern "C" {
    fn dl_iterate_phdr(
        callback: unsafe extern "C" fn(*const Info, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}

unsafe extern "C" fn remember(info: *const Info, _: usize, list: *mut c_void) -> c_int {
    // SAFETY: the loader gives a valid description, and passes on the list that `look` gave it.
    let (info, list) = unsafe { (&*info, &mut *list.cast::<List>()) };
    // SAFETY: so many headers stand there.
    let segments = unsafe { core::slice::from_raw_parts(info.segments, info.count.into()) };
    let Some(Range { start, end }) = elf::extent(segments, info.bias) else { return 0 };
    let Some(place) = list.objects.get_mut(list.count) else { return 1 };
    let eh_frame_header = elf::address_of(segments, info.bias, EH_FRAME).unwrap_or(0);
    place.write(Object { start, end, bias: info.bias, name: info.name, eh_frame_header });
    list.count += 1;
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the C library does not tell images by address, what the list of them says must be the same.
    #[test]
    fn images_are_remembered_as_the_c_library_tells_them() {
        let remembered = Remembered::new();
        let own = images_are_remembered_as_the_c_library_tells_them as *const () as u64;
        assert_eq!(remembered.find(own), None);

        remembered.look();

        for address in [own, std::process::abort as *const () as u64, dl_iterate_phdr as *const () as u64] {
            let told = find(address).expect("glibc of at least 2.35 tells");
            let found = remembered.find(address).expect("it was loaded");
            assert_eq!((told.start, told.end, told.bias), (found.start, found.end, found.bias));
            assert_eq!((told.eh_frame_header, told.name()), (found.eh_frame_header, found.name()));
        }
        assert_eq!(remembered.find(&raw const remembered as u64), None);
        assert_eq!(find(&raw const remembered as u64), None);
    }

    /// `fork` may find another thread at it, which is not in the child.
    #[test]
    fn a_child_can_look_again_whatever_stopped_its_parent() {
        let remembered = Remembered::new();
        let own = remember as *const () as u64;
        remembered.look();
        remembered.asked.store(1, Relaxed);
        remembered.version.fetch_add(1, Relaxed);
        assert_eq!(remembered.find(own), None);

        remembered.forked();
        assert_eq!(remembered.find(own), None);
        remembered.look();
        assert!(remembered.find(own).is_some());
    }
}
