use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::{Mutex, MutexGuard, PoisonError};

use object::ReadCache;

/// An ELF file of which only what is asked for gets read.
#[derive(Debug)]
pub(super) enum Contents {
    /// One on disk. Whoever may write it may cut it under us, so it is not mapped.
    File(Mutex<File>),
    /// One that stands whole in memory: the vdso, or what was unpacked.
    Bytes(Vec<u8>),
}

/// Reads what was asked for once, and keeps it.
pub(super) type Cache<'a> = ReadCache<Stream<'a>>;

/// What [`Contents`] are read through.
pub(super) enum Stream<'a> {
    File(MutexGuard<'a, File>),
    Bytes(Cursor<&'a [u8]>),
}

impl Contents {
    pub(super) fn of_file(file: File) -> Contents {
        Contents::File(Mutex::new(file))
    }

    fn stream(&self) -> Stream<'_> {
        match self {
            Contents::File(file) => Stream::File(file.lock().unwrap_or_else(PoisonError::into_inner)),
            Contents::Bytes(bytes) => Stream::Bytes(Cursor::new(bytes)),
        }
    }

    /// A reader for `object`. One at a time: another waits.
    pub(super) fn cache(&self) -> Cache<'_> {
        ReadCache::new(self.stream())
    }

    /// Fills `into` from `offset` on, and says how many bytes there were.
    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> usize {
        let mut stream = self.stream();
        if stream.seek(SeekFrom::Start(offset)).is_err() {
            return 0;
        }
        let mut filled = 0;
        while filled < into.len() {
            match stream.read(&mut into[filled..]) {
                Ok(more @ 1..) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        filled
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::File(file) => file.read(into),
            Stream::Bytes(bytes) => bytes.read(into),
        }
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Stream::File(file) => file.seek(to),
            Stream::Bytes(bytes) => bytes.seek(to),
        }
    }
}
