//! Which memory a thread may read as a stack.
//!
//! Where a thread's stack begins and ends is known to nobody for sure: there are coroutines, alternate stacks for signals,
//! stacks in segments, and stacks that grow. So the kernel is asked for each page, once, before it is read; a thread's
//! stack is soon known as far as it is used.
//!
//! What the thread was seen to run on is a stack, and stays. Where else a walk may lead, by wrong unwind information or a
//! register that holds no frame pointer, is memory that may go at any time: it is asked for anew by each walk.

use crate::sys;

const PAGE: u64 = 4096;
/// Stacks of which a thread remembers that they can be read.
const RANGES: usize = 8;
/// Pages between two words of a stack that are asked for, to know that it is one stack: frames that are larger are rare.
const FARTHEST: u64 = 1024 * PAGE;

/// What is known to be readable, in whole pages. All zeros is nothing.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Readable {
    /// Stacks that the thread ran on, the one that was read last first.
    stacks: [Range; RANGES],
    /// What else this walk has read.
    stray: Range,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u64,
    size: u64,
}

const NOTHING: Range = Range { start: 0, size: 0 };

impl Range {
    fn page_of(address: u64) -> Range {
        Range { start: address / PAGE * PAGE, size: PAGE }
    }

    #[inline]
    fn has(self, address: u64) -> bool {
        address.wrapping_sub(self.start) < self.size
    }

    /// How far an address is off.
    fn distance(self, address: u64) -> u64 {
        match self.size {
            0 => u64::MAX,
            size if address >= self.start => (address - self.start).saturating_sub(size - 1),
            _ => self.start - address,
        }
    }
}

impl Readable {
    /// Memory may have gone: all is asked for anew.
    pub(super) fn forget(&mut self) {
        self.stacks = [NOTHING; RANGES];
    }

    /// Whether the thread ran on no other stack than on the one with this stack pointer. While it runs there that does not go.
    pub(super) fn is_only_stack(&self, sp: u64) -> bool {
        self.stacks[0].has(sp) && self.stacks[1].size == 0
    }

    /// A walk begins, from this stack pointer: what is there is a stack.
    #[inline]
    pub(super) fn begin(&mut self, sp: u64) {
        self.stray = NOTHING;
        if !self.stacks[0].has(sp) && !self.ask(sp) && is_there(sp) {
            self.add(Range::page_of(sp));
        }
    }

    /// Whether this walk read anything that was no stack of the thread's.
    #[inline]
    pub(super) fn strayed(&self) -> bool {
        self.stray.size != 0
    }

    /// The word at an address, if it can be read and is aligned.
    #[inline]
    pub(super) fn word(&mut self, address: u64) -> Option<u64> {
        let is_known = self.stacks[0].has(address) || self.ask(address) || self.stray(address);
        // SAFETY: the page can be read, and the aligned word is all on it.
        (is_known && address.is_multiple_of(8)).then(|| unsafe { (address as *const u64).read_volatile() })
    }

    /// Whether two addresses are known to be of one stretch of memory.
    pub(super) fn is_one(&self, address: u64, other: u64) -> bool {
        self.stacks.iter().any(|range| range.has(address) && range.has(other))
    }

    /// Whether an address is of a stack that is known, as far as that is known, or goes on without a hole.
    #[cold]
    #[inline(never)]
    fn ask(&mut self, address: u64) -> bool {
        let distances = self.stacks.iter().map(|stack| stack.distance(address)).enumerate();
        let Some((at, _)) =
            distances.min_by_key(|&(_, distance)| distance).filter(|&(_, nearest)| nearest < FARTHEST)
        else {
            return false;
        };
        self.stacks[..=at].rotate_right(1);
        self.extend(address);
        self.stacks[0].has(address)
    }

    /// Lets the first range reach an address, or as far as the pages up to there can be read.
    fn extend(&mut self, address: u64) {
        let Range { mut start, size } = self.stacks[0];
        let mut end = start + size;
        while address >= end && is_there(end) {
            end += PAGE;
        }
        while address < start && is_there(start - PAGE) {
            start -= PAGE;
        }
        self.stacks[0] = Range { start, size: end - start };
    }

    fn add(&mut self, page: Range) {
        self.stacks.rotate_right(1);
        self.stacks[0] = page;
    }

    #[cold]
    #[inline(never)]
    fn stray(&mut self, address: u64) -> bool {
        if !self.stray.has(address) && is_there(address) {
            self.stray = Range::page_of(address);
        }
        self.stray.has(address)
    }
}

fn is_there(address: u64) -> bool {
    address >= PAGE && sys::is_readable(address)
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
        Readable { stacks: [NOTHING; RANGES], stray: NOTHING }
    }

    #[test]
    fn words_are_read_where_there_are_pages() {
        let pages = Pages::new(4);
        pages.take_away(3);
        // SAFETY: the second page is there.
        unsafe { (pages.word(1, 5) as *mut u64).write(77) };
        let mut memory = nothing();
        memory.begin(pages.word(1, 0));

        assert_eq!(memory.word(pages.word(1, 5)), Some(77));
        assert_eq!(memory.word(pages.word(2, 511)), Some(0));
        assert_eq!(memory.word(pages.word(3, 0)), None);
        assert_eq!(memory.word(pages.word(0, 0) + 4), None, "not aligned");
        assert!(!memory.strayed());
        for address in [0, 8, 4096, 1 << 47, u64::MAX - 7] {
            memory.begin(address);
            assert_eq!(memory.word(address), None, "{address:x}");
        }
    }

    #[test]
    fn a_stack_is_one_as_far_as_it_has_no_hole() {
        let pages = Pages::new(12);
        pages.take_away(8);
        let mut memory = nothing();
        memory.begin(pages.word(6, 1));
        for page in [7, 2, 4] {
            assert_eq!(memory.word(pages.word(page, 1)), Some(0));
        }

        assert!(memory.is_one(pages.word(2, 0), pages.word(7, 3)));
        assert!(!memory.strayed());
        assert_eq!(memory.word(pages.word(9, 1)), Some(0), "beyond the hole");
        assert!(memory.strayed());
        assert!(!memory.is_one(pages.word(6, 0), pages.word(9, 0)));
        assert!(!memory.is_one(pages.word(6, 0), pages.word(8, 0)));
        memory.begin(pages.word(9, 1));
        assert_eq!(memory.word(pages.word(3, 1)), Some(0));
        assert!(!memory.strayed(), "the thread has run on both");
    }

    #[test]
    fn what_was_no_stack_is_asked_for_in_each_walk() {
        let (stack, other) = (Pages::new(1), Pages::new(2048));
        let far = other.word(1500, 3);
        let mut memory = nothing();

        memory.begin(stack.word(0, 4));
        assert_eq!(memory.word(far), Some(0));
        assert!(memory.strayed());
        other.take_away(1500);
        memory.begin(stack.word(0, 4));
        assert!(!memory.strayed());
        assert_eq!(memory.word(far), None);
    }

    #[test]
    fn more_stacks_than_are_remembered_can_be_read_all_the_same() {
        let pages = Pages::new(40);
        let mut memory = nothing();
        (1..40).step_by(2).for_each(|page| pages.take_away(page));

        for page in (0..40).step_by(2).chain((0..40).step_by(2)) {
            memory.begin(pages.word(page, 7));
            assert!((0..40).step_by(2).all(|page| memory.word(pages.word(page, 2)) == Some(0)));
            assert!((1..40).step_by(2).all(|page| memory.word(pages.word(page, 2)).is_none()));
        }
        memory.forget();
        pages.take_away(38);
        memory.begin(pages.word(38, 2));
        assert_eq!(memory.word(pages.word(38, 2)), None);
    }
}
