//! Which memory of a process is copied: what it may read and has touched, as far as it can hold a pointer to a block.

use std::io;

use residue_model::{Bytes, Gap, ProcessId, Range};

use crate::live::linux::ProcDir;
use crate::live::linux::dump::treatment::{is_anonymous, is_device};
use crate::live::linux::map::{Map, Place, WishList, Wishes};
use crate::live::linux::pagemap::{Pagemap, Stretch, Which};
use crate::{Error, Result, Stillness};

/// What is copied, in order of address.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) runs: Vec<Range>,
    pub(super) gaps: Vec<Gap>,
}

/// Between touched pages of a file, a run of others shorter than this is copied along: a data segment stays whole.
const SHORT: u64 = 64 * 1024;

impl Choice {
    /// Looks at the page table of a process.
    ///
    /// # Errors
    /// When it may not be read.
    pub(super) fn of(
        proc_dir: &ProcDir,
        pid: ProcessId,
        map: &Map,
        wishes: &WishList,
        how: Stillness<'_>,
    ) -> Result<Choice> {
        let mut pagemap = Pagemap::open(proc_dir, pid)
            .map_err(|error| Error::reading(format!("/proc/{pid}/pagemap"), error))?;
        let mut choice = Choice::default();
        let (mut not_inherited, mut shared) = (Bytes::ZERO, Bytes::ZERO);
        for place in map.places() {
            let wish = wishes.at(place.range.start);
            let Some(which) = wanted(&place, wish) else { continue };
            if how == Stillness::Forked && wish.not_inherited {
                not_inherited += place.range.size();
                continue;
            }
            let before = choice.size();
            match pagemap.touched(place.range, which) {
                Ok(found) => choice.add(&place, &found),
                Err(error) => choice.gaps.push(unknown(pid, &place, &error)),
            }
            if place.protection.shared {
                shared += choice.size() - before;
            }
        }
        if not_inherited > Bytes::ZERO {
            let why = "the program asks that a child does not get it (MADV_DONTFORK, MADV_WIPEONFORK)";
            choice.gaps.push(Gap::new(format!("{} bytes of process {pid}", not_inherited.0), why));
        }
        if how == Stillness::Forked && shared > Bytes::ZERO {
            let what = format!("{} bytes of shared memory of process {pid} as they stood", shared.0);
            choice.gaps.push(Gap::new(what, "a child shares them: they are read while the process runs on"));
        }
        Ok(choice)
    }

    /// How much it is.
    pub(super) fn size(&self) -> Bytes {
        self.runs.iter().map(|run| run.size()).sum()
    }

    fn add(&mut self, place: &Place<'_>, found: &[Stretch]) {
        let reach = if is_anonymous(place) || place.protection.shared { 0 } else { SHORT };
        let mut is_first = true;
        for run in found.iter().filter(|run| !run.is_guard).filter_map(|run| run.range.overlap(place.range)) {
            match self.runs.last_mut() {
                Some(last) if !is_first && run.start.0 - last.end.0 <= reach => last.end = run.end,
                _ => self.runs.push(run),
            }
            is_first = false;
        }
    }
}

/// Which pages of a region are wanted, if any are.
fn wanted(place: &Place<'_>, wishes: Wishes) -> Option<Which> {
    let may = place.protection;
    if !may.read || wishes.device || is_device(place.name) {
        return None;
    }
    if is_anonymous(place) {
        // Also what was protected after it had been written: pointers in it are as good as before.
        return Some(Which::Touched);
    }
    match (may.write, may.shared) {
        _ if place.name.starts_with(b"[") => None,
        (true, _) => Some(Which::Touched),
        // Constants that had to be relocated: virtual tables stand there.
        (false, false) if !may.execute => Some(Which::Modified),
        _ => None,
    }
}

fn unknown(pid: ProcessId, place: &Place<'_>, error: &io::Error) -> Gap {
    let what = format!("the region at {} ({} bytes) of process {pid}", place.range.start, place.size());
    Gap::new(what, format!("the kernel does not say which of its pages are there: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(line: &str, flags: &str) -> Option<Which> {
        let map = Map::parse(format!("{line}\n").into_bytes()).expect("a region");
        wanted(&map.places().next().expect("one"), Wishes::of(flags))
    }

    #[test]
    fn what_can_hold_pointers_to_blocks_is_copied() {
        assert_eq!(which("1000-2000 rw-p 0 00:00 0    [heap]", ""), Some(Which::Touched));
        assert_eq!(which("1000-2000 rw-p 0 00:00 0 ", "rd wr dd"), Some(Which::Touched));
        assert_eq!(which("1000-2000 r--p 0 00:00 0 ", ""), Some(Which::Touched));
        assert_eq!(which("1000-2000 rw-p 3000 fe:01 7    /lib/a", ""), Some(Which::Touched));
        assert_eq!(which("1000-2000 rw-s 0 00:01 9    /memfd:x (deleted)", ""), Some(Which::Touched));
        assert_eq!(which("1000-2000 r--p 3000 fe:01 7    /lib/a", ""), Some(Which::Modified));
    }

    #[test]
    fn what_cannot_or_must_not_be_read_is_not() {
        for line in [
            "1000-2000 r-xp 3000 fe:01 7    /lib/a",
            "1000-2000 r--s 3000 fe:01 7    /usr/share/a",
            "1000-2000 ---p 0 00:00 0 ",
            "1000-2000 rw-s 0 00:05 9    /dev/dri/card0",
            "1000-2000 r--p 0 00:00 0 [vvar]",
        ] {
            assert_eq!(which(line, ""), None, "{line}");
        }
        assert_eq!(which("1000-2000 rw-s 0 00:05 9    /sys/resource0", "io pf"), None);
    }
}
