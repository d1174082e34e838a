//! Which memory a thread may read as a stack.
//!
//! Where a thread's stack begins and ends is known to nobody for sure: there are coroutines, alternate stacks for signals,
//! stacks in segments, and stacks that grow. So the kernel is asked for each page, once, before it is read; a thread's
//! stack is soon known as far as it is used.

use crate::sys;

const PAGE: u64 = 4096;
/// Stacks of which a thread remembers that they can be read.
const RANGES: usize = 8;
/// Pages between two words of a stack that are asked for, to know that it is one stack: frames that are larger are rare.
const FARTHEST: u64 = 1024;

/// What is known to be readable: whole pages, the range that was used last first. All zeros is nothing.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Readable {
    ranges: [Range; RANGES],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u64,
    size: u64,
}

const NOTHING: Range = Range { start: 0, size: 0 };

impl Range {
    #[inline]
    fn has(self, address: u64) -> bool {
        address.wrapping_sub(self.start) < self.size
    }

    fn end(self) -> u64 {
        self.start + self.size
    }
}

impl Readable {
    /// Memory may have gone: all is asked for anew.
    pub(super) fn forget(&mut self) {
        self.ranges = [NOTHING; RANGES];
    }

    /// The word at an address, if it can be read and is aligned.
    #[inline]
    pub(super) fn word(&mut self, address: u64) -> Option<u64> {
        let is_known = self.ranges[0].has(address) || self.ask(address);
        // SAFETY: the page can be read, and the aligned word is all on it.
        (is_known && address.is_multiple_of(8)).then(|| unsafe { (address as *const u64).read_volatile() })
    }

    /// Whether two addresses are known to be of one stretch of memory.
    pub(super) fn is_one(&self, address: u64, other: u64) -> bool {
        self.ranges.iter().any(|range| range.has(address) && range.has(other))
    }

    #[cold]
    fn ask(&mut self, address: u64) -> bool {
        if let Some(at) = self.ranges.iter().position(|range| range.has(address)) {
            self.ranges[..=at].rotate_right(1);
            return true;
        }
        let page = address / PAGE * PAGE;
        if page == 0 || !sys::is_readable(page) {
            return false;
        }
        let first = self.ranges[0];
        if first.size != 0 && first.end() < page && page - first.end() < FARTHEST * PAGE {
            self.fill(first.end(), page);
        }
        self.add(page);
        true
    }

    /// Asks for the pages from the end of the first range on, as long as they can be read.
    fn fill(&mut self, start: u64, end: u64) {
        let mut page = start;
        while page < end && sys::is_readable(page) {
            page += PAGE;
        }
        self.ranges[0].size += page - start;
    }

    /// Adds a page in front, together with what it touches.
    fn add(&mut self, page: u64) {
        let mut whole = Range { start: page, size: PAGE };
        for range in &mut self.ranges {
            if range.size != 0 && (range.end() == whole.start || whole.end() == range.start) {
                whole = Range { start: whole.start.min(range.start), size: whole.size + range.size };
                *range = NOTHING;
            }
        }
        let free = self.ranges.iter().position(|range| range.size == 0).unwrap_or(RANGES - 1);
        self.ranges[..=free].rotate_right(1);
        self.ranges[0] = whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of a mapping, of which some are taken away.
    struct Pages(*mut u8, usize);

    impl Pages {
        fn new(count: usize) -> Pages {
            let size = count * PAGE as usize;
            Pages(sys::map(size).expect("there is memory"), size)
        }

        fn word(&self, page: u64, word: u64) -> u64 {
            self.0 as u64 + page * PAGE + word * 8
        }

        fn take_away(&self, page: u64) {
            // SAFETY: nobody refers to it. It stays mapped, so that nothing else comes to stand there.
            assert_eq!(unsafe { mprotect(self.word(page, 0) as *mut u8, PAGE as usize, 0) }, 0);
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: as above.
            unsafe { sys::unmap(self.0, self.1) };
        }
    }

    unsafe extern "C" {
        fn mprotect(start: *mut u8, size: usize, protection: i32) -> i32;
    }

    fn nothing() -> Readable {
        Readable { ranges: [NOTHING; RANGES] }
    }

    #[test]
    fn words_are_read_where_there_are_pages() {
        let pages = Pages::new(4);
        pages.take_away(3);
        // SAFETY: the second page is there.
        unsafe { (pages.word(1, 5) as *mut u64).write(77) };
        let mut memory = nothing();

        assert_eq!(memory.word(pages.word(1, 5)), Some(77));
        assert_eq!(memory.word(pages.word(2, 511)), Some(0));
        assert_eq!(memory.word(pages.word(3, 0)), None);
        assert_eq!(memory.word(pages.word(0, 0) + 4), None, "not aligned");
        for address in [0, 8, 4096, 1 << 47, u64::MAX - 7] {
            assert_eq!(memory.word(address), None, "{address:x}");
        }
    }

    #[test]
    fn a_stack_is_one_as_far_as_it_has_no_hole() {
        let pages = Pages::new(12);
        pages.take_away(8);
        let mut memory = nothing();
        for page in [6, 2, 4, 9] {
            assert_eq!(memory.word(pages.word(page, 1)), Some(0));
        }

        // From the second on upwards all were asked for; the ninth is beyond the hole.
        assert!(memory.is_one(pages.word(2, 0), pages.word(4, 3)));
        assert!(!memory.is_one(pages.word(6, 0), pages.word(9, 0)));
        assert!(!memory.is_one(pages.word(6, 0), pages.word(8, 0)));
        assert_eq!(memory.word(pages.word(3, 1)), Some(0));
        assert_eq!(memory.word(pages.word(5, 1)), Some(0));
        assert!(memory.is_one(pages.word(2, 0), pages.word(6, 3)));
    }

    #[test]
    fn more_stacks_than_are_remembered_can_be_read_all_the_same() {
        let pages = Pages::new(40);
        let mut memory = nothing();
        (1..40).step_by(2).for_each(|page| pages.take_away(page));

        for _ in 0..2 {
            assert!((0..40).step_by(2).all(|page| memory.word(pages.word(page, 2)) == Some(0)));
            assert!((1..40).step_by(2).all(|page| memory.word(pages.word(page, 2)).is_none()));
        }
        memory.forget();
        pages.take_away(38);
        assert_eq!(memory.word(pages.word(38, 2)), None);
    }
}
