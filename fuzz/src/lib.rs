//! What the fuzz targets share: foreign input cut into awkward pieces, a plain second opinion on fields, and a bound
//! on memory.

pub mod dump;
pub mod heaps;
pub mod symbols;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

use residue_model::{Bytes, Counter, Counters};

/// Gives at most `step` bytes a read: what a parser says must not depend on how its input is cut.
pub struct Drip<'a> {
    text: &'a [u8],
    step: usize,
}

impl Drip<'_> {
    /// `text` in pieces of 1 to 97 bytes, a size that the text itself picks.
    pub fn of(text: &[u8]) -> Drip<'_> {
        let step = 1 + text.iter().map(|&byte| usize::from(byte)).sum::<usize>() % 97;
        Drip { text, step }
    }
}

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.step.min(into.len()).min(self.text.len());
        let (now, later) = self.text.split_at(count);
        into[..count].copy_from_slice(now);
        self.text = later;
        Ok(count)
    }
}

/// The counters that a block of fields spells out, read the slow way: every line, every key, nothing learned.
///
/// `None` when a known key has no number. Of a key that stands twice the last one counts.
pub fn counters<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Option<Counters> {
    let mut counters = Counters::default();
    for line in fields {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        if let Some(counter) = Counter::from_key(&line[..colon]) {
            counters.set(counter, Bytes::kib(number(&line[colon + 1..])?));
        }
    }
    Some(counters)
}

fn number(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&value[..digits]).ok()?.parse().ok()
}

/// The counters that were read, by name.
pub fn known(counters: &Counters) -> Vec<(Counter, Bytes)> {
    Counter::ALL.iter().filter_map(|&counter| Some((counter, counters.get(counter)?))).collect()
}

/// Lines as the parsers count them: a last line without its end is one, nothing after the last end is none.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

/// Whether a terminal would print it as it stands.
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Panics when more than a share of what a hostile file could ask for is held at once.
///
/// libFuzzer's own bound is 2 GiB: a parser that believes a length field would pass below it.
pub struct Bounded;

/// Far above what any target needs for 64 KiB of input, of which gzip can make 64 MiB that pass through.
const MOST: usize = 64 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; only a number is kept beside.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        hold(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(place, layout, size) }
    }
}

fn hold(size: usize) {
    let held = HELD.fetch_add(size, Ordering::Relaxed) + size;
    if held > MOST {
        // No panic: its message would allocate.
        eprintln!("more than {MOST} bytes are held at once");
        std::process::abort();
    }
}
