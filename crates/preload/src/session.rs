//! The session that a program finds itself in: its folder, named by the environment.

use core::ffi::{CStr, c_char};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use residue_recording::wire::{
    CONTROL_FILE, Control, Layout, MAGIC, SEGMENT_PREFIX, SESSION_VARIABLE, VERSION,
};

use crate::elf;
use crate::process::{self, Recording};
use crate::ring::ring_doorbell;
use crate::segment::Segment;
use crate::sys::{self, Errno, File, Resource};
use crate::weak::weak;

/// So many rings has a segment when nothing forbids.
const RINGS: u64 = 1024;
/// A segment takes no more of a limited address space than one part in so many.
const SHARE: u64 = 8;
/// So many programs may have run in one process by `exec`.
const IMAGES: u32 = 10_000;
const LONGEST_PATH: usize = 512;

/// The environment of the program: pointers to `NAME=value`, the last one null.
pub type Environment = *mut *mut c_char;

/// The environment; `None` while it is not known. Before the C library has it, it is where the kernel put it: then only
/// code other than the loader's may ask, for the loader allocates before all is ready.
pub fn environment(asking: Option<usize>) -> Option<Environment> {
    let environ = weak!("environ").cast::<Environment>();
    if environ.is_null() {
        return None;
    }
    // SAFETY: the C library's variable.
    let known = Some(unsafe { *environ }).filter(|environment| !environment.is_null());
    known.or_else(|| first_environment(asking?))
}

/// The environment as the kernel put it behind the arguments.
#[cold]
fn first_environment(asking: usize) -> Option<Environment> {
    let start = weak!("__libc_stack_end").cast::<*mut usize>();
    if start.is_null() || elf::is_same_image(start as usize, asking) {
        return None;
    }
    // SAFETY: the loader's variable, which it sets before all else: there stand the number of arguments, the arguments
    // and a null, then the environment.
    unsafe {
        let arguments = (*start).as_ref()?;
        Some((*start).add(1 + arguments + 1).cast())
    }
}

/// Opens the session that the environment names and makes a segment in it. `None`: there is none, or it cannot be made.
pub fn open(environment: Environment) -> Option<Recording> {
    let folder = unsafe { value(environment, SESSION_VARIABLE.as_bytes()) }?;
    let mut path = Path::of(folder)?;
    path.set(CONTROL_FILE, &[])?;
    let file = File::open(path.as_c_str(), sys::READ_WRITE).ok()?;
    let control = file.map(size_of::<Control>()).ok()?;
    drop(file);
    // SAFETY: mapped for good, a page; any bits are valid.
    let control = unsafe { &*control.cast::<Control>() };
    let is_it = control.magic.load(Acquire) == MAGIC && control.version.load(Relaxed) == VERSION;
    if !is_it || control.stopped.load(Relaxed) != 0 {
        return None;
    }
    let recording = make_segment(&mut path, control);
    let counter = if recording.is_some() { &control.segments } else { &control.refused };
    counter.fetch_add(1, AcqRel);
    ring_doorbell(control);
    recording
}

fn make_segment(path: &mut Path, control: &'static Control) -> Option<Recording> {
    let rings = affordable_rings()?;
    let file = create(path)?;
    let segment = fill(&file, rings);
    if segment.is_none() {
        // A collector that maps it would find no memory behind it.
        let _ = file.set_length(0);
    }
    Some(Recording { segment: segment?, control, interval: control.sample_interval.load(Relaxed) })
}

fn fill(file: &File, rings: u32) -> Option<Segment> {
    let layout = Layout::of(rings);
    file.set_length(layout.size).ok()?;
    let base = file.map(layout.size).ok()?;
    // A core of the program must not grow by it; where the kernel cannot, it does.
    let _ = sys::advise(base, layout.size, sys::ADVICE_DONT_DUMP);
    // Touching what has no memory behind it would end the program.
    let is_ours = sys::allow(base.wrapping_add(layout.rings), layout.size - layout.rings, false)
        && sys::populate(base, layout.modules);
    let Some(segment) = process::segment_at(base, rings).filter(|_| is_ours) else {
        // SAFETY: just mapped, and nobody knows of it.
        unsafe { sys::unmap(base, layout.size) };
        return None;
    };
    let header = segment.header();
    header.version.store(VERSION, Relaxed);
    header.rings.store(rings, Relaxed);
    header.magic.store(MAGIC, Release);
    Some(segment)
}

fn create(path: &mut Path) -> Option<File> {
    let pid = sys::process_id();
    for number in 0..IMAGES {
        path.set(SEGMENT_PREFIX, &[pid, number])?;
        match File::open(path.as_c_str(), sys::READ_WRITE | sys::CREATE_NEW) {
            Err(Errno::EXISTS) => {}
            file => return file.ok(),
        }
    }
    None
}

/// Fewer where the address space or the size of files is limited: the program is to have the rest.
fn affordable_rings() -> Option<u32> {
    let space = sys::limit(Resource::AddressSpace).map_or(u64::MAX, |limit| limit / SHARE);
    let file = sys::limit(Resource::FileSize).unwrap_or(u64::MAX);
    let (fixed, ring) = (Layout::of(0).size as u64, (Layout::of(1).size - Layout::of(0).size) as u64);
    let rings = space.min(file).checked_sub(fixed)? / ring;
    u32::try_from(rings.min(RINGS)).ok().filter(|&rings| rings != 0)
}

/// Takes us out of the environment, so that programs which this one starts are not recorded. In place: nothing is allocated.
pub fn hide(environment: Environment) {
    // SAFETY: the program's environment, before `main`.
    unsafe {
        remove(environment, SESSION_VARIABLE.as_bytes());
        if let Some(list) = value(environment, b"LD_PRELOAD") {
            // Ours is the first; spaces part them too.
            let length = list.to_bytes().len();
            let end =
                list.to_bytes().iter().position(|byte| b": ".contains(byte)).map_or(length, |end| end + 1);
            if end == length {
                remove(environment, b"LD_PRELOAD");
            } else {
                let start = list.as_ptr().cast_mut();
                start.copy_from(start.add(end), length - end + 1);
            }
        }
    }
}

unsafe fn remove(environment: Environment, name: &[u8]) {
    // SAFETY: as the caller says.
    unsafe {
        let mut to = environment;
        let mut from = environment;
        while !(*from).is_null() {
            if value_of(*from, name).is_none() {
                *to = *from;
                to = to.add(1);
            }
            from = from.add(1);
        }
        *to = core::ptr::null_mut();
    }
}

unsafe fn value(environment: Environment, name: &[u8]) -> Option<&'static CStr> {
    let mut at = environment;
    // SAFETY: as the caller says.
    unsafe {
        while !(*at).is_null() {
            if let Some(value) = value_of(*at, name) {
                return Some(value);
            }
            at = at.add(1);
        }
    }
    None
}

unsafe fn value_of(entry: *const c_char, name: &[u8]) -> Option<&'static CStr> {
    // SAFETY: an entry of the environment, which ends with a zero.
    let entry = unsafe { CStr::from_ptr(entry) };
    let is_it = entry.to_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="));
    // SAFETY: the rest of the same text.
    is_it.then(|| unsafe { CStr::from_ptr(entry.as_ptr().add(name.len() + 1)) })
}

/// A path within the session's folder, without an allocation.
struct Path {
    bytes: [u8; LONGEST_PATH],
    folder: usize,
}

impl Path {
    fn of(folder: &CStr) -> Option<Path> {
        let mut bytes = [0; LONGEST_PATH];
        let folder = folder.to_bytes();
        bytes.get_mut(..folder.len())?.copy_from_slice(folder);
        Some(Path { bytes, folder: folder.len() })
    }

    /// Names a file of the folder: a word, then numbers with `-` between them.
    fn set(&mut self, word: &str, numbers: &[u32]) -> Option<()> {
        let mut end = self.folder;
        let mut add = |byte: u8| {
            *self.bytes.get_mut(end)? = byte;
            end += 1;
            Some(())
        };
        add(b'/')?;
        word.bytes().try_for_each(&mut add)?;
        for (place, &number) in numbers.iter().enumerate() {
            if place > 0 {
                add(b'-')?;
            }
            let mut power = 1_000_000_000;
            while power > 0 {
                if number >= power || power == 1 {
                    add(b'0' + (number / power % 10) as u8)?;
                }
                power /= 10;
            }
        }
        add(0)
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}
