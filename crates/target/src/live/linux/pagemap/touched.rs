//! Which pages of a stopped process are there: in one go, since nobody waits for the lock.

use std::io;
use std::os::unix::fs::FileExt;

use residue_model::{Address, Range};

use super::Pagemap;
use super::scan::{FILE, GUARD, PageRegion, ScanRequest, ZERO, scan};
use super::shares::Entry;

/// Which pages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live::linux) enum Which {
    /// All that are in memory or swapped out.
    Touched,
    /// Those of them that are the process's own copies, not the file's.
    Modified,
}

/// Pages in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live::linux) struct Stretch {
    pub(in crate::live::linux) range: Range,
    /// Pages that a program made unusable inside a usable region, as far as this kernel tells them: no memory.
    pub(in crate::live::linux) is_guard: bool,
}

/// Without `PAGEMAP_SCAN` each page costs a look, there or not: more are not looked at while a process is stopped.
const LOOKED_AT: u64 = 16 << 20;

impl Pagemap {
    /// The pages in `range` that are there, in order. The page of zeros that stands for all memory only ever read is not.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when the kernel can only tell page by page and the range is too large for that.
    pub(in crate::live::linux) fn touched(&mut self, range: Range, which: Which) -> io::Result<Vec<Stretch>> {
        let mut runs = Vec::new();
        while self.scans {
            match self.scan_all(range, which, &mut runs) {
                Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => self.scans = false,
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) && self.excluded != ZERO => {
                    self.excluded = ZERO;
                }
                other => return other.map(|()| runs),
            }
            runs.clear();
        }
        self.look_at_all(range, which, &mut runs)?;
        Ok(runs)
    }

    fn scan_all(&self, range: Range, which: Which, runs: &mut Vec<Stretch>) -> io::Result<()> {
        // Guards are wanted here, since what is not found passes for zeros.
        let guard = self.excluded & GUARD;
        let excluded = if which == Which::Modified { ZERO | FILE } else { ZERO };
        let mut found = [PageRegion::default(); 512];
        let mut start = range.start.0;
        while start < range.end.0 {
            let mut request = ScanRequest::of(start, range.end.0, excluded, &mut found);
            request.max_pages = 0;
            request.return_mask |= guard;
            let count = scan(&self.file, &mut request)?;
            for region in &found[..count] {
                add(runs, region.run().range, region.is_guard());
            }
            if request.walk_end <= start {
                break;
            }
            start = request.walk_end;
        }
        Ok(())
    }

    fn look_at_all(&self, range: Range, which: Which, runs: &mut Vec<Stretch>) -> io::Result<()> {
        let page = self.page_size_bytes;
        let (mut at, end) = (range.start.0 / page, range.end.0 / page);
        if end - at > LOOKED_AT {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut buffer = vec![0_u8; 64 * 1024];
        while at < end {
            let wanted = usize::try_from((end - at) * 8).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.file.read_at(&mut buffer[..wanted], at * 8)?;
            if read < 8 {
                break;
            }
            for entry in buffer[..read].chunks_exact(8) {
                let entry = Entry(u64::from_ne_bytes(entry.try_into().expect("eight bytes")));
                let own = which == Which::Touched || !entry.is_file();
                if own && (entry.is_present() || entry.is_swapped()) {
                    add(runs, Range { start: Address(at * page), end: Address((at + 1) * page) }, false);
                }
                at += 1;
            }
        }
        Ok(())
    }
}

/// Adds a run; one that begins where the last ends makes it longer.
fn add(runs: &mut Vec<Stretch>, range: Range, is_guard: bool) {
    match runs.last_mut() {
        Some(last) if last.range.end == range.start && last.is_guard == is_guard => {
            last.range.end = range.end;
        }
        _ => runs.push(Stretch { range, is_guard }),
    }
}

#[cfg(test)]
mod tests {
    use residue_model::ProcessId;

    use super::*;
    use crate::live::linux::ProcDir;

    fn ours() -> Pagemap {
        let proc_dir = ProcDir::open().expect("tests run where /proc is mounted");
        Pagemap::open(&proc_dir, ProcessId(std::process::id())).expect("our own")
    }

    /// Eight pages of which two were written: both ways of asking must name the same two.
    #[test]
    fn both_ways_name_the_pages_that_were_written() {
        let mut map = memmap2::MmapMut::map_anon(8 * 4096).expect("memory is there");
        let _ = map.advise(memmap2::Advice::NoHugePage);
        (map[4096], map[5 * 4096]) = (1, 1);
        let start = map.as_ptr() as u64;
        let range = Range { start: Address(start), end: Address(start + 8 * 4096) };
        let page = |number: u64| {
            let (start, end) = (Address(start + number * 4096), Address(start + (number + 1) * 4096));
            Stretch { range: Range { start, end }, is_guard: false }
        };
        for scans in [true, false] {
            let mut pagemap = ours();
            pagemap.scans = scans;
            assert_eq!(pagemap.touched(range, Which::Touched).expect("it reads"), [page(1), page(5)]);
            assert_eq!(pagemap.touched(range, Which::Modified).expect("it reads"), [page(1), page(5)]);
        }
    }

    #[test]
    fn too_large_a_range_is_not_looked_at_page_by_page() {
        let mut pagemap = ours();
        pagemap.scans = false;
        let range = Range { start: Address(1 << 40), end: Address(1 << 44) };
        let error = pagemap.touched(range, Which::Touched).expect_err("it would take minutes");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
