use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

/// The bytes of a file, fetched from disk when they are looked at.
#[derive(Debug, Default)]
pub(crate) struct Mapped(Option<Mmap>);

impl Mapped {
    /// Maps a whole file; an empty one is no bytes.
    #[allow(unsafe_code)]
    pub(crate) fn of(file: &File) -> io::Result<Mapped> {
        if file.metadata()?.len() == 0 {
            return Ok(Mapped(None));
        }
        // SAFETY: the mapping is private and read-only. Its bytes change under us only if somebody rewrites the dump
        // while it is examined; every reader takes them as foreign bytes anyway. A file that shrinks meanwhile ends
        // the process by SIGBUS, as it does for every program that maps files: dumps are finished files.
        let map = unsafe { Mmap::map(file)? };
        Ok(Mapped(Some(map)))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
