//! Whose a page is: entries of `/proc/PID/pagemap`, and how often the kernel counts a page as mapped.

use std::fs::File;
use std::os::unix::fs::FileExt;

use residue_model::Bytes;

/// One entry of `/proc/PID/pagemap`.
#[derive(Clone, Copy)]
pub(super) struct Entry(pub(super) u64);

impl Entry {
    pub(super) fn is_present(self) -> bool {
        self.0 >> 63 & 1 == 1
    }

    pub(super) fn is_swapped(self) -> bool {
        self.0 >> 62 & 1 == 1
    }

    /// A page of a file or of shared memory. Since Linux 3.5.
    pub(super) fn is_file(self) -> bool {
        self.0 >> 61 & 1 == 1
    }

    /// Mapped by this process only. Since Linux 4.2.
    fn is_exclusive(self) -> bool {
        self.0 >> 56 & 1 == 1
    }

    /// The physical page; 0 without `CAP_SYS_ADMIN`.
    fn frame(self) -> u64 {
        self.0 & ((1 << 55) - 1)
    }
}

/// Sums pages of a region by how many processes share them.
pub(super) struct Shares<'a> {
    counts: Option<&'a File>,
    unique: u64,
    /// Pages divided by their sharers, in 2⁻¹² of a page as the kernel does.
    divided: u64,
    unknown: bool,
    /// A window of the kernel's table: neighbours in a file are often neighbours in memory.
    window: [u8; 64 * 8],
    window_start: u64,
    window_length: u64,
}

impl<'a> Shares<'a> {
    pub(super) fn new(counts: Option<&'a File>) -> Shares<'a> {
        Shares {
            counts,
            unique: 0,
            divided: 0,
            unknown: false,
            window: [0; 512],
            window_start: 0,
            window_length: 0,
        }
    }

    pub(super) fn begin(&mut self) {
        (self.unique, self.divided, self.unknown) = (0, 0, false);
    }

    pub(super) fn add(&mut self, entry: Entry) {
        if !entry.is_present() {
            return;
        }
        if entry.is_exclusive() {
            self.unique += 1;
            return;
        }
        match self.mapped(entry.frame()) {
            Some(count) => self.divided += (1 << 12) / count.max(1),
            None => self.unknown = true,
        }
    }

    fn mapped(&mut self, frame: u64) -> Option<u64> {
        let counts = self.counts?;
        if frame == 0 {
            return None;
        }
        if !(self.window_start..self.window_start + self.window_length).contains(&frame) {
            let read = counts.read_at(&mut self.window, frame * 8).ok()?;
            (self.window_start, self.window_length) = (frame, (read / 8) as u64);
        }
        let place = usize::try_from(frame.checked_sub(self.window_start)?).ok()? * 8;
        Some(u64::from_ne_bytes(self.window.get(place..place + 8)?.try_into().ok()?))
    }

    pub(super) fn unique(&self, page_size_bytes: u64) -> Bytes {
        Bytes(self.unique * page_size_bytes)
    }

    pub(super) fn proportional(&self, page_size_bytes: u64) -> Option<Bytes> {
        let known = self.counts.is_some() && !self.unknown;
        known.then(|| Bytes(self.unique * page_size_bytes + ((self.divided * page_size_bytes) >> 12)))
    }
}
