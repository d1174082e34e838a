//! The next definition of a function: what `dlsym(RTLD_NEXT, …)` gives, without what that allocates, locks and complains of.
//!
//! Source: System V gABI, dynamic section and hash table; the GNU hash table as in binutils, `bfd/elflink.c`.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ops::Range;
use core::ptr;

use crate::weak::weak;

/// `dl_phdr_info`, as far as it is looked at.
#[repr(C)]
struct Info {
    bias: usize,
    name: *const c_char,
    headers: *const ProgramHeader,
    count: u16,
}

#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: usize,
    address: usize,
    physical: usize,
    file_size: usize,
    memory_size: usize,
    alignment: usize,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_GNU_HASH: usize = 0x6fff_fef5;
const STT_FUNC: u8 = 2;

#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: usize,
    size: usize,
}

/// A loaded image, as the loader keeps it.
#[derive(Clone, Copy)]
pub struct Image {
    bias: usize,
    start: usize,
    end: usize,
    symbols: *const Symbol,
    names: *const c_char,
    gnu: *const u32,
    system_v: *const u32,
}

/// Shows all images to `see`, in the order in which symbols are looked for, until it says that it has seen enough.
pub fn each_image(see: &mut dyn FnMut(&Image) -> bool) {
    type Callback<'a> =
        unsafe extern "C" fn(*const Info, usize, *mut &'a mut dyn FnMut(&Image) -> bool) -> c_int;
    unsafe extern "C" fn one(info: *const Info, _: usize, see: *mut &mut dyn FnMut(&Image) -> bool) -> c_int {
        // SAFETY: the loader gives a description of an image that is loaded, and hands through what it was given.
        unsafe { Image::of(&*info).is_some_and(|image| (*see)(&image)).into() }
    }

    let iterate = weak!("dl_iterate_phdr");
    if iterate.is_null() {
        return;
    }
    // SAFETY: it has this form in every C library.
    let iterate: unsafe extern "C" fn(Callback<'_>, *mut c_void) -> c_int =
        unsafe { core::mem::transmute(iterate) };
    let mut see = see;
    // SAFETY: `see` lives longer than the call.
    unsafe { iterate(one, (&raw mut see).cast()) };
}

/// Whether two addresses are of the same image.
pub fn is_same_image(one: usize, other: usize) -> bool {
    let mut is_same = false;
    each_image(&mut |image| {
        let is_there = image.range().contains(&one);
        is_same |= is_there && image.range().contains(&other);
        is_there
    });
    is_same
}

impl Image {
    /// None: it has no dynamic symbols.
    unsafe fn of(info: &Info) -> Option<Image> {
        let mut image = Image {
            bias: info.bias,
            start: usize::MAX,
            end: 0,
            symbols: ptr::null(),
            names: ptr::null(),
            gnu: ptr::null(),
            system_v: ptr::null(),
        };
        let mut dynamic = ptr::null();
        for number in 0..info.count {
            // SAFETY: the loader says that there are so many.
            let header = unsafe { &*info.headers.add(number.into()) };
            let start = info.bias.wrapping_add(header.address);
            match header.kind {
                PT_LOAD => {
                    image.start = image.start.min(start);
                    image.end = image.end.max(start + header.memory_size);
                }
                PT_DYNAMIC => dynamic = ptr::with_exposed_provenance(start),
                _ => {}
            }
        }
        // SAFETY: the image's dynamic section.
        unsafe { image.read(dynamic) };
        (!image.symbols.is_null() && !image.names.is_null()).then_some(image)
    }

    unsafe fn read(&mut self, mut dynamic: *const [usize; 2]) {
        if dynamic.is_null() {
            return;
        }
        // SAFETY: a dynamic section ends with a row of kind 0.
        while let [kind @ 1..=usize::MAX, value] = unsafe { *dynamic } {
            // Glibc has made addresses of them, except in what is read-only; musl leaves them alone.
            let address = if value < self.bias { self.bias + value } else { value };
            match kind {
                DT_HASH => self.system_v = ptr::with_exposed_provenance(address),
                DT_STRTAB => self.names = ptr::with_exposed_provenance(address),
                DT_SYMTAB => self.symbols = ptr::with_exposed_provenance(address),
                DT_GNU_HASH => self.gnu = ptr::with_exposed_provenance(address),
                _ => {}
            }
            // SAFETY: as above.
            dynamic = unsafe { dynamic.add(1) };
        }
    }

    /// Where it stands.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The address of the function that it defines by this name.
    pub fn function(&self, name: &CStr) -> Option<usize> {
        // SAFETY: the tables are those of a loaded image.
        unsafe { if self.gnu.is_null() { self.by_system_v(name) } else { self.by_gnu(name) } }
    }

    unsafe fn by_gnu(&self, name: &CStr) -> Option<usize> {
        let hash = name
            .to_bytes()
            .iter()
            .fold(5381_u32, |hash, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()));
        // SAFETY: the form of the table; a chain ends with an odd hash.
        unsafe {
            let [buckets, first, words, shift] = *self.gnu.cast::<[u32; 4]>();
            let filter = self.gnu.add(4).cast::<u64>();
            let word = *filter.add(((hash / 64) & (words - 1)) as usize);
            if word >> (hash % 64) & word >> ((hash >> shift) % 64) & 1 == 0 {
                return None;
            }
            let bucket = filter.add(words as usize).cast::<u32>();
            let mut index = *bucket.add((hash % buckets) as usize);
            if index < first {
                return None;
            }
            let chain = bucket.add(buckets as usize);
            loop {
                let other = *chain.add((index - first) as usize);
                if other | 1 == hash | 1
                    && let Some(address) = self.defined(index, name)
                {
                    return Some(address);
                }
                if other & 1 == 1 {
                    return None;
                }
                index += 1;
            }
        }
    }

    unsafe fn by_system_v(&self, name: &CStr) -> Option<usize> {
        if self.system_v.is_null() {
            return None;
        }
        let hash = name.to_bytes().iter().fold(0_u32, |hash, &byte| {
            let hash = (hash << 4).wrapping_add(byte.into());
            (hash ^ (hash & 0xf000_0000) >> 24) & 0x0fff_ffff
        });
        // SAFETY: the form of the table; a chain ends with 0.
        unsafe {
            let [buckets, _] = *self.system_v.cast::<[u32; 2]>();
            let bucket = self.system_v.add(2);
            let chain = bucket.add(buckets as usize);
            let mut index = *bucket.add((hash % buckets) as usize);
            while index != 0 {
                if let Some(address) = self.defined(index, name) {
                    return Some(address);
                }
                index = *chain.add(index as usize);
            }
        }
        None
    }

    unsafe fn defined(&self, index: u32, name: &CStr) -> Option<usize> {
        // SAFETY: the index is of the image's own table.
        let symbol = unsafe { &*self.symbols.add(index as usize) };
        // SAFETY: names end with a zero.
        let is_it = || unsafe { CStr::from_ptr(self.names.add(symbol.name as usize)) } == name;
        let is_defined = symbol.section != 0 && symbol.info & 15 == STT_FUNC;
        (is_defined && is_it()).then(|| self.bias.wrapping_add(symbol.value))
    }
}
