use residue_model::{Memory, Snapshot};

use crate::{Result, Still, StillProgress, Stillness};

/// Something whose memory can be looked at: a live process, an ELF core, a minidump.
pub trait Target {
    /// How it stands: regions, threads, modules, and what could not be seen.
    ///
    /// # Errors
    /// When a live process has ended, or may not be read.
    fn snapshot(&self) -> Result<Snapshot>;

    /// The same as far as the search for something needs it: a live process is not asked what of it is resident.
    ///
    /// # Errors
    /// As for [`Target::snapshot`].
    fn layout(&self) -> Result<Snapshot> {
        self.snapshot()
    }

    /// Whether it is a file that a process left: one moment, that cannot be watched.
    fn is_dump(&self) -> bool {
        true
    }

    /// Its bytes.
    ///
    /// # Errors
    /// When the memory of a live process may not be read.
    fn memory(&self) -> Result<&dyn Memory>;

    /// Holds it still, with all its memory that walking heaps needs: a running process is copied, a dump stands anyway.
    ///
    /// # Errors
    /// When a running process has ended, may not be stopped or read, cannot be held in that way, or there is not enough
    /// memory for the copy; when there is no memory to be had of this kind of target. The process runs on in each case.
    fn still(&self, how: Stillness<'_>, progress: &mut dyn FnMut(StillProgress)) -> Result<Still<'_>>;
}
